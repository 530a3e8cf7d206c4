import VaultBytes
import VaultModel

/// The output format of a report.
enum ReportFormat: String {
  case table, json, jsonl, csv

  /// - Throws: usage, naming the formats that the command supports.
  init(_ text: String?, allowed: [ReportFormat]) throws(Failure) {
    guard let text else {
      self = .table
      return
    }
    guard let format = ReportFormat(rawValue: text), allowed.contains(format) else {
      throw Failure(
        "no format \"\(text)\"", hint: "formats: \(allowed.map(\.rawValue).joined(separator: ", "))", exitStatus: .usage)
    }
    self = format
  }
}

/// Rows for a user: aligned columns on a terminal, of which no line is wider than it; tab-separated plain text in a pipe.
struct Table {
  static let wideOption = OptionSpec("wide", "on a terminal: show all columns in full, however wide")

  private let columns: [Column]
  private let isWide: Bool
  private var rows: [[String]] = []
  /// The widths of the widest cells so far.
  private var natural: [Int]
  /// The columns that are shown, from the first rows on.
  private var shown: [Int]?
  private var isShort = false

  /// - Parameter isWide: whether columns are shown in full, however wide the terminal.
  init(_ columns: [Column], isWide: Bool = false) {
    self.columns = columns
    self.isWide = isWide
    natural = columns.map(\.title.count)
  }

  /// Whether no row was ever added.
  private(set) var isEmpty = true

  /// - Parameter cells: one per column; shown escaped.
  mutating func add(_ cells: [String]) {
    rows.append(cells)
    isEmpty = false
  }

  /// Whether the rows need no shortening.
  var fits: Bool {
    guard Terminal.outputIsTerminal, !isWide else { return true }
    let widest = natural.indices.map { column in
      rows.reduce(natural[column]) { max($0, DisplayWidth.columns(of: safeText($1[column]))) }
    }
    return widest.reduce(Column.gap * (columns.count - 1), +) <= Terminal.width
  }

  /// Writes the rows and drops them; a second call writes the rows added since, under the same titles.
  mutating func write(to output: inout Output) {
    defer { rows.removeAll() }
    guard Terminal.outputIsTerminal else {
      for row in rows { output.line(row.map(safeText).joined(separator: "\t")) }
      return
    }
    let width = isWide ? Int.max : Terminal.width
    let cells = fitting(width)
    let widths: [Int]
    let isBegun = shown != nil
    if let shown {
      widths = Column.layout(shown.map { columns[$0] }, shown.map { natural[$0] }, within: width).enumerated().map {
        $1 ?? natural[shown[$0]]
      }
    } else {
      // Of a table whose rows are yet to come, the titles alone do not tell what there is room for.
      if cells.isEmpty { natural = zip(natural, columns).map { max($0, $1.usual) } }
      let layout = Column.layout(columns, natural, within: width)
      shown = layout.indices.filter { layout[$0] != nil }
      widths = layout.compactMap { $0 }
    }
    let places = shown ?? []
    if !isBegun {
      let (bold, plain) = Terminal.hasColour ? ("\u{1B}[1m", "\u{1B}[0m") : ("", "")
      output.line(bold + aligned(columns.map(\.title), at: places, widths, width: width) + plain)
    }
    for row in cells { output.line(aligned(row, at: places, widths, width: width)) }
  }

  /// The rows as shown, with ARNs and paths shortened if they are too wide otherwise.
  private mutating func fitting(_ width: Int) -> [[String]] {
    var cells = rows.map { $0.map(safeText) }
    func widths(_ cells: [[String]], _ natural: [Int]) -> [Int] {
      cells.reduce(into: natural) { widths, row in
        for (column, cell) in row.enumerated() { widths[column] = max(widths[column], DisplayWidth.columns(of: cell)) }
      }
    }
    let before = natural
    natural = widths(cells, before)
    if !isShort { isShort = natural.reduce(Column.gap * (columns.count - 1), +) > width }
    guard isShort else { return cells }
    for column in columns.indices where columns[column].least != nil {
      for row in cells.indices { cells[row][column] = columns[column].shorter(cells[row][column]) ?? cells[row][column] }
    }
    natural = widths(cells, before)
    return cells
  }

  private func aligned(_ cells: [String], at places: [Int], _ widths: [Int], width: Int) -> String {
    var line = ""
    for (column, room) in zip(places, widths) {
      let cell = columns[column].least == nil ? cells[column] : columns[column].cut(cells[column], to: room)
      let isLast = column == places.last
      line += isLast ? cell : DisplayWidth.padded(cell, to: room) + "  "
    }
    // Only where the narrowest columns are too wide together.
    return widths.reduce(Column.gap * (widths.count - 1), +) > width ? DisplayWidth.cut(line, to: width) : line
  }
}

/// Names with values that must stay whole, to be copied: in lines of their own where a table has no room.
extension Output {
  /// - Parameter facts: a note says where the value comes from.
  mutating func facts(_ facts: [(name: String, value: String, note: String)]) {
    let width = (facts.map { DisplayWidth.columns(of: safeText($0.name)) }.max() ?? 0) + 2
    for fact in facts {
      words(
        "\(fact.value)  (\(fact.note))", first: DisplayWidth.padded(safeText(fact.name), to: width),
        indent: String(repeating: " ", count: width), longWords: .whole)
    }
  }
}

/// One row of CSV (RFC 4180). A cell that a spreadsheet would run as a formula is prefixed with an apostrophe.
func csvRow(_ cells: [String]) -> String {
  cells.map { cell in
    var cell = safeText(cell)
    if let first = cell.first, "=+-@".contains(first) { cell = "'" + cell }
    guard cell.contains(where: { $0 == "," || $0 == "\"" }) else { return cell }
    return "\"" + cell.replacing("\"", with: "\"\"") + "\""
  }.joined(separator: ",")
}

extension String {
  /// Replaces every occurrence of `old`; the standard library has no such method.
  func replacing(_ old: Character, with new: String) -> String {
    reduce(into: "") { $0 += $1 == old ? new : String($1) }
  }
}
