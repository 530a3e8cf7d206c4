import CSQLite
import VaultBytes

// Only this file and RowVisitor.swift call SQLite. They turn pointers into values and status codes into errors; nothing unsafe
// leaves them.

/// A connection to a database file. Not for use by two threads at once; its owner ensures that.
public final class Database {
  let handle: OpaquePointer
  /// By the address of their SQL in the program.
  private var statements: [UnsafePointer<UInt8>: Statement] = [:]
  private var madeStatements: [String: Statement] = [:]

  public enum Access: Sendable { case readOnly, readWrite }

  /// - Parameter access: `readWrite` creates a missing file; the caller's umask decides its mode.
  public init(path: String, access: Access) throws(DatabaseError) {
    var handle: OpaquePointer?
    let flags = access == .readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nil)
    guard code == SQLITE_OK, let handle else {
      let error = DatabaseError(code: handle.map(sqlite3_extended_errcode) ?? code, path: path)
      sqlite3_close_v2(handle)
      throw error
    }
    self.handle = handle
    self.path = path
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, 5_000)
    // Limits text and blobs from a hostile file to the size that the vault's own rows can have.
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 16 << 20)
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, access == .readOnly ? 0 : 1)
    distrust()
  }

  /// Runs nothing that is stored in the file, whoever put it there: no trigger, no view, no function except harmless ones (SQLite,
  /// "Defense Against The Dark Arts"). The schema's own triggers keep other programs from mistakes; the vault needs none.
  private func distrust() {
    var found: Int32 = 0
    vault_sqlite_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &found)
    vault_sqlite_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &found)
    vault_sqlite_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &found)
  }

  /// Opens an in-memory database for reading (SQLite, "Deserialize a database").
  init(image: [UInt8], path: String) throws(DatabaseError) {
    var handle: OpaquePointer?
    let code = sqlite3_open_v2(":memory:", &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK, let handle, let copy = sqlite3_malloc64(UInt64(max(image.count, 1))) else {
      sqlite3_close_v2(handle)
      throw DatabaseError(code: code == SQLITE_OK ? SQLITE_NOMEM : code, path: path)
    }
    image.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(copy), byteCount: $0.count) }
    self.handle = handle
    self.path = path
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 16 << 20)
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0)
    // SQLite frees the copy, even if it refuses.
    let loaded = sqlite3_deserialize(
      handle, "main", copy.assumingMemoryBound(to: UInt8.self), Int64(image.count), Int64(image.count),
      UInt32(SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY))
    guard loaded == SQLITE_OK else { throw failure(loaded) }
    distrust()
  }

  /// An empty database, to use SQLite's own functions on texts of up to 256 MiB.
  package init() throws(DatabaseError) {
    var handle: OpaquePointer?
    let code = sqlite3_open_v2(":memory:", &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK, let handle else {
      sqlite3_close_v2(handle)
      throw DatabaseError(code: code, path: ":memory:")
    }
    self.handle = handle
    path = ":memory:"
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 256 << 20)
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0)
  }

  public let path: String

  deinit {
    statements.removeAll()
    madeStatements.removeAll()
    sqlite3_close_v2(handle)
  }

  /// Runs statements without parameters or results.
  public func execute(_ sql: String) throws(DatabaseError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code) }
  }

  /// A statement, prepared once per connection.
  public func statement(_ sql: StaticString) throws(DatabaseError) -> Statement {
    if let known = statements[sql.utf8Start] { return known }
    let statement = try prepare(sql.description)
    statements[sql.utf8Start] = statement
    return statement
  }

  /// The same for SQL that is made of parts once.
  package func statement(cached sql: String) throws(DatabaseError) -> Statement {
    if let known = madeStatements[sql] { return known }
    let statement = try prepare(sql)
    madeStatements[sql] = statement
    return statement
  }

  /// A statement for a single use.
  public func prepare(_ sql: String) throws(DatabaseError) -> Statement {
    var prepared: OpaquePointer?
    let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard code == SQLITE_OK, let prepared else {
      // Every statement is the vault's own, so the schema must be wrong: a view in place of a table, or a missing column.
      if code == SQLITE_ERROR { throw .foreignSchema(path: path, what: String(cString: sqlite3_errmsg(handle))) }
      throw failure(code)
    }
    return Statement(handle: prepared, database: self)
  }

  func failure(_ code: Int32) -> DatabaseError {
    let extended = sqlite3_extended_errcode(handle)
    return DatabaseError(code: extended == SQLITE_OK ? code : extended, path: path)
  }

  /// The number of rows that the last statement changed.
  public var changes: Int { Int(sqlite3_changes(handle)) }
  public var lastInsertRow: Int64 { sqlite3_last_insert_rowid(handle) }

  /// Call before a full scan: pages are then copied one by one rather than mapped. A page that is needed once costs more to map
  /// than to copy, and truncating the file meanwhile then causes an error rather than a crash.
  package func readThrough() throws(DatabaseError) { try execute("PRAGMA mmap_size = 0") }

  /// Runs `body` in a transaction that holds the write lock from its start; commits when it returns, rolls back when it throws.
  public func transaction<Result>(_ body: () throws -> Result) throws -> Result {
    try statement("BEGIN IMMEDIATE").run()
    do {
      let result = try body()
      try statement("COMMIT").run()
      return result
    } catch {
      // Some errors have already rolled back; then there is nothing to do.
      if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
      throw error
    }
  }

  /// From now on, only rows may be changed through this connection: no tables, no other files, no settings (SQLite, "Defense
  /// Against The Dark Arts").
  public func restrict() {
    var enabled: Int32 = 0
    vault_sqlite_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, &enabled)
    vault_sqlite_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &enabled)
    vault_sqlite_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, &enabled)
    sqlite3_set_authorizer(
      handle,
      { _, action, _, _, _, _ in
        switch action {
        case SQLITE_ATTACH, SQLITE_DETACH, SQLITE_ALTER_TABLE, SQLITE_CREATE_TABLE, SQLITE_CREATE_TRIGGER, SQLITE_CREATE_VIEW,
          SQLITE_CREATE_INDEX, SQLITE_DROP_TABLE, SQLITE_DROP_TRIGGER, SQLITE_DROP_VIEW, SQLITE_DROP_INDEX, SQLITE_CREATE_VTABLE,
          SQLITE_DROP_VTABLE:
          SQLITE_DENY
        default: SQLITE_OK
        }
      }, nil)
  }

  /// The number that grows with each change of the schema by any program.
  public func schemaVersion() throws -> Int64 { try statement("PRAGMA schema_version").begin().first { $0.int(0) } ?? 0 }

  /// Copies the WAL into the file, as far as no reader needs it, and restarts it if possible.
  public func checkpoint() throws(DatabaseError) {
    let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
    guard code == SQLITE_OK || code == SQLITE_BUSY else { throw failure(code) }
  }
}

