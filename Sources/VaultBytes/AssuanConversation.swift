import Glibc

/// The client's side of Assuan, the protocol of GnuPG's programs: a line each way, over a pair of descriptors that the caller closes
/// (libassuan manual, "Client requests", "Server responses").
public struct AssuanConversation: Sendable {
  private let to: Int32
  private let from: Int32
  /// The longest line, with its end (`ASSUAN_LINELENGTH`).
  public static let maxLine = 1_000

  public init(to: Int32, from: Int32) { (self.to, self.from) = (to, from) }

  public func say(_ command: String) { writeAll((command + "\n").utf8.span.bytes, to: to) }

  /// Sends a command, and waits for its end.
  public func command(_ command: String) -> Bool {
    say(command)
    return isOK()
  }

  /// Whether the other side says `OK`; false for an error, and where it has ended.
  public func isOK() -> Bool {
    while let line = line() {
      if line.starts(with: "OK") { return true }
      if line.starts(with: "ERR") { return false }
    }
    return false
  }

  /// The next line, in a buffer that is wiped; nil at the end, and for a line that is too long.
  public func line() -> ByteBuffer? {
    var line = ByteBuffer(capacity: 4_096, isWiped: true)
    var byte: UInt8 = 0
    while true {
      let got = read(from, &byte, 1)
      if got < 0, errno == EINTR { continue }
      guard got == 1, line.count < 4_095 else { return nil }
      if byte == 10 { return line }
      line.append(byte)
    }
  }

  /// A text as one parameter: percent, carriage return and line feed are escaped.
  public static func escaped(_ text: String) -> String {
    text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }
}

extension ByteBuffer {
  public borrowing func starts(with text: String) -> Bool { bytes.starts(with: text.utf8) }
}
