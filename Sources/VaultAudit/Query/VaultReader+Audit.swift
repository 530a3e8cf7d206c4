import VaultDatabase
import VaultModel

extension VaultReader {
  /// Reads an archived part of an audit log.
  ///
  /// - Parameter digest: the file's expected digest (BLAKE2b-256); nil to accept any.
  /// - Throws: `DatabaseError`, and `AuditArchive.Damage` if the file is not an archive.
  public convenience init(archive path: String, digest: [UInt8]? = nil) throws {
    let database = try AuditArchive.open(path, digest: digest)
    try Schema.requireKnown(database)
    guard try Schema.currentVersion(database) >= AuditArchive.firstSchema else { throw AuditArchive.Damage(path: path) }
    try self.init(over: database, isArchive: true)
  }

  /// The columns of a row for a SELECT.
  var auditColumns: String { AuditTable.current.selection(at: schema) }

  /// The rows that match a filter, oldest first unless it says otherwise. An intent is left out once its outcome is known.
  public func auditRecords(_ filter: AuditFilter) throws -> [AuditRecord] {
    guard let database else { return [] }
    let query = AuditQuery(filter, defers: defersIndexes, schema: schema)
    let statement = try database.prepare(query.select(auditColumns)).begin()
    for value in query.values { try value.bind(to: statement) }
    let records = try statement.rows(AuditRows.read)
    return query.isNewestFirst == filter.reverse ? records : records.reversed()
  }

  /// The rows of runs of `exec --automation` that match a filter, run by run, and then those of agents outside of one, one at a time.
  public func forEachAutomationLine(_ filter: AuditFilter, _ body: (AuditRowView) throws -> Void) throws {
    guard let database, AuditTable.name("run", at: schema) == "run" else { return }
    let query = AuditQuery(filter, defers: defersIndexes, schema: schema)
    for (bound, order) in [("run IS NOT NULL", "run"), ("automation IS NOT NULL AND run IS NULL", "automation")] {
      let statement = try database.prepare(query.select(auditColumns, bound: bound, order: " ORDER BY \(order), sequence"))
        .begin()
      for value in query.values { try value.bind(to: statement) }
      let row = StoredRow(statement)
      while try statement.step() { try body(row) }
    }
  }

  /// How often a session was delivered; nil if there is no such session.
  public func deliveries(ofSession id: String) throws -> Int64? {
    try database?.statement("SELECT deliveries FROM session WHERE id = ?").begin().bind(id).first { $0.int(0) }
  }

  /// The requests of users and their programs among the newest rows: each profile that was handed out, and when.
  ///
  /// - Parameter count: how many rows are looked at, whatever the length of the log.
  public func forEachRequest(amongLast count: Int64, _ body: (_ profile: String, _ time: Timestamp) throws -> Void) throws {
    guard let database else { return }
    let statement = try database.prepare(
      """
      SELECT profile, time FROM audit_event WHERE sequence > (SELECT max(sequence) FROM audit_event) - ? AND action = 'Deliver' \
      AND outcome = 'success' AND profile IS NOT NULL AND +\(AuditTable.name("trigger", at: schema)) IN ('exec', 'env', 'server', 'console')
      """
    ).begin().bind(count)
    while try statement.step() { try body(statement.text(0), Timestamp(milliseconds: statement.int(1))) }
  }

  /// The key that signs checkpoints; nil if there is none yet.
  public func auditPublicKey() throws -> [UInt8]? { try database.flatMap { try AuditKeyRows.publicKey(in: $0) } }

  /// The signed checkpoints in the database, oldest first.
  public func auditCheckpoints() throws -> [AuditCheckpoint] { try database.map { try AuditKeyRows.checkpoints(in: $0) } ?? [] }

  /// Archived rows, oldest first.
  public func auditSegments() throws -> [AuditKeyRows.Segment] {
    guard let database else { return [] }
    return try AuditKeyRows.segments(in: database)
  }

  /// The first row in the table; 0 if it is empty.
  public func firstSequence() throws -> Int64 {
    try database?.prepare("SELECT coalesce(min(sequence), 0) FROM audit_event").begin().first { $0.int(0) } ?? 0
  }

  /// The key with which the newest checkpoint in the file claims to be signed; nil if there is none.
  public func auditSigner() throws -> [UInt8]? { try database.flatMap { try AuditKeyRows.newestSigner(in: $0) } }

  public func lastSequence() throws -> Int64 {
    try database?.prepare("SELECT coalesce(max(sequence), 0) FROM audit_event").begin().first { $0.int(0) } ?? 0
  }
}
