/// An error written for the person who will read it.
///
/// One line says what happened and to what, a second what to do. Neither ever holds a secret. Each module has one enum that
/// conforms; what crosses the socket is a ``Failure``.
public protocol ReportableError: Error {
  /// What happened, to what. One sentence without a full stop, no line breaks of our own.
  var message: String { get }
  /// What to do about it.
  var hint: String? { get }
  var exitStatus: ExitStatus { get }
}

/// An error as a value: what the agent sends to the client, and what a command ends with.
public struct Failure: ReportableError, Sendable, Hashable {
  public let message: String
  public let hint: String?
  public let exitStatus: ExitStatus

  public init(_ message: String, hint: String? = nil, exitStatus: ExitStatus) {
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
  }

  /// Any error as one that can be shown. What is not ours is a fault of ours, told by its type alone, since its text may hold anything.
  public init(_ error: any Error) {
    if let error = error as? any ReportableError {
      self.init(error.message, hint: error.hint, exitStatus: error.exitStatus)
    } else if error is CancellationError {
      self.init("interrupted", exitStatus: .temporary)
    } else {
      self.init("internal fault (\(type(of: error)))", hint: "please report this", exitStatus: .software)
    }
  }
}
