import AWSPolicy
import VaultModel

/// A refusal by AWS, or the reason why it could not be called: AWS's own words, with a useful hint.
public struct AWSError: ReportableError, Sendable, Hashable {
  public enum Cause: Sendable, Hashable {
    /// AWS responded with an error.
    case service(code: String, text: String, status: Int)
    case transport(TransportError)
    /// The response is not from AWS.
    case malformedResponse(String)
    /// The request itself is invalid.
    case invalid(String)
  }

  public let cause: Cause
  /// `AssumeRole`, …
  public let action: String
  public let requestId: String?
  public let host: String
  /// The number of attempts.
  public let attempts: Int
  /// How far the machine's clock is behind AWS's, in seconds.
  public let clockOffset: Int64
  /// What the call carried, if it was for a role and the caller said so: the hint says what of it may be missing.
  public private(set) var needs: AccessNeeds?

  public init(_ cause: Cause, action: String, requestId: String? = nil, host: String, attempts: Int = 1, clockOffset: Int64 = 0) {
    self.cause = cause
    self.action = action
    self.requestId = requestId
    self.host = host
    self.attempts = attempts
    self.clockOffset = clockOffset
  }

  /// The same error of a call for a role.
  public func of(_ needs: AccessNeeds?) -> AWSError {
    var error = self
    error.needs = needs
    return error
  }

  public var code: String? { if case .service(let code, _, _) = cause { code } else { nil } }

  public var message: String {
    let tries = attempts > 1 ? " (after \(attempts) tries)" : ""
    switch cause {
    case .service(let code, let text, _):
      return "\(action): \(code): \(text.isEmpty ? "AWS gave no reason" : String(text.prefix(2_000)))\(tries)"
    case .transport(let error): return "\(action): \(error.message)\(tries)"
    case .malformedResponse(let what): return "\(action): unexpected response from \(host), not from AWS: \(what)\(tries)"
    case .invalid(let what): return "\(action): \(what)"
    }
  }

  public var hint: String? {
    switch cause {
    case .service(let code, let text, let status):
      ErrorHints.hint(action: action, code: code, text: text, status: status, clockOffset: clockOffset, needs: needs)
    case .transport(let error): ErrorHints.hint(action: action, error) ?? error.hint
    case .malformedResponse: "is something else listening at \(host)? a proxy, a captive portal?"
    case .invalid: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch cause {
    case .transport(let error): return error.exitStatus
    case .malformedResponse: return .unavailable
    case .invalid: return .configuration
    case .service(let code, _, let status):
      if Self.throttling.contains(code) || status == 429 { return .temporary }
      if status >= 500 || Self.transient.contains(code) { return .unavailable }
      switch code {
      case "ValidationError", "MalformedPolicyDocument", "PackedPolicyTooLarge", "RegionDisabledException": return .configuration
      default: return .refused
      }
    }
  }

  /// The code of the MFA device was wrong, or was used before.
  public var saysCodeIsWrong: Bool {
    guard case .service("AccessDenied", let text, _) = cause else { return false }
    return text.hasPrefix("MultiFactorAuthentication failed with invalid MFA one time pass code")
  }

  /// AWS no longer accepts the credentials that signed the call.
  public var saysSourceIsOver: Bool {
    guard let code else { return false }
    return ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"].contains(code)
  }

  static let throttling: Set<String> = [
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded", "SlowDown", "PriorRequestNotComplete", "BandwidthLimitExceeded", "LimitExceededException",
  ]
  static let transient: Set<String> = [
    "RequestTimeout", "RequestTimeoutException", "IDPCommunicationError", "InternalFailure", "InternalError",
    "ServiceUnavailable",
  ]

  /// Whether the same call may succeed when retried (AWS SDKs and Tools Reference Guide, "Retry behavior").
  var isRetryable: Bool {
    switch cause {
    case .transport(let error): error.isTransient
    case .malformedResponse: true
    case .invalid: false
    // OAuth's own codes (RFC 8628, 3.5): the caller that polls waits, and knows how long.
    case .service("authorization_pending", _, _), .service("slow_down", _, _): false
    case .service(let code, _, let status):
      Self.throttling.contains(code) || Self.transient.contains(code) || [429, 500, 502, 503, 504].contains(status)
    }
  }

  var isTimeout: Bool {
    if case .transport(let error) = cause { return error.isTimeout }
    return code?.hasPrefix("RequestTimeout") ?? false
  }

  /// AWS rejects the time at which the request was signed.
  var blamesClock: Bool {
    guard case .service(let code, let text, _) = cause else { return false }
    return code == "RequestExpired" || code == "RequestTimeTooSkewed" || code == "InvalidSignatureException"
      || (code == "SignatureDoesNotMatch" && (text.contains("Signature expired") || text.contains("not yet current")))
  }
}
