import CSQLite
import VaultBytes

// For millions of rows: SQLite passes arguments to a custom function in place, without the checks, locks and calls that each column
// of a statement costs.

/// The columns of a scan's current row, until the visit returns; or of a statement, until its next step.
struct VisitedRow {
  fileprivate let values: UnsafeMutablePointer<OpaquePointer?>

  /// - Parameter statement: must not return another row to another thread meanwhile (SQLite, `sqlite3_column_value`).
  init(_ statement: Statement, columns: Int, in values: UnsafeMutablePointer<OpaquePointer?>) {
    self.values = values
    for column in 0..<columns { values[column] = statement.value(Int32(column)) }
  }

  fileprivate init(values: UnsafeMutablePointer<OpaquePointer?>) { self.values = values }

  func isNull(_ column: Int) -> Bool { sqlite3_value_type(values[column]) == SQLITE_NULL }
  func int(_ column: Int) -> Int64 { sqlite3_value_int64(values[column]) }

  /// Lends a text as it is stored; nil if there is none.
  @inline(__always)
  func withText<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
    guard let start = sqlite3_value_text(values[column]) else { return body(nil) }
    return body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(values[column]))))
  }

  /// Lends a blob in place.
  @inline(__always)
  func withBlob<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let start = sqlite3_value_blob(values[column])
    return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(values[column]))))
  }

  /// Appends the first columns in the hashed form of the audit log (``CanonicalRow``).
  ///
  /// - Returns: false if a column is neither NULL, nor text, nor integer.
  func appendForm(columns: Int, to buffer: inout ByteBuffer) -> Bool {
    for column in 0..<columns {
      let value = values[column]
      switch sqlite3_value_type(value) {
      case SQLITE_NULL: buffer.append(0)
      case SQLITE_TEXT:
        let start = sqlite3_value_text(value)
        buffer.append(text: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value))))
      case SQLITE_INTEGER: buffer.append(number: sqlite3_value_int64(value))
      default: return false
      }
    }
    return true
  }
}

/// Visits each row of a scan until it stops.
class RowVisitor {
  /// - Returns: false to stop.
  func visit(_ row: VisitedRow) -> Bool { false }
}

extension Database {
  /// Shows the rows of the audit log to a visitor, in order.
  ///
  /// - Parameters:
  ///   - columns: the columns that the visitor sees, separated by commas.
  ///   - part: the row after which to begin, the last row, and further conditions; nil for all rows.
  func visit(
    _ columns: StaticString, in part: (after: Int64, upTo: Int64, condition: StaticString)? = nil, by visitor: RowVisitor
  ) throws(DatabaseError) {
    // SQLite releases it, even if it refuses. SQL in a hostile schema may not call it.
    let code = sqlite3_create_function_v2(
      handle, "vault_visit", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, Unmanaged.passRetained(visitor).toOpaque(),
      { context, _, values in
        guard let values, let visitor = sqlite3_user_data(context) else { return }
        let goesOn = Unmanaged<RowVisitor>.fromOpaque(visitor)._withUnsafeGuaranteedRef { $0.visit(VisitedRow(values: values)) }
        sqlite3_result_int(context, goesOn ? 0 : 1)
      }, nil, nil,
      { visitor in if let visitor { Unmanaged<RowVisitor>.fromOpaque(visitor).release() } })
    guard code == SQLITE_OK else { throw failure(code) }
    // The visitor is released again.
    defer { sqlite3_create_function_v2(handle, "vault_visit", -1, SQLITE_UTF8, nil, nil, nil, nil, nil) }
    try readThrough()
    // Consists of fixed pieces. The first row that it would return is the one at which the visitor stops. SQLite may evaluate terms
    // joined by AND in any order, but not those within CASE.
    let visit = "vault_visit(\(columns))"
    let bounds = "sequence > ?1 AND sequence <= ?2"
    let wanted = part.map { "\(bounds) AND CASE WHEN \(bounds) AND (\($0.condition)) THEN \(visit) ELSE 0 END" } ?? visit
    let sql = "SELECT 1 FROM audit_event WHERE \(wanted) ORDER BY sequence LIMIT 1"
    let statement = try prepare(sql).begin()
    if let part { try statement.bind(part.after).bind(part.upTo) }
    defer { statement.begin() }
    _ = try statement.step()
  }
}
