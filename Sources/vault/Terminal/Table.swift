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

/// Rows for a user: aligned columns on a terminal, tab-separated plain text in a pipe.
struct Table {
  private let titles: [String]
  private var rows: [[String]] = []
  private var widths: [Int]
  private var isBegun = false

  init(_ titles: [String]) {
    self.titles = titles
    widths = titles.map(\.count)
  }

  /// Whether no row was ever added.
  private(set) var isEmpty = true

  /// - Parameter cells: one per title; shown escaped.
  mutating func add(_ cells: [String]) {
    rows.append(cells)
    isEmpty = false
  }

  /// Writes the rows and drops them; a second call writes the rows added since, under the same titles.
  mutating func write(to output: inout Output) {
    defer {
      rows.removeAll()
      isBegun = true
    }
    guard Terminal.outputIsTerminal else {
      for row in rows { output.line(row.map(safeText).joined(separator: "\t")) }
      return
    }
    let shown = rows.map { $0.map(safeText) }
    for row in shown { for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) } }
    if !isBegun {
      let colour = Terminal.hasColour
      output.line((colour ? "\u{1B}[1m" : "") + Self.aligned(titles, widths) + (colour ? "\u{1B}[0m" : ""))
    }
    for row in shown { output.line(Self.aligned(row, widths)) }
  }

  private static func aligned(_ cells: [String], _ widths: [Int]) -> String {
    var line = ""
    for (column, cell) in cells.enumerated() {
      line += cell
      if column < cells.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
    }
    return line
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
