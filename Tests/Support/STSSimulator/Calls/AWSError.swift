import VaultModel

/// A refusal in AWS's words.
struct AWSError: Error, Sendable, Hashable {
  var status: Int
  var code: String
  var message: String
  var retryAfter: Int?

  /// Whose fault it is, as the answer says.
  var type: String { status >= 500 ? "Receiver" : "Sender" }

  init(_ status: Int, _ code: String, _ message: String, retryAfter: Int? = nil) {
    self.status = status
    self.code = code
    self.message = message
    self.retryAfter = retryAfter
  }
}

// Requests that no caller can be read from.
extension AWSError {
  static let malformedQueryString = AWSError(404, "MalformedQueryString", "The query string contains a syntax error.")
  static let missingAction = AWSError(
    400, "MissingAction", "The request is missing an Action or a required parameter.")
  static let missingAuthenticationToken = AWSError(
    403, "MissingAuthenticationToken", "Request is missing Authentication Token")

  static func unknownOperation(_ action: String, version: String) -> AWSError {
    AWSError(400, "InvalidAction", "Could not find operation \(action) for version \(version)")
  }
  static func incompleteSignature(_ message: String) -> AWSError { AWSError(400, "IncompleteSignature", message) }
  /// Not AWS's: it would pass over the parameter.
  static func unexpectedParameter(_ name: String) -> AWSError {
    AWSError(400, "UnexpectedParameter", "The simulator does not know the parameter \(name) of this action")
  }
}

// Who is asking.
extension AWSError {
  static let invalidClientTokenId = AWSError(
    403, "InvalidClientTokenId", "The security token included in the request is invalid.")
  static let expiredToken = AWSError(403, "ExpiredToken", "The security token included in the request is expired")
  static let wrongSignature = signature(
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
      + "method. Consult the service documentation for details.")

  static func signature(_ message: String) -> AWSError { AWSError(403, "SignatureDoesNotMatch", message) }
  static func signatureExpired(signed: Timestamp, now: Timestamp) -> AWSError {
    let limit = now.adding(seconds: -300).iso8601Basic
    return signature("Signature expired: \(signed.iso8601Basic) is now earlier than \(limit) (\(now.iso8601Basic) - 5 min.)")
  }
  static func signatureNotYetCurrent(signed: Timestamp, now: Timestamp) -> AWSError {
    let limit = now.adding(seconds: 300).iso8601Basic
    return signature(
      "Signature not yet current: \(signed.iso8601Basic) is still later than \(limit) (\(now.iso8601Basic) + 5 min.)")
  }
}

// What they may.
extension AWSError {
  static func accessDenied(_ message: String) -> AWSError { AWSError(403, "AccessDenied", message) }
  static func notAuthorized(_ caller: String, _ action: String, on resource: String, because: String = "") -> AWSError {
    accessDenied("User: \(caller) is not authorized to perform: sts:\(action) on resource: \(resource)\(because)")
  }
  static let wrongMFACode = accessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
  static let unknownMFADevice = accessDenied(
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
      + "associated with this user. ")
  static let halfMFA = accessDenied(
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. ")
}

// What they asked for.
extension AWSError {
  static func validation(_ message: String) -> AWSError { AWSError(400, "ValidationError", message) }
  static let longerThanRoleAllows = validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
  static let longerThanChainAllows = validation(
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
  static func malformedPolicy(_ message: String) -> AWSError { AWSError(400, "MalformedPolicyDocument", message) }
  static func packedPolicyTooLarge(percent: Int) -> AWSError {
    AWSError(
      400, "PackedPolicyTooLarge", "Packed policy consumes \(percent)% of allotted space, please use smaller policy.")
  }
}

// What goes wrong at AWS's end.
extension AWSError {
  static func throttling(retryAfter: Int?) -> AWSError { AWSError(400, "Throttling", "Rate exceeded", retryAfter: retryAfter) }
  static func internalFailure(retryAfter: Int?) -> AWSError {
    AWSError(
      500, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.",
      retryAfter: retryAfter)
  }
  static func serviceUnavailable(retryAfter: Int?) -> AWSError {
    AWSError(
      503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", retryAfter: retryAfter)
  }
}
