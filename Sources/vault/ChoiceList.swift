import CSystem
import Glibc
import VaultModel

/// A list to choose several lines from, which one can type into to narrow it.
///
/// Typing narrows, the arrows move, Tab marks a line, Ctrl-A all that are shown; Return takes the marked ones (or the one at the cursor).
struct ChoiceList {
  let lines: [String]
  let question: String

  /// What a key does; kept apart from the terminal, so that it can be tested.
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

    /// The lines that hold every word that was typed.
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
      case .take:
        if !marked.isEmpty { return .taken(marked.sorted()) }
        return shown.indices.contains(cursor) ? .taken([shown[cursor]]) : .goesOn
      case .leave: return .left
      case .other: break
      }
      return .goesOn
    }
  }

  enum Key: Equatable { case character(Character), backspace, up, down, mark, markAll, take, leave, other }

  /// - Returns: the chosen lines' places; nil where the person left.
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
      switch state.press(Self.key(from: terminal)) {
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

  private func erase(_ rows: Int, _ terminal: Int32) {
    if rows > 1 { write("\r\u{1B}[\(rows - 1)A", to: terminal) }
    write("\r\u{1B}[J", to: terminal)
  }

  /// - Returns: how many rows it took.
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
    let head = "\(question) (\(state.marked.count) of \(lines.count); Tab marks, Return takes, Esc leaves): \(state.filter)"
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

  private func write(_ text: String, to terminal: Int32) {
    var text = text
    text.withUTF8 { _ = Glibc.write(terminal, $0.baseAddress, $0.count) }
  }

  private static func key(from terminal: Int32) -> Key {
    var bytes = [UInt8](repeating: 0, count: 16)
    let got = read(terminal, &bytes, bytes.count)
    guard got > 0 else { return .leave }
    return key(Array(bytes[..<got]))
  }

  /// A key as a terminal in raw mode sends it (ECMA-48; xterm's control sequences).
  static func key(_ bytes: [UInt8]) -> Key {
    switch bytes {
    case [3], [4], [27]: return .leave
    case [13], [10]: return .take
    case [9]: return .mark
    case [1]: return .markAll
    case [8], [127]: return .backspace
    case [27, 91, 65], [27, 79, 65], [16]: return .up
    case [27, 91, 66], [27, 79, 66], [14]: return .down
    default:
      guard let text = String(validating: bytes, as: UTF8.self), let first = text.first, text.count == 1,
        bytes[0] >= 32
      else { return .other }
      return .character(first)
    }
  }
}
