import CSQLite
import VaultBytes

// Rows by the million. What SQLite hands to a function of its caller's it hands over where it lies, without the checks, locks and returns
// that every column of a statement costs.

/// The columns of the row that a scan is at, until the visit returns; or a statement, until its next step.
struct VisitedRow {
  fileprivate let values: UnsafeMutablePointer<OpaquePointer?>

  /// - Parameter statement: gives no other row meanwhile to another thread (SQLite, `sqlite3_column_value`).
  init(_ statement: Statement, columns: Int, in values: UnsafeMutablePointer<OpaquePointer?>) {
    self.values = values
    for column in 0..<columns { values[column] = statement.value(Int32(column)) }
  }

  fileprivate init(values: UnsafeMutablePointer<OpaquePointer?>) { self.values = values }

  func isNull(_ column: Int) -> Bool { sqlite3_value_type(values[column]) == SQLITE_NULL }
  func int(_ column: Int) -> Int64 { sqlite3_value_int64(values[column]) }

  /// Lends a text as it is stored; nil where there is none.
  @inline(__always)
  func withText<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
    guard let start = sqlite3_value_text(values[column]) else { return body(nil) }
    return body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(values[column]))))
  }

  /// Lends a blob where it lies.
  @inline(__always)
  func withBlob<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let start = sqlite3_value_blob(values[column])
    return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(values[column]))))
  }

  /// Adds the first columns in the form that the audit log's hashes are made of (``CanonicalRow``).
  ///
  /// - Returns: false where a column is neither NULL, nor a text, nor an integer.
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

/// Looks at each row of a scan, for as long as it wants to.
class RowVisitor {
  /// - Returns: false where it has seen enough.
  func visit(_ row: VisitedRow) -> Bool { false }
}

extension Database {
  /// Shows the rows of the audit log to a visitor, one after the other, in their order.
  ///
  /// - Parameters:
  ///   - columns: what the visitor sees of each, with commas between.
  ///   - part: after which row they begin and with which they end, and what else they must be; nil for every row there is.
  func visit(
    _ columns: StaticString, in part: (after: Int64, upTo: Int64, condition: StaticString)? = nil, by visitor: RowVisitor
  ) throws(DatabaseError) {
    // Released by SQLite, also where it refuses. What a hostile schema says may not call it.
    let code = sqlite3_create_function_v2(
      handle, "vault_visit", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, Unmanaged.passRetained(visitor).toOpaque(),
      { context, _, values in
        guard let values, let visitor = sqlite3_user_data(context) else { return }
        let goesOn = Unmanaged<RowVisitor>.fromOpaque(visitor)._withUnsafeGuaranteedRef { $0.visit(VisitedRow(values: values)) }
        sqlite3_result_int(context, goesOn ? 0 : 1)
      }, nil, nil,
      { visitor in if let visitor { Unmanaged<RowVisitor>.fromOpaque(visitor).release() } })
    guard code == SQLITE_OK else { throw failure(code) }
    // The visitor is let go again.
    defer { sqlite3_create_function_v2(handle, "vault_visit", -1, SQLITE_UTF8, nil, nil, nil, nil, nil) }
    try readThrough()
    // Put together of fixed pieces. The first row that it would return is the one at which the visitor stops. In which order SQLite looks
    // at what is joined by AND is its own affair; within CASE it is not.
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
