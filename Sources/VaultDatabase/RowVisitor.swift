import CSQLite

// Rows by the million. What SQLite hands to a function of its caller's it hands over where it lies, without the checks, locks and returns
// that every column of a statement costs.

/// The columns of the row that a scan is at, until the visit returns.
struct VisitedRow {
  fileprivate let values: UnsafeMutablePointer<OpaquePointer?>

  func isNull(_ column: Int) -> Bool { sqlite3_value_type(values[column]) == SQLITE_NULL }
  func int(_ column: Int) -> Int64 { sqlite3_value_int64(values[column]) }

  /// Lends a blob where it lies.
  @inline(__always)
  func withBlob<Result>(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let start = sqlite3_value_blob(values[column])
    return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(values[column]))))
  }

  /// Adds the first columns in the form that the audit log's hashes are made of (``AuditForm``).
  ///
  /// - Returns: false where a column is neither NULL, nor a text, nor an integer.
  func appendForm(columns: Int, to buffer: inout FormBuffer) -> Bool {
    for column in 0..<columns {
      let value = values[column]
      switch sqlite3_value_type(value) {
      case SQLITE_NULL: buffer.append(byte: 0)
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
  /// Shows rows to a visitor, one after the other.
  ///
  /// - Parameters:
  ///   - columns: what the visitor sees of each, with commas between.
  ///   - source: the table, and the column of its order.
  func visit(_ columns: StaticString, of source: (table: StaticString, order: StaticString), by visitor: RowVisitor)
    throws(DatabaseError)
  {
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
    // Put together of fixed pieces. The first row that it would return is the one at which the visitor stops.
    let sql = "SELECT 1 FROM \(source.table) WHERE vault_visit(\(columns)) ORDER BY \(source.order) LIMIT 1"
    _ = try prepare(sql).begin().step()
  }
}
