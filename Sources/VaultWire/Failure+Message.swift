import VaultModel

extension Failure {
  /// The frame that reports a failure to the peer.
  public func frame() throws(WireError) -> WireBuffer {
    let writer = MessageWriter(.failure)
    writer.add(.message, message)
    writer.add(.hint, hint)
    writer.add(.exitStatus, Int(exitStatus.rawValue))
    return try writer.frame()
  }

  /// The failure that a message reports.
  public init(_ message: Message) {
    self.init(
      message.text(.message) ?? "the agent failed without a word", hint: message.text(.hint),
      exitStatus: message.number(.exitStatus).flatMap { ExitStatus(rawValue: Int32(truncatingIfNeeded: $0)) } ?? .software)
  }
}
