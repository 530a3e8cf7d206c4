import VaultModel

/// A fault on the socket.
public enum WireError: ReportableError {
  case tooLong
  case malformed
  /// A field of a message, by its place.
  case field(tag: UInt16, String)
  case closed
  case timedOut
  case system(operation: String, code: Int32)

  public var message: String {
    switch self {
    case .tooLong: "a message would pass the \(maxPayloadBytes / 1_024) KiB that one may have"
    case .malformed: "what came over the agent's socket is no message"
    case .field(let tag, let fault): "invalid message: field \(tag) \(fault)"
    case .closed: "the agent ended the connection"
    case .timedOut: "the agent did not answer in time"
    case .system(let operation, let code): "cannot \(operation) the agent's socket (errno \(code))"
    }
  }

  public var hint: String? {
    switch self {
    case .closed, .timedOut: "see `vault agent log`"
    default: nil
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .tooLong, .field: .badData
    case .timedOut: .temporary
    default: .inputOutput
    }
  }
}
