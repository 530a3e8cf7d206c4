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

  /// A line of words, shown escaped: as several on a terminal that is too narrow, one in a pipe.
  ///
  /// - Parameters:
  ///   - first: what the line begins with.
  ///   - indent: what further lines begin with.
  mutating func words(_ text: String, first: String = "", indent: String = "  ", longWords: WordWrap.LongWords = .broken) {
    guard Terminal.outputIsTerminal else { return line(first + Diagnostics.shown(text)) }
    for line in WrappedText.lines(text, first: first, indent: indent, width: Terminal.width, longWords: longWords) {
      self.line(line)
    }
  }

  /// The lines of a policy document, or of Terraform. On a terminal, a value that is too long for its line has the next one, and less of
  /// an indent, which leaves the document what it is.
  mutating func document(_ text: String, indent: String = "") {
    let width = Terminal.outputIsTerminal ? Terminal.width : Int.max
    for part in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let whole = indent + safeText(String(part))
      guard DisplayWidth.columns(of: whole) > width else {
        line(whole)
        continue
      }
      var margin = whole.prefix { $0 == " " }.count
      var value = whole.dropFirst(margin)
      if value.first == "\"", let colon = value.firstRange(of: "\": ") {
        line(whole[..<colon.upperBound].dropLast().description)
        value = value[colon.upperBound...]
        margin += 2
      }
      line(String(repeating: " ", count: min(margin, max(0, width - DisplayWidth.columns(of: value)))) + value)
    }
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
    let first = line(ProgramName.current + ": ", failure.message)
    write(first + (failure.hint.map { line("hint: ", $0) } ?? ""))
  }

  /// - Parameter text: from this program, or from one that a profile names, which may be a vault too.
  static func notice(_ text: String) {
    let marks = [ProgramName.usual, ProgramName.current].map { $0 + ": " }
    let mark = marks.first { text.hasPrefix($0) }
    write(line(mark ?? ProgramName.current + ": ", String(text.dropFirst(mark?.count ?? 0))))
  }

  /// A text as it may be shown, with the commands in it under this program's name.
  static func shown(_ text: String) -> String { ProgramName.renaming(safeText(text)) }

  /// One line; on a terminal that is too narrow for it, several, which break between words.
  private static func line(_ name: String, _ text: String) -> String {
    guard let width = Terminal.columns(of: 2) else { return name + shown(text) + "\n" }
    let indent = String(repeating: " ", count: name.count)
    return WrappedText.lines(text, first: name, indent: indent, width: width, longWords: .broken).joined(separator: "\n") + "\n"
  }

  static func write(_ text: String) { writeAll(text.utf8.span.bytes, to: 2) }
}
