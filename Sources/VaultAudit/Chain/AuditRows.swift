import VaultDatabase
import VaultModel

/// The audit table: its columns in one order, for writing and reading.
public enum AuditRows {
  public static let columns: StaticString = """
    sequence, id, time, action, outcome, cause, profile, role_arn, role_session_name, source_identity, source_access_key_id, access_key_id, \
    issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, intent_id, user, uid, pid, program, \
    executable, directory, parent, host, subject, subject_version, hash, previous_hash, mac
    """

  /// Adds a row. Only the store calls this.
  ///
  /// - Parameters:
  ///   - mac: nil if the key for it is not available; ``AuditTail`` sets it later.
  ///   - isPending: the row is indexed later, with others (``index(through:in:)``).
  public static func insert(
    _ record: AuditRecord, after previous: [UInt8], mac: [UInt8]?, isPending: Bool = false, into database: Database
  ) throws {
    let statement = try database.statement(
      """
      INSERT INTO audit_event (sequence, id, time, action, outcome, cause, profile, role_arn, role_session_name, source_identity, \
      source_access_key_id, access_key_id, issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, \
      intent_id, user, uid, pid, program, executable, directory, parent, host, subject, subject_version, hash, previous_hash, mac, pending) \
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """)
    statement.begin()
    for value in values(record) {
      switch value {
      case .none: try statement.bind(nil as Int64?)
      case .text(let text): try statement.bind(text)
      case .number(let number): try statement.bind(number)
      }
    }
    try statement.bind(record.hash).bind(previous).bind(mac).bind(isPending ? 1 : nil).runOnce()
  }

  /// The number of rows indexed at a time. A reader scans up to this many one by one. With more, the delivery that triggers the
  /// indexing would be slower; with fewer, each delivery would cost more.
  public static let indexBatch: Int64 = 64

  /// Indexes the newest rows. Call within the transaction that adds a row.
  public static func index(through sequence: Int64, in database: Database) throws {
    try database.statement("UPDATE audit_event SET pending = NULL WHERE sequence > ? AND sequence <= ? AND pending IS NOT NULL")
      .begin().bind(sequence - indexBatch).bind(sequence).run()
  }

  /// The hashed values of a row, in the order of ``columns``.
  static func values(_ record: AuditRecord) -> [AuditValue] {
    let event = record.event
    let who = event.requester
    return [
      .number(record.sequence), .text(record.id), .number(record.time.milliseconds), .text(event.action.rawValue),
      .text(event.outcome.rawValue), .text(event.trigger.rawValue), AuditValue(event.profile), AuditValue(event.roleARN),
      AuditValue(event.roleSessionName), AuditValue(event.sourceIdentity), AuditValue(event.sourceAccessKeyId),
      AuditValue(event.accessKeyId), AuditValue(event.issuedAt?.milliseconds), AuditValue(event.expiresAt?.milliseconds),
      AuditValue(event.durationSeconds.map { Int64($0) }), .number(event.mfa ? 1 : 0), AuditValue(event.requestId),
      AuditValue(event.endpoint), AuditValue(event.reason), AuditValue(event.error), AuditValue(event.detail),
      AuditValue(event.sessionId), AuditValue(event.intentId), .text(who.user), .number(Int64(who.uid)), .number(Int64(who.pid)),
      .text(who.program), .text(who.executable), .text(who.directory), .text(who.parent), .text(who.host),
      AuditValue(record.subject), AuditValue(record.subjectVersion),
    ]
  }

  /// Reads the columns of ``columns``.
  ///
  /// - Throws: `DatabaseError.badRow` for a value that no version of the vault writes.
  public static func read(_ row: Statement) throws -> AuditRecord {
    guard let action = AuditAction(rawValue: row.text(3)), let outcome = AuditOutcome(rawValue: row.text(4)),
      let trigger = AuditTrigger(rawValue: row.text(5)), let uid = UInt32(exactly: row.int(24)),
      let pid = Int32(exactly: row.int(25))
    else { throw DatabaseError.badRow(table: "audit_event", what: "sequence \(row.int(0))") }
    let requester = Requester(
      user: row.text(23), uid: uid, pid: pid, program: row.text(26), executable: row.text(27), directory: row.text(28),
      parent: row.text(29),
      host: row.text(30))
    var event = AuditEvent(action: action, outcome: outcome, trigger: trigger, profile: row.optionalText(6), requester: requester)
    event.roleARN = row.optionalText(7)
    event.roleSessionName = row.optionalText(8)
    event.sourceIdentity = row.optionalText(9)
    event.sourceAccessKeyId = row.optionalText(10)
    event.accessKeyId = row.optionalText(11)
    event.issuedAt = row.optionalInt(12).map { Timestamp(stored: $0) }
    event.expiresAt = row.optionalInt(13).map { Timestamp(stored: $0) }
    event.durationSeconds = row.optionalInt(14).map { Int(truncatingIfNeeded: $0) }
    event.mfa = row.int(15) != 0
    event.requestId = row.optionalText(16)
    event.endpoint = row.optionalText(17)
    event.reason = row.optionalText(18)
    event.error = row.optionalText(19)
    event.detail = row.optionalText(20)
    event.sessionId = row.optionalText(21)
    event.intentId = row.optionalText(22)
    return AuditRecord(
      id: row.text(1), sequence: row.int(0), time: Timestamp(stored: row.int(2)), event: event,
      subject: row.optionalText(31),
      subjectVersion: row.optionalInt(32), hash: row.blob(33))
  }

  /// The previous row's hash, from a row read by ``read(_:)``.
  public static func previousHash(_ row: Statement) -> [UInt8] { row.blob(34) }

  /// The MAC that binds the row to the ratchet; nil if it has none yet.
  public static func mac(_ row: Statement) -> [UInt8]? { row.isNull(35) ? nil : row.blob(35) }
}
