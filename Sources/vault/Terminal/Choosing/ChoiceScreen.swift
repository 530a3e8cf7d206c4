import CSystem
import Glibc
import VaultBytes
import VaultModel

/// Shows a list at the user's terminal until something is chosen. The screen is as it was afterwards.
///
/// It is drawn on `/dev/tty`, so that standard output may be captured: on the terminal's second screen, or, if it has none, below
/// what is there. Without a terminal that can move its cursor, the entries are numbered, and a line is read.
struct ChoiceScreen {
  let question: String
  /// An entry within so many columns, safe to show.
  let line: (_ entry: Int, _ columns: Int) -> String
  /// A line below the list.
  let footer: (ChoiceList) -> String

  /// - Returns: the chosen entries; nil if the user left.
  func choose(_ list: ChoiceList) -> [Int]? {
    let terminal = sys_open("/dev/tty", O_RDWR | O_NOCTTY, 0)
    guard terminal >= 0 else { return nil }
    defer { close(terminal) }
    let (isPossible, hasSecondScreen) = KeyReader.drawing
    guard isPossible, let reader = KeyReader(terminal) else { return chooseByNumber(list, terminal) }
    let (start, enter, leave) =
      hasSecondScreen ? ("\u{1B}[H", "\u{1B}[?1049h", "\u{1B}[?1049l") : ("\r", "", "\r" + Self.clearBelow)
    var list = list
    write(enter, terminal)
    defer { write(leave, terminal) }
    while true {
      draw(list, from: start, terminal)
      for event in reader.next() {
        switch event {
        case .key(.suspend), .signal(SIGINT), .signal(SIGTERM), .signal(SIGHUP), .signal(SIGQUIT), .signal(SIGTSTP):
          write(leave, terminal)
          // The key suspends the whole job, as it would without the list.
          if case .signal(let signal) = event { reader.raise(signal, to: getpid()) } else { reader.raise(SIGTSTP, to: 0) }
          write(enter, terminal)
        case .signal(SIGCONT): reader.resume()
        case .signal: break
        case .ended: return nil
        case .key(let key):
          switch list.press(key, page: size(of: terminal).rows) {
          case .goesOn: continue
          case .taken(let entries): return entries
          case .left: return nil
          }
        }
      }
    }
  }

  /// The columns of a line, and the entries that fit on the screen.
  private func size(of terminal: Int32) -> (columns: Int, rows: Int) {
    var size = winsize()
    _ = ioctl(terminal, UInt(TIOCGWINSZ), &size)
    // A line that fills the last column is continued on the next by some terminals.
    let columns = (size.ws_col > 0 ? Int(size.ws_col) : 80) - 1
    return (max(1, columns), max(1, (size.ws_row > 0 ? Int(size.ws_row) : 24) - 2))
  }

  /// Draws over the list before. The cursor stays in the first line, since that is the one place that is still known after a
  /// terminal without a second screen has changed its width and wrapped the other lines.
  private func draw(_ list: ChoiceList, from start: String, _ terminal: Int32) {
    let (columns, rows) = size(of: terminal)
    let first = max(0, min(list.cursor - rows / 2, list.shown.count - rows))
    let head = DisplayWidth.cut(safeText("\(question): \(list.typed)"), to: columns)
    var text = start + head + Self.clearLine
    var count = 0
    func add(_ line: String) {
      text += "\r\n" + line + Self.clearLine
      count += 1
    }
    for (offset, entry) in list.shown[first...].prefix(rows).enumerated() {
      let isHere = first + offset == list.cursor
      let mark = list.takesSeveral ? (list.marked.contains(entry) ? "*" : " ") : ""
      let line = DisplayWidth.cut("\(isHere ? ">" : " ")\(mark) " + line(entry, columns - 2 - mark.count), to: columns)
      add(isHere ? "\u{1B}[7m" + line + "\u{1B}[0m" : line)
    }
    if rows > 1 { add(DisplayWidth.cut(safeText("  " + footer(list)), to: columns)) }
    text += Self.clearBelow + (count > 0 ? "\u{1B}[\(count)A" : "") + "\r"
    let column = DisplayWidth.columns(of: head)
    if column > 0 { text += "\u{1B}[\(column)C" }
    write(text, terminal)
  }

  private static let clearLine = "\u{1B}[K"
  private static let clearBelow = "\u{1B}[J"

  private func write(_ text: String, _ terminal: Int32) { writeAll(text.utf8.span.bytes, to: terminal) }

  // MARK: without cursor movement

  private func chooseByNumber(_ list: ChoiceList, _ terminal: Int32) -> [Int]? {
    var list = list
    while true {
      var text = ""
      let (columns, rows) = size(of: terminal)
      for (number, entry) in list.shown.prefix(rows).enumerated() {
        let mark = "\(number + 1)) "
        text += mark + line(entry, columns - mark.count) + "\n"
      }
      if list.shown.count > rows { text += "… \(list.shown.count - rows) more\n" }
      write(text, terminal)
      let wanted = list.takesSeveral ? "numbers" : "number"
      guard let answer = Terminal.ask("\(question) (\(wanted), or part of a name):", echo: true) else { return nil }
      let typed = answer.withBytes { String(decoding: $0, as: UTF8.self) }
      let words = typed.split(separator: " ")
      guard !words.isEmpty else { return nil }
      let numbers = words.compactMap { Int($0) }.filter { (1...min(rows, max(1, list.shown.count))).contains($0) }
      if numbers.count == words.count, list.takesSeveral || numbers.count == 1, !list.shown.isEmpty {
        return numbers.map { list.shown[$0 - 1] }
      }
      list.type(typed)
      if list.shown.count == 1, !list.takesSeveral { return list.shown }
    }
  }
}