/// A prepared statement. Reset before each use, finalized with its last reference.
public final class Statement {
  private let handle: OpaquePointer
  /// Unowned rather than weak: a statement must not outlive the owner of its connection.
  private unowned let database: Database
  private var next: Int32 = 1

  fileprivate init(handle: OpaquePointer, database: Database) {
    self.handle = handle
    self.database = database
  }

  deinit { sqlite3_finalize(handle) }

  private func check(_ code: Int32) throws(DatabaseError) {
    guard code == SQLITE_OK else { throw database.failure(code) }
  }

  // MARK: values in

  /// Starts a use and clears the bound values.
  @discardableResult
  public func begin() -> Statement {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
    next = 1
    return self
  }

  @discardableResult
  public func bind(_ value: Int64?) throws(DatabaseError) -> Statement {
    try check(value.map { sqlite3_bind_int64(handle, next, $0) } ?? sqlite3_bind_null(handle, next))
    next += 1
    return self
  }

  @discardableResult
  public func bind(_ value: String?) throws(DatabaseError) -> Statement {
    guard var value else { return try bind(nil as Int64?) }
    let code = value.withUTF8 { bytes in
      sqlite3_bind_text64(
        handle, next, UnsafeRawPointer(bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!).assumingMemoryBound(to: CChar.self),
        UInt64(bytes.count), transient, UInt8(SQLITE_UTF8))
    }
    try check(code)
    next += 1
    return self
  }

