import VaultDatabase
import VaultModel

/// The part of a team's rows that reports need besides the counts: sessions, and how they were renewed. Only rows that issue or end
/// a session, or fail to, are kept, in an SQLite database in a file without a name; the uses of each session are summed up on the
/// way.
///
/// Sessions and profiles are derived from the rows. A session belongs to its vault: ids of different vaults may be the same.
public final class TeamLog {
  /// Sessions whose uses are summed up in memory before they are written.
  private static let maxRemembered = 20_000

  private let database: Database
  private let insert: Statement
  private let addUse: Statement
  private let addProfile: Statement
  private var count: Int64 = 0
  private var profiles = NameTable()
  private var hasRole: [Bool] = []
  private var used = NameTable()
  private var uses: [(times: Int64, last: Int64)] = []
  private var key: [UInt8] = []

  public init() throws {
    database = try Database(path: "", access: .readWrite)
    try Schema.make(in: database)
    // The rows are read only once: three indexes are enough, made when all rows are there. Numbers of secrets are unique only
    // within one vault.
    for index in Self.indexes { try database.execute("DROP INDEX audit_event_" + index) }
    try database.execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -16384; BEGIN")
    try database.execute("INSERT INTO vault (id, created_at) VALUES ('vlt_team', 0)")
    try database.execute(
      "CREATE TABLE used (id TEXT NOT NULL PRIMARY KEY, times INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID")
    addUse = try database.prepare(
      "INSERT INTO used VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET times = times + excluded.times, last = max(last, excluded.last)"
    )
    addProfile = try database.prepare(
      """
      INSERT INTO profile (name, is_own, origin, kind, role_arn, digest) VALUES (?1, 0, 'team', CASE WHEN ?2 IS NULL THEN 'keys' \
      ELSE 'assume-role' END, ?2, x'00') ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, role_arn = excluded.role_arn
      """)
    insert = try database.prepare(
      """
      INSERT INTO audit_event (sequence, id, time, action, outcome, trigger, profile, role_arn, role_session_name, source_identity, \
      source_access_key_id, access_key_id, issued_at, expires_at, mfa, session_id, user, uid, pid, program, executable, directory, parent, \
      host, hash, previous_hash) \
      VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, ?14, ?15, 0, 0, '', '', '', '', ?16, zeroblob(32), zeroblob(32))
      """)
  }

  private static let indexes = [
    "profile", "role", "action", "outcome", "session", "intent", "subject", "unbound", "time", "user", "profile_outcome",
    "role_outcome",
  ]

  /// Adds a row.
  ///
  /// - Parameters:
  ///   - time: the time of the row, as far as it is plausible.
  ///   - user: its user in the reports.
  public func add(_ line: AuditRowView, time: Int64, user: UnsafeRawBufferPointer) throws {
    try recordProfile(line)
    let isSuccess = line.isText(.outcome, "success")
    let hasSession = sessionKey(line)
    if isSuccess, hasSession, line.isText(.action, "Deliver") { return try recordUse(at: time) }
    if isWanted(line, isSuccess: isSuccess, hasSession: hasSession) {
      try keep(line, time: time, user: user, hasSession: hasSession)
    }
  }

  /// Whether it issues or ends a session, or is a failed renewal.
  private func isWanted(_ line: AuditRowView, isSuccess: Bool, hasSession: Bool) -> Bool {
    guard isSuccess else { return line.isText(.trigger, "rotation") }
    guard hasSession else { return false }
    return line.optionalNumber(.expiresAt) != nil || line.isText(.action, "SessionReplaced")
      || line.isText(.action, "SessionExpired") || line.isText(.action, "SessionForgotten") || line.isText(.action, "Revoked")
  }

  private func keep(_ line: AuditRowView, time: Int64, user: UnsafeRawBufferPointer, hasSession: Bool) throws {
    count += 1
    insert.begin()
    try insert.bind(count).bind(time)
    for field in Self.texts { try bind(line, field) }
    try insert.bind(line.optionalNumber(.issuedAt)).bind(line.optionalNumber(.expiresAt))
    if hasSession { try bind(key) } else { try insert.bind(nil as Int64?) }
    try insert.bind(text: user)
    // The vault takes the host's place: a session is replaced on the same machine.
    if let origin = line.origin { try insert.bind(text: origin.vault) } else { try bind(line, .host) }
    do {
      try insert.run()
    } catch DatabaseError.constraint {
      count -= 1
    }
  }

  private static let texts: [AuditField] = [
    .action, .outcome, .trigger, .profile, .roleARN, .roleSessionName, .sourceIdentity, .sourceAccessKeyId, .accessKeyId,
  ]

