import VaultModel

/// An error of Identity Center's sign-in (RFC 6749, 5.2; RFC 8628, 3.5; the `sso-oidc` model).
public struct SSOOIDCError: ReportableError, Sendable, Hashable {
  public enum Reason: String, Sendable, Hashable, CaseIterable {
    /// The user has not confirmed yet: ask again after the interval.
    case authorizationPending = "authorization_pending"
    /// Polled too often: add 5 seconds to the interval.
    case slowDown = "slow_down"
    /// The device code or the registration has expired.
    case expiredToken = "expired_token"
    /// The user or the directory refused.
    case accessDenied = "access_denied"
    /// The code or refresh token is wrong, used or expired: sign in again.
    case invalidGrant = "invalid_grant"
    /// The registration is unknown: register again.
    case invalidClient = "invalid_client"
    case unauthorizedClient = "unauthorized_client"
    case unsupportedGrantType = "unsupported_grant_type"
    case invalidScope = "invalid_scope"
    case invalidRequest = "invalid_request"
    case invalidClientMetadata = "invalid_client_metadata"
    case invalidRedirectURI = "invalid_redirect_uri"

    /// - Parameter code: OAuth's name, or the exception's.
    init?(code: String) {
      if let reason = Self(rawValue: code) {
        self = reason
        return
      }
      guard let reason = Self.exceptions[code] else { return nil }
      self = reason
    }

    private static let exceptions: [String: Reason] = [
      "AuthorizationPendingException": .authorizationPending, "SlowDownException": .slowDown,
      "ExpiredTokenException": .expiredToken, "AccessDeniedException": .accessDenied, "InvalidGrantException": .invalidGrant,
      "InvalidClientException": .invalidClient, "UnauthorizedClientException": .unauthorizedClient,
      "UnsupportedGrantTypeException": .unsupportedGrantType, "InvalidScopeException": .invalidScope,
      "InvalidRequestException": .invalidRequest, "InvalidRequestRegionException": .invalidRequest,
      "InvalidClientMetadataException": .invalidClientMetadata, "InvalidRedirectUriException": .invalidRedirectURI,
    ]
  }

  public let reason: Reason
  /// `CreateToken`, …
  public let action: String
  /// AWS's own words, if any.
  public let text: String
  public let requestId: String?
  public let host: String

  public init(_ reason: Reason, action: String, text: String = "", requestId: String? = nil, host: String) {
    self.reason = reason
    self.action = action
    self.text = text
    self.requestId = requestId
    self.host = host
  }

  /// - Returns: nil for an error that is not one of the protocol's own.
  init?(_ error: AWSError) {
    guard case .service(let code, let text, let status) = error.cause, status < 500, let reason = Reason(code: code) else {
      return nil
    }
    self.init(reason, action: error.action, text: text, requestId: error.requestId, host: error.host)
  }

  public var message: String {
    let what =
      switch reason {
      case .authorizationPending: "the sign-in is not confirmed yet"
      case .slowDown: "IAM Identity Center is throttling"
      case .expiredToken: "the sign-in was not confirmed in time"
      case .accessDenied: "the sign-in was refused"
      case .invalidGrant: "IAM Identity Center no longer accepts this sign-in"
      case .invalidClient: "IAM Identity Center does not recognize this program's registration"
      case .unauthorizedClient: "this program is not allowed to sign in this way"
      case .unsupportedGrantType: "IAM Identity Center does not support this kind of sign-in"
      case .invalidScope: "IAM Identity Center does not know a requested scope"
      case .invalidRequest: "IAM Identity Center cannot read the request"
      case .invalidClientMetadata: "IAM Identity Center cannot read the registration"
      case .invalidRedirectURI: "IAM Identity Center does not accept the browser's redirect address"
      }
    return "\(action): \(what) (\(reason.rawValue)\(text.isEmpty ? "" : ": \(text.prefix(500))"))"
  }

  public var hint: String? {
    switch reason {
    case .authorizationPending: "confirm it in the browser"
    case .slowDown: "try again in a minute"
    case .expiredToken, .invalidGrant, .invalidClient: "sign in again: vault login"
    case .accessDenied: "did the right user sign in in the browser? an administrator assigns access in IAM Identity Center"
    case .unauthorizedClient, .unsupportedGrantType: "sign in with a code: vault login --device"
    case .invalidScope: "most need sso_registration_scopes = sso:account:access"
    case .invalidRequest, .invalidClientMetadata, .invalidRedirectURI:
      "are sso_start_url and sso_region those of the access portal?"
    }
  }

  public var exitStatus: ExitStatus {
    switch reason {
    case .authorizationPending, .slowDown: .temporary
    case .invalidScope, .invalidRequest, .invalidClientMetadata, .invalidRedirectURI: .configuration
    default: .refused
    }
  }
}
