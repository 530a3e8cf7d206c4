/// One call, as the simulator's log tells it. No secret is in it: no signature, token, secret key or MFA code.
public struct STSRequest: Codable, Sendable, Hashable {
  public enum Outcome: String, Codable, Sendable {
    /// Answered as asked.
    case success
    /// Refused for a cause in the request.
    case error
    /// Befallen by a scripted fault.
    case fault
  }

  /// 1 for the first call since the start or the last reset.
  public var number: Int
  /// When the request had been read, in milliseconds since 1970 by the machine's clock.
  public var time: Int64
  /// From then until the answer was ready, in microseconds.
  public var microseconds: Int64
  /// Which connection it came over: calls over one have the same number.
  public var connection: Int
  public var method: String
  /// What the request line named, without the query.
  public var target: String
  public var host: String
  public var userAgent: String
  /// Empty where none was named.
  public var action: String
  /// All of the call's parameters but `TokenCode`, whose value is `‹secret›`.
  public var parameters: [String: String]
  /// The key that signed it, once it was read from the request; nothing says that the signature was right.
  public var accessKeyId: String?
  /// The region of the signature's scope.
  public var region: String?
  /// Whether the request came with a session token.
  public var hasSessionToken: Bool
  /// The caller, where the signature was right.
  public var callerARN: String?
  public var outcome: Outcome
  /// The answer's status; nil where none was sent.
  public var status: Int?
  public var errorCode: String?
  public var errorMessage: String?
  public var fault: STSFault.Kind?
  public var requestId: String
  /// The key that was issued.
  public var issuedAccessKeyId: String?
  /// When that key ends, in milliseconds since 1970 by the simulator's clock.
  public var expiresAt: Int64?

  public init(number: Int, time: Int64, connection: Int, method: String, target: String, requestId: String) {
    self.number = number
    self.time = time
    self.connection = connection
    self.method = method
    self.target = target
    self.requestId = requestId
    microseconds = 0
    host = ""
    userAgent = ""
    action = ""
    parameters = [:]
    hasSessionToken = false
    outcome = .success
  }
}

/// The answer to `GET /_sim/requests`.
public struct STSReport: Codable, Sendable, Hashable {
  /// In the order in which they were answered.
  public var requests: [STSRequest]
  /// The most calls that were at work at once.
  public var peakConcurrency: Int
  /// How many connections brought a call.
  public var connections: Int
  /// Faults that are still to come, with what is left of their counts.
  public var faults: [STSFault]

  public init(requests: [STSRequest], peakConcurrency: Int, connections: Int, faults: [STSFault]) {
    self.requests = requests
    self.peakConcurrency = peakConcurrency
    self.connections = connections
    self.faults = faults
  }
}

/// The body of `POST /_sim/revoke`: one of the two.
public struct STSRevocation: Codable, Sendable, Hashable {
  /// All sessions of the role that were issued until now are denied everything (as the console's "Revoke active sessions").
  public var role: String?
  /// The key, long-lived or issued, is no more.
  public var accessKeyId: String?

  public init(role: String? = nil, accessKeyId: String? = nil) {
    self.role = role
    self.accessKeyId = accessKeyId
  }
}
