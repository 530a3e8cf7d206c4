import VaultModel

/// A refusal by Identity Center's portal. Everything else is an `AWSError`.
public struct SSOPortalError: ReportableError, Sendable, Hashable {
  public enum Reason: Sendable, Hashable {
    /// 401: the token has expired or was revoked.
    case signInAgain
    /// 403: the user has no such role in this account; signing in again would not help.
    case notAssigned
  }

  public let reason: Reason
  /// `GetRoleCredentials`, …
  public let action: String
  /// The requested role: `AdministratorAccess in 123456789012`.
  public let subject: String?
  public let requestId: String?
  public let host: String

  public init(_ reason: Reason, action: String, subject: String? = nil, requestId: String? = nil, host: String) {
    self.reason = reason
    self.action = action
    self.subject = subject
    self.requestId = requestId
    self.host = host
  }

  /// - Returns: nil for an error of another kind.
  init?(_ error: AWSError, subject: String?) {
    guard case .service(let code, _, let status) = error.cause else { return nil }
    let reason: Reason
    switch status {
    case 401: reason = .signInAgain
    case 403: reason = .notAssigned
    default:
      guard code == "UnauthorizedException" else { return nil }
      reason = .signInAgain
    }
    self.init(reason, action: error.action, subject: subject, requestId: error.requestId, host: error.host)
  }

  public var message: String {
    switch reason {
    case .signInAgain: "\(action): the IAM Identity Center sign-in has expired"
    case .notAssigned: "\(action): you are not assigned \(subject ?? "such a role") in IAM Identity Center"
    }
  }

  public var hint: String? {
    switch reason {
    case .signInAgain: "sign in again: vault login"
    case .notAssigned:
      "check sso_account_id and sso_role_name (vault login --discover lists yours); an administrator assigns the permission set"
    }
  }

  public var exitStatus: ExitStatus { .refused }
}
