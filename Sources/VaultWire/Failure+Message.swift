import VaultModel

extension Failure {
  /// The frame that tells a failure to the other side.
  public func frame() throws(WireError) -> WireBuffer {
    let writer = MessageWriter(.failure)
    writer.add(.message, message)
    writer.add(.hint, hint)
    writer.add(.exitStatus, Int(exitStatus.rawValue))
    return try writer.frame()
  }

  /// The failure that a message tells.
  public init(_ message: Message) {
    self.init(
      message.text(.message) ?? "the agent failed without a word", hint: message.text(.hint),
      exitStatus: message.number(.exitStatus).flatMap { ExitStatus(rawValue: Int32(truncatingIfNeeded: $0)) } ?? .software)
  }
}