  private func bind(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { _ = try insert.bind(text: $0) } }

  private func bind(_ line: AuditRowView, _ field: AuditField) throws {
    var failure: (any Error)?
    line.withBytes(field) { bytes in
      do {
        if let bytes { try insert.bind(text: bytes) } else { try insert.bind(nil as Int64?) }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// `ses_…@vlt_…`
  private func sessionKey(_ line: AuditRowView) -> Bool {
    key.removeAll(keepingCapacity: true)
    line.withBytes(.sessionId) { if let bytes = $0 { key.append(contentsOf: bytes) } }
    guard !key.isEmpty else { return false }
    if let origin = line.origin {
      key.append(UInt8(ascii: "@"))
      key.append(contentsOf: origin.vault)
    }
    return true
  }

  private func recordUse(at time: Int64) throws {
    let number = key.withUnsafeBytes { used.number(of: $0) }
    if number == uses.count { uses.append((0, time)) }
    uses[number] = (uses[number].times + 1, max(uses[number].last, time))
    if uses.count == Self.maxRemembered { try writeUses() }
  }

  private func writeUses() throws {
    for (number, use) in uses.enumerated() { try addUse.begin().bind(used[number]).bind(use.times).bind(use.last).run() }
    used = NameTable()
    uses.removeAll(keepingCapacity: true)
  }

  private func recordProfile(_ line: AuditRowView) throws {
    var number: Int?
    line.withBytes(.profile) { if let bytes = $0 { number = profiles.number(of: bytes, upTo: NameTable.maxTeamNames) } }
    guard let number else { return }
    let isNew = number == hasRole.count
    if isNew { hasRole.append(false) }
    guard isNew || !hasRole[number], isNew || line.optionalText(.roleARN) != nil else { return }
    hasRole[number] = line.optionalText(.roleARN) != nil
    try addProfile.begin().bind(profiles[number]).bind(line.optionalText(.roleARN)).run()
  }

  /// The sessions, once all rows were added.
  public func reader() throws -> VaultReader {
    try writeUses()
    try database.execute("COMMIT")
    try database.execute(Self.sessions)
    return try VaultReader(over: database)
  }

  /// A session for each call that issued one. It is ended by the row that says so, and replaced by the next one of the same user of
  /// the same vault for the same profile.
  private static let sessions = """
    BEGIN;
    CREATE INDEX audit_event_role ON audit_event (role_arn, sequence) WHERE role_arn IS NOT NULL;
    CREATE INDEX audit_event_session ON audit_event (session_id, sequence) WHERE session_id IS NOT NULL;
    INSERT INTO session (id, profile_id, kind, fingerprint, role_arn, role_session_name, source_identity, access_key_id, issued_at, expires_at,
        renews_at, ended_at, end_reason, replaced_by, deliveries, last_used_at)
      WITH made AS (
        SELECT min(a.sequence) AS first, a.* FROM audit_event a
        WHERE a.session_id IS NOT NULL AND a.outcome = 'success' AND a.access_key_id IS NOT NULL AND a.expires_at > a.issued_at
          AND a.action NOT IN ('Deliver', 'LeaseEnded', 'SessionReplaced', 'SessionExpired', 'SessionForgotten', 'Revoked')
        GROUP BY a.session_id
      ), ended AS (
        SELECT session_id, min(time) AS at,
          CASE min(action) WHEN 'Revoked' THEN 'revoked' WHEN 'SessionReplaced' THEN 'replaced' WHEN 'SessionExpired' THEN 'expired'
            ELSE 'forgotten' END AS reason
        FROM audit_event WHERE action IN ('SessionReplaced', 'SessionExpired', 'SessionForgotten', 'Revoked') AND session_id IS NOT NULL
        GROUP BY session_id
      )
      SELECT m.session_id, p.id, CASE WHEN m.role_arn IS NULL THEN 'token' ELSE 'role' END, m.session_id, m.role_arn, m.role_session_name,
        m.source_identity, m.access_key_id, m.issued_at, m.expires_at, m.expires_at, e.at, e.reason,
        CASE WHEN e.reason IN ('replaced', 'expired') THEN
          lead(m.session_id) OVER (PARTITION BY m.host, m.user, m.profile, m.role_arn, m.role_session_name ORDER BY m.issued_at, m.sequence) END,
        coalesce(u.times, 0), u.last
      FROM made m JOIN profile p ON p.name = m.profile LEFT JOIN used u ON u.id = m.session_id
        LEFT JOIN ended e ON e.session_id = m.session_id;
    COMMIT
    """
}
