import VaultDatabase
import VaultModel

/// A delivery of keys that AWS may still accept.
public struct LiveDelivery: Sendable {
  /// Nil for keys that have no session: long-term ones.
  public let session: SessionRecord?
  /// The newest row of this kind.
  public let row: AuditRecord

  public init(session: SessionRecord?, row: AuditRecord) {
    self.session = session
    self.row = row
  }
}

extension VaultReader {
  /// The longest life of a session in seconds: that of a long-term key's (STS, `GetSessionToken`).
  private static let longest: Int64 = 129_600
  /// How many of the newest rows are looked at for keys without a session.
  private static let newest: Int64 = 10_000

  /// The sessions that AWS still accepts, whether or not the vault has ended them: replaced, forgotten and revoked ones too.
  public func unexpiredSessions(at now: Timestamp) throws -> [SessionRecord] {
    guard let database else { return [] }
    // A database from before there were scopes has no column for them.
    let scope = schema < 10 ? "NULL" : "s.scope"
    // By the index of each profile's sessions: only those of the last days are read.
    return try database.prepare(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at, p.name, \(scope) \
      FROM profile p CROSS JOIN session s ON s.profile_id = p.id WHERE s.issued_at > ? AND s.expires_at > ? ORDER BY s.issued_at
      """
    ).begin().bind(now.adding(seconds: -Self.longest).milliseconds).bind(now.milliseconds).rows {
      var session = try SessionRows.read($0, from: 0, profile: $0.text(15))
      session.scope = $0.optionalText(16)
      return session
    }
  }

  /// For each program that was given a session, the newest row that says so. A program that asks for somebody else, as
  /// `vault credentials` does for an SDK, is told apart by the processes above it.
  public func deliveries(of session: SessionRecord) throws -> [LiveDelivery] {
    guard let database else { return [] }
    let trigger = AuditTable.name("trigger", at: schema)
    let above = schema >= Schema.ancestors ? "coalesce(parents, pid)" : "pid"
    let wanted = "session_id = ?1 AND action = 'Deliver' AND outcome = 'success'"
    let parts = defersIndexes ? ["\(wanted) AND pending IS NULL", "\(wanted) AND \(AuditQuery.isPending)"] : [wanted]
    var newest: [Int64: AuditRecord] = [:]
    for part in parts {
      // With max(), SQLite takes the other columns from the row that has it (SELECT, "Bare columns in an aggregate query").
      let statement = try database.prepare(
        """
        SELECT \(auditColumns), max(sequence) FROM audit_event WHERE \(part) \
        GROUP BY \(trigger), CASE WHEN \(trigger) IN ('credentials', 'env') THEN \(above) ELSE pid END
        """
      ).begin().bind(session.id)
      for row in try statement.rows(AuditRows.read) { newest[row.sequence] = row }
    }
    return newest.values.sorted { $0.sequence < $1.sequence }.map { LiveDelivery(session: session, row: $0) }
  }

  /// The deliveries of long-term keys among the newest rows.
  public func keyDeliveries() throws -> [LiveDelivery] {
    guard let database else { return [] }
    let statement = try database.prepare(
      """
      SELECT \(auditColumns) FROM audit_event WHERE sequence > (SELECT max(sequence) FROM audit_event) - ? AND action = 'Deliver' \
      AND outcome = 'success' AND session_id IS NULL AND access_key_id IS NOT NULL ORDER BY sequence
      """
    ).begin().bind(Self.newest)
    return try statement.rows(AuditRows.read).map { LiveDelivery(session: nil, row: $0) }
  }

  /// When a process was first given a session.
  ///
  /// - Parameter start: when it started: an earlier one may have had its number.
  public func firstDelivery(of session: SessionRecord, to pid: Int32, since start: Timestamp) throws -> Timestamp? {
    guard let database else { return nil }
    let wanted = "SELECT time FROM audit_event WHERE session_id = ?1 AND pid = ?2 AND time >= ?3 AND action = 'Deliver'"
    let parts = defersIndexes ? ["\(wanted) AND pending IS NULL", "\(wanted) AND \(AuditQuery.isPending)"] : [wanted]
    let times = "SELECT min(time) FROM (" + parts.joined(separator: " UNION ALL ") + ")"
    return try database.prepare(times).begin().bind(session.id)
      .bind(Int64(pid)).bind(start.milliseconds).first { $0.optionalInt(0).map { Timestamp(milliseconds: $0) } } ?? nil
  }

  /// The sections of credentials files that hold a profile's current keys.
  public func linkedSections() throws -> [(path: String, section: String, profile: String, since: Timestamp)] {
    guard let database else { return [] }
    return try database.statement("SELECT path, section, profile, created_at FROM credentials_link ORDER BY path, section")
      .begin()
      .rows { ($0.text(0), $0.text(1), $0.text(2), Timestamp(milliseconds: $0.int(3))) }
  }

  /// The role of a profile that the vault knows.
  public func profileRole(_ name: String) throws -> String? {
    try database?.statement("SELECT role_arn FROM profile WHERE name = ?").begin().bind(name).first { $0.optionalText(0) } ?? nil
  }

  /// The leases of programs: which processes are served, and which profile's credentials.
  public func leasedProcesses() throws -> [(process: ProcessIdentity, profile: String)] {
    guard let database else { return [] }
    return try database.statement("SELECT pid, started, boot, profile FROM lease").begin().rows {
      (ProcessIdentity(pid: Int32(truncatingIfNeeded: $0.int(0)), started: $0.int(1), boot: $0.text(2)), $0.text(3))
    }
  }
}
