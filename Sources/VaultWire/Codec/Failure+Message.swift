import VaultModel

extension Failure {
  /// The frame that reports a failure to the peer.
  public func frame() throws(WireError) -> WireBuffer {
    try .frame(.failure) {
      var (text, hint, status) = (message, hint, "\(exitStatus.rawValue)")
      $0.field(&text).field(&hint).field(&status)
    }
  }

  /// The failure that a message of any version reports.
  public init(_ message: Message) {
    var (text, hint, status): (String?, String?, String?)
    message.fields.field(&text).field(&hint).field(&status)
    self.init(
      text ?? "the agent failed without a word", hint: hint,
      exitStatus: status.flatMap { Int32($0) }.flatMap { ExitStatus(rawValue: $0) } ?? .software)
  }
}