  @discardableResult
  public func bind(_ value: [UInt8]?) throws(DatabaseError) -> Statement {
    guard let value else { return try bind(nil as Int64?) }
    let code =
      value.isEmpty
      ? sqlite3_bind_zeroblob(handle, next, 0) : sqlite3_bind_blob64(handle, next, value, UInt64(value.count), transient)
    try check(code)
    next += 1
    return self
  }

  /// Binds the bytes of a text, which SQLite copies.
  @discardableResult
  package func bind(text bytes: UnsafeRawBufferPointer) throws(DatabaseError) -> Statement {
    let start = (bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!).assumingMemoryBound(to: CChar.self)
    try check(sqlite3_bind_text64(handle, next, start, UInt64(bytes.count), transient, UInt8(SQLITE_UTF8)))
    next += 1
    return self
  }

  // MARK: rows out

  /// Steps to the next row; false after the last one.
  public func step() throws(DatabaseError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE:
      sqlite3_reset(handle)
      return false
    case let code:
      let error = database.failure(code)
      sqlite3_reset(handle)
      throw error
    }
  }

  /// Runs to the end, for a statement whose rows are not needed.
  public func run() throws(DatabaseError) {
    while try step() {}
  }

  /// Runs a statement that writes one row.
  ///
  /// - Throws: `DatabaseError.notWritten` if it wrote none: a conflict, or a table that swallows rows, is a failure.
  public func runOnce() throws(DatabaseError) {
    try run()
    guard database.changes == 1 else { throw .notWritten(path: database.path) }
  }

  /// All rows, converted by `read`.
  public func rows<Row>(_ read: (Statement) throws -> Row) throws -> [Row] {
    defer { sqlite3_reset(handle) }
    var rows: [Row] = []
    while try step() { rows.append(try read(self)) }
    return rows
  }

  /// The first row, if there is one.
  public func first<Row>(_ read: (Statement) throws -> Row) throws -> Row? {
    defer { sqlite3_reset(handle) }
    return try step() ? try read(self) : nil
  }

  /// A column of the current row. It is used before the next step, on this thread (SQLite, `sqlite3_column_value`).
  func value(_ column: Int32) -> OpaquePointer? { sqlite3_column_value(handle, column) }

  /// The type of a value, as it is stored.
  public enum ValueType { case null, integer, text, other }

  public func type(_ column: Int32) -> ValueType {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_NULL: .null
    case SQLITE_INTEGER: .integer
    case SQLITE_TEXT: .text
    default: .other
    }
  }

  public func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
  public func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
  public func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }

  public func text(_ column: Int32) -> String {
    guard let start = sqlite3_column_text(handle, column) else { return "" }
    return String(decoding: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))), as: UTF8.self)
  }

  /// Appends a text as it is stored, without making a `String`: a report of 10,000 rows has 60,000 of them.
  public func append(_ column: Int32, to bytes: inout [UInt8]) {
    guard let start = sqlite3_column_text(handle, column) else { return }
    bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
  }

  /// Lends a text as it is stored until `body` returns; nil if there is none.
  public func withBytes(_ column: Int32, _ body: (UnsafeRawBufferPointer?) -> Void) {
    guard let start = sqlite3_column_text(handle, column) else { return body(nil) }
    body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
  }

  /// Lends a blob in place until the next step.
  public func withBlob<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let start = sqlite3_column_blob(handle, column)
    return try body(
      UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, column))))
  }

  public func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

  public func blob(_ column: Int32) -> [UInt8] {
    guard let start = sqlite3_column_blob(handle, column) else { return [] }
    return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
  }

  /// SQLite copies bound values before the call returns.
  private var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}
