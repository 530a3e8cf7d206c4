import Glibc
import VaultBytes
import VaultModel

/// Bytes for standard output, written in large pieces.
struct Output: ~Copyable {
  private var buffer: [UInt8] = []

  /// Whether everything is kept until the end, and then shown by a pager if it is longer than the screen.
  private let isPaged: Bool

  init(isPaged: Bool = false) {
    self.isPaged = isPaged
    buffer.reserveCapacity(1 << 16)
  }

  mutating func write(_ text: String) {
    buffer.append(contentsOf: text.utf8)
    if buffer.count >= 1 << 16, !isPaged { flush() }
  }

  mutating func write(bytes: [UInt8]) {
    buffer.append(contentsOf: bytes)
    if buffer.count >= 1 << 16, !isPaged { flush() }
  }

  mutating func line(_ text: String) {
    write(text)
    buffer.append(10)
  }

  /// Writes the buffer. If the reader has gone away (`vault list | head`), exits silently, as with SIGPIPE.
  mutating func flush() {
    if isPaged, Pager.show(buffer) { return buffer.removeAll() }
    guard writeAll(buffer.span.bytes, to: 1) else {
      if errno == EPIPE { exit(0) }
      Diagnostics.report(Failure("cannot write to standard output (errno \(errno))", exitStatus: .inputOutput))
      exit(ExitStatus.inputOutput.rawValue)
    }
    buffer.removeAll(keepingCapacity: true)
  }
}

/// Messages on standard error: at most two lines for an error, one for a notice.
enum Diagnostics {
  static func report(_ failure: Failure) {
    var text = "\(ProgramName.current): \(shown(failure.message))\n"
    if let hint = failure.hint { text += "hint: \(shown(hint))\n" }
    write(text)
  }

  /// - Parameter text: from this program, or from one that a profile names, which may be a vault too.
  static func notice(_ text: String) {
    let isMarked = text.hasPrefix("\(ProgramName.usual): ") || text.hasPrefix("\(ProgramName.current): ")
    write((isMarked ? "" : ProgramName.current + ": ") + shown(text) + "\n")
  }

  /// A text as it may be shown, with the commands in it under this program's name.
  static func shown(_ text: String) -> String { ProgramName.renaming(safeText(text)) }

  static func write(_ text: String) { writeAll(text.utf8.span.bytes, to: 2) }
}
