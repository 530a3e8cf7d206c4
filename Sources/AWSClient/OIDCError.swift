import VaultModel

/// What IAM Identity Center's OIDC service says no with (RFC 6749, 5.2; RFC 8628, 3.5).
public enum OIDCError: ReportableError, Hashable {
  /// The person has not finished: ask again after the interval.
  case authorizationPending
  /// Ask less often: five seconds more between two questions.
  case slowDown
  /// The person took too long.
  case expiredToken
  /// The person, or the administrator, said no.
  case accessDenied
  /// The refresh token or code is no longer taken: sign in anew.
  case invalidGrant
  /// The registration is no longer taken.
  case invalidClient
  case other(code: String, text: String)

  init?(code: String, text: String) {
    switch code {
    case "authorization_pending": self = .authorizationPending
    case "slow_down": self = .slowDown
    case "expired_token": self = .expiredToken
    case "access_denied": self = .accessDenied
    case "invalid_grant": self = .invalidGrant
    case "invalid_client": self = .invalidClient
    case "invalid_request", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_redirect_uri",
      "invalid_request_region":
      self = .other(code: code, text: text)
    default: return nil
    }
  }

  public var message: String {
    switch self {
    case .authorizationPending, .slowDown: "IAM Identity Center still waits for the sign-in"
    case .expiredToken: "the sign-in took too long: its code is over"
    case .accessDenied: "the sign-in was refused"
    case .invalidGrant: "IAM Identity Center no longer takes this sign-in"
    case .invalidClient: "IAM Identity Center does not know this client"
    case .other(let code, let text):
      "IAM Identity Center: \(code)" + (text.isEmpty ? "" : ": \(text.prefix(500))")
    }
  }

  public var hint: String? {
    switch self {
    case .expiredToken, .invalidGrant, .accessDenied: "`vault login` starts a new one"
    case .invalidClient: "`vault login` registers anew"
    case .other("invalid_scope", _): "see sso_registration_scopes"
    case .other("invalid_request_region", _): "see sso_region"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .authorizationPending, .slowDown: .temporary
    case .other("invalid_scope", _), .other("invalid_request_region", _): .configuration
    default: .refused
    }
  }
}
