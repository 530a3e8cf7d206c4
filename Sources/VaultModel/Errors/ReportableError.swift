/// An error written for the user.
///
/// One line says what happened and to what; a second says what to do. Neither ever holds a secret. Each module has one enum that
/// conforms; a ``Failure`` crosses the socket.
public protocol ReportableError: Error {
  /// The event and the thing affected: one sentence without a full stop, with no line breaks added.
  var message: String { get }
  /// The remedy.
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

  /// Any error in a form that can be shown. An error of another module's type is an internal error, shown by its type only, since
  /// its text may hold anything.
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
