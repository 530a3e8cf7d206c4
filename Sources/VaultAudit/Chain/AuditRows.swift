import VaultDatabase
import VaultModel

/// The audit table of an up-to-date database, for writing and reading.
public enum AuditRows {
  /// The columns for a SELECT, for ``read(_:)``.
  public static let columns = AuditTable.current.selection()

  private static let insertion = """
    INSERT INTO audit_event (\(columns), pending) VALUES (\(String(repeating: "?, ", count: AuditField.allCases.count))?)
    """

  /// Adds a row. Only the store calls this.
  ///
  /// - Parameters:
  ///   - mac: nil if the key for it is not available; the store adds it after an unlock.
  ///   - isPending: the row is indexed later, with others (``index(through:in:)``).
  public static func insert(
    _ record: AuditRecord, after previous: [UInt8], mac: [UInt8]?, isPending: Bool = false, into database: Database
  ) throws {
    let statement = try database.statement(cached: insertion).begin()
    try statement.bind(record.hash).bind(previous).bind(mac).bind(Int64(AuditTable.current.version))
    for field in AuditField.hashed {
      switch record[field] {
      case .none: try statement.bind(nil as Int64?)
      case .text(let text): try statement.bind(text)
      case .number(let number): try statement.bind(number)
      }
    }
    try statement.bind(isPending ? 1 : nil).runOnce()
  }

  /// The number of rows indexed at a time. A reader scans up to this many one by one. With more, the delivery that triggers the
  /// indexing would be slower; with fewer, each delivery would cost more.
  public static let indexBatch: Int64 = 64

  /// Indexes the newest rows. Call within the transaction that adds a row.
  public static func index(through sequence: Int64, in database: Database) throws {
    try database.statement("UPDATE audit_event SET pending = NULL WHERE sequence > ? AND sequence <= ? AND pending IS NOT NULL")
      .begin().bind(sequence - indexBatch).bind(sequence).run()
  }

  /// Copies a row as it is, with the version of its form.
  static func copy(_ row: Statement, into database: Database) throws {
    let statement = try database.statement(cached: insertion).begin()
    for column in 0..<Int32(AuditField.allCases.count) {
      switch row.type(column) {
      case .null: try statement.bind(nil as Int64?)
      case .integer: try statement.bind(row.int(column))
      case .text: try statement.bind(row.text(column))
      case .other: try statement.bind(row.blob(column))
      }
    }
    try statement.bind(nil as Int64?).runOnce()
  }

  /// - Throws: `DatabaseError.badRow` for a value that no version of the vault writes.
  public static func read(_ row: Statement) throws -> AuditRecord {
    guard let record = AuditRecord(StoredRow(row)) else {
      throw DatabaseError.badRow(table: "audit_event", what: "sequence \(row.int(AuditField.sequence.rawValue))")
    }
    return record
  }

  /// The previous row's hash, from a row read by ``read(_:)``.
  public static func previousHash(_ row: Statement) -> [UInt8] { row.blob(AuditField.previousHash.rawValue) }

  /// The MAC that binds the row to the ratchet; nil if it has none yet.
  public static func mac(_ row: Statement) -> [UInt8]? {
    row.isNull(AuditField.mac.rawValue) ? nil : row.blob(AuditField.mac.rawValue)
  }

  /// Whether the row's hash is that of its values, after the previous hash that it states.
  public static func hasTrueHash(_ row: Statement) -> Bool {
    var form = CanonicalRow()
    return row.withBlob(AuditField.previousHash.rawValue) { form.put(row, after: $0) }
      && form.hash() == row.blob(AuditField.hash.rawValue)
  }
}
