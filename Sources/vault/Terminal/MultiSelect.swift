import CSystem
import Glibc
import VaultBytes
import VaultModel

/// A list to choose several lines from.
///
/// Typing narrows the list, the arrows move, Tab marks a line, Ctrl-A marks all lines shown; Return takes the marked ones (or the
/// one at the cursor).
struct MultiSelect {
  let lines: [String]
  let question: String

  /// The effect of a key; separate from the terminal, so that it can be tested.
  struct State {
    let lines: [String]
    var filter = ""
    var cursor = 0
    var marked: Set<Int> = []
    private let lowered: [String]

    init(_ lines: [String]) {
      self.lines = lines
      lowered = lines.map { $0.lowercased() }
    }

    /// The lines that contain every typed word.
    var shown: [Int] {
      let words = filter.lowercased().split(separator: " ")
      return lines.indices.filter { index in words.allSatisfy { lowered[index].contains($0) } }
    }

    enum Outcome { case goesOn, taken([Int]), left }

    mutating func press(_ key: Key) -> Outcome {
      let shown = shown
      switch key {
      case .character(let character):
        filter.append(character)
        cursor = 0
      case .backspace:
        _ = filter.popLast()
        cursor = 0
      case .up: cursor = max(0, cursor - 1)
      case .down: cursor = min(max(0, shown.count - 1), cursor + 1)
      case .mark:
        guard shown.indices.contains(cursor) else { break }
        if marked.remove(shown[cursor]) == nil { marked.insert(shown[cursor]) }
        cursor = min(shown.count - 1, cursor + 1)
      case .markAll: if Set(shown).isSubset(of: marked) { marked.subtract(shown) } else { marked.formUnion(shown) }
      case .consume:
        if !marked.isEmpty { return .taken(marked.sorted()) }
        return shown.indices.contains(cursor) ? .taken([shown[cursor]]) : .goesOn
      case .leave: return .left
      case .other: break
      }
      return .goesOn
    }
  }

  enum Key: Equatable { case character(Character), backspace, up, down, mark, markAll, consume, leave, other }

  /// - Returns: the indices of the chosen lines; nil if the user left.
  func run() -> [Int]? {
    let terminal = sys_open("/dev/tty", O_RDWR, 0)
    guard terminal >= 0 else { return nil }
    defer { close(terminal) }
    var before = termios()
    guard tcgetattr(terminal, &before) == 0 else { return nil }
    var during = before
    cfmakeraw(&during)
    tcsetattr(terminal, TCSAFLUSH, &during)
    var drawn = 0
    defer {
      write("\r\u{1B}[J", to: terminal)
      tcsetattr(terminal, TCSAFLUSH, &before)
    }
    var state = State(lines)
    while true {
      drawn = draw(state, over: drawn, terminal)
      for key in Self.keys(from: terminal) {
        switch state.press(key) {
        case .goesOn: continue
        case .taken(let indices):
          erase(drawn, terminal)
          return indices
        case .left:
          erase(drawn, terminal)
          return nil
        }
      }
    }
  }

  private func erase(_ rows: Int, _ terminal: Int32) {
    if rows > 1 { write("\r\u{1B}[\(rows - 1)A", to: terminal) }
    write("\r\u{1B}[J", to: terminal)
  }

  /// - Returns: the number of rows it took.
  private func draw(_ state: State, over rows: Int, _ terminal: Int32) -> Int {
    var size = winsize()
    _ = ioctl(terminal, UInt(TIOCGWINSZ), &size)
    let width = max(20, size.ws_col > 0 ? Int(size.ws_col) : 80)
    let height = max(3, min(20, (size.ws_row > 0 ? Int(size.ws_row) : 24) - 3))
    let shown = state.shown
    let first = max(0, min(state.cursor - height / 2, shown.count - height))
    var text = rows > 1 ? "\r\u{1B}[\(rows - 1)A" : "\r"
    text += "\u{1B}[J"
    var count = 1
    let head = "\(question) (\(state.marked.count) of \(lines.count); Tab selects, Enter confirms, Esc cancels): \(state.filter)"
    text += String(safeText(head).prefix(width - 1))
    for (offset, index) in shown.dropFirst(first).prefix(height).enumerated() {
      let isHere = first + offset == state.cursor
      let line = "\(isHere ? ">" : " ")\(state.marked.contains(index) ? "*" : " ") \(safeText(lines[index]))"
      text += "\r\n" + (isHere ? "\u{1B}[7m" : "") + String(line.prefix(width - 1)) + (isHere ? "\u{1B}[0m" : "")
      count += 1
    }
    write(text, to: terminal)
    return count
  }

  private func write(_ text: String, to terminal: Int32) { writeAll(text.utf8.span.bytes, to: terminal) }

  /// The keys pressed so far; several if they arrived together.
  private static func keys(from terminal: Int32) -> [Key] {
    var bytes = [UInt8](repeating: 0, count: 256)
    let got = read(terminal, &bytes, bytes.count)
    if got < 0, errno == EINTR { return [.other] }
    guard got > 0 else { return [.leave] }
    return keys(bytes[..<got])
  }

  /// Keys as a terminal in raw mode sends them (ECMA-48; xterm's control sequences).
  static func keys(_ bytes: ArraySlice<UInt8>) -> [Key] {
    var rest = bytes
    var keys: [Key] = []
    while let byte = rest.popFirst() {
      switch byte {
      case 27:
        guard let next = rest.first, next == UInt8(ascii: "[") || next == UInt8(ascii: "O") else {
          keys.append(.leave)
          continue
        }
        rest.removeFirst()
        // Parameters, then the letter that identifies the key.
        while let parameter = rest.first, (0x20...0x3F).contains(parameter) { rest.removeFirst() }
        switch rest.popFirst() {
        case UInt8(ascii: "A"): keys.append(.up)
        case UInt8(ascii: "B"): keys.append(.down)
        default: keys.append(.other)
        }
      case 3, 4: keys.append(.leave)
      case 13, 10: keys.append(.consume)
      case 9: keys.append(.mark)
      case 1: keys.append(.markAll)
      case 8, 127: keys.append(.backspace)
      case 16: keys.append(.up)
      case 14: keys.append(.down)
      case 0..<32: keys.append(.other)
      default:
        var character = [byte]
        while let more = rest.first, more & 0xC0 == 0x80 {
          character.append(more)
          rest.removeFirst()
        }
        keys.append(String(validating: character, as: UTF8.self)?.first.map { .character($0) } ?? .other)
      }
    }
    return keys
  }
}
