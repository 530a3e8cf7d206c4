import VaultModel

/// A log put together of rows that stand elsewhere, of any number of vaults, so that every report runs over them as over a vault's own.
///
/// The rows are numbered anew, in the order in which they come. Sessions and profiles are made of what the rows say of them. It is a
/// database that SQLite keeps in memory, and in a file without a name where it grows large.
public final class TeamLog {
  private let database: Database
  private let insert: Statement
  private var fields = AuditFormFields()
  private var count: Int64 = 0
  /// Rows that were left out, because this version does not know what they say or because they make no sense.
  public private(set) var leftOut = 0

  public init() throws {
    database = try Database(path: "", access: .readWrite)
    try Schema.make(in: database)
    // What is here was filtered already, and is gone over once: three indexes do, and are made when all rows are there. Numbers of secrets
    // are unique in one vault only; here some vault could keep the others' rows out with them.
    for index in Self.indexes { try database.execute("DROP INDEX audit_event_" + index) }
    try database.execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -262144; BEGIN")
    try database.execute("INSERT INTO vault (id, created_at) VALUES ('vlt_team', 0)")
    insert = try database.prepare(
      """
      INSERT INTO audit_event (sequence, id, time, action, outcome, cause, profile, role_arn, role_session_name, source_identity, \
      source_access_key_id, access_key_id, issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, \
      intent_id, user, uid, pid, program, executable, directory, parent, host, subject, subject_version, hash, previous_hash) \
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """)
  }

  /// Adds a row.
  ///
  /// - Parameters:
  ///   - form: as the row's hash goes over it; whatever it holds.
  ///   - hash: 32 bytes.
  public func add(_ form: UnsafeRawBufferPointer, hash: UnsafeRawBufferPointer) throws {
    guard fields.read(form), makesSense(form) else {
      leftOut += 1
      return
    }
    count += 1
    insert.begin()
    for column in 0..<AuditFormFields.count {
      switch fields[column] {
      case _ where column == 0: try insert.bind(count)
      case .none: try insert.bind(nil as Int64?)
      case .number(let number): try insert.bind(number)
      case .text(let range): try insert.bind(text: UnsafeRawBufferPointer(rebasing: form[range]))
      }
    }
    try insert.bind(blob: hash).bind(blob: hash)
    do {
      try insert.run()
    } catch DatabaseError.constraint {
      count -= 1
      leftOut += 1
    }
  }

  private static let indexes = [
    "profile", "role", "action", "outcome", "session", "intent", "subject", "unbound", "time", "user", "profile_outcome",
    "role_outcome",
  ]

  /// What ``AuditRows/read(_:)`` takes.
  private func makesSense(_ form: UnsafeRawBufferPointer) -> Bool {
    guard fields.text(.action, of: form).flatMap({ AuditAction(rawValue: $0) }) != nil,
      fields.text(.outcome, of: form).flatMap({ AuditOutcome(rawValue: $0) }) != nil,
      fields.text(.trigger, of: form).flatMap({ AuditTrigger(rawValue: $0) }) != nil,
      fields.number(.uid).flatMap({ UInt32(exactly: $0) }) != nil, fields.number(.pid).flatMap({ Int32(exactly: $0) }) != nil
    else { return false }
    return true
  }

  /// The log, once every row is there.
  public func reader() throws -> VaultReader {
    try database.execute("COMMIT")
    try database.execute(Self.sessions)
    return VaultReader(over: database)
  }

  /// Profiles by name; a session for each call that issued one, ended by the row that says so, and replaced by the next of the same user
  /// on the same host for the same profile.
  private static let sessions = """
    BEGIN;
    CREATE INDEX audit_event_role ON audit_event (role_arn, sequence) WHERE role_arn IS NOT NULL;
    CREATE INDEX audit_event_session ON audit_event (session_id, sequence) WHERE session_id IS NOT NULL;
    CREATE INDEX audit_event_intent ON audit_event (intent_id) WHERE intent_id IS NOT NULL;
    INSERT INTO profile (name, is_own, origin, kind, role_arn, digest)
      SELECT profile, 0, 'team', CASE WHEN max(role_arn) IS NULL THEN 'keys' ELSE 'assume-role' END, max(role_arn), x'00'
      FROM audit_event WHERE profile IS NOT NULL GROUP BY profile;
    INSERT INTO session (id, profile_id, kind, fingerprint, role_arn, role_session_name, source_identity, access_key_id, issued_at, expires_at,
        renews_at, ended_at, end_reason, replaced_by, deliveries, last_used_at)
      WITH made AS (
        SELECT min(a.sequence) AS first, a.* FROM audit_event a
        WHERE a.session_id IS NOT NULL AND a.outcome = 'success' AND a.access_key_id IS NOT NULL AND a.expires_at > a.issued_at
          AND a.action NOT IN ('Deliver', 'LeaseEnded', 'SessionReplaced', 'SessionExpired', 'SessionForgotten')
        GROUP BY a.session_id
      ), used AS (
        SELECT session_id, count(*) AS times, max(time) AS last FROM audit_event
        WHERE action = 'Deliver' AND outcome = 'success' AND session_id IS NOT NULL GROUP BY session_id
      ), ended AS (
        SELECT session_id, min(time) AS at,
          CASE min(action) WHEN 'SessionReplaced' THEN 'replaced' WHEN 'SessionExpired' THEN 'expired' ELSE 'forgotten' END AS reason
        FROM audit_event WHERE action IN ('SessionReplaced', 'SessionExpired', 'SessionForgotten') AND session_id IS NOT NULL
        GROUP BY session_id
      )
      SELECT m.session_id, p.id, CASE WHEN m.role_arn IS NULL THEN 'token' ELSE 'role' END, m.session_id, m.role_arn, m.role_session_name,
        m.source_identity, m.access_key_id, m.issued_at, m.expires_at, m.expires_at, e.at, e.reason,
        CASE WHEN e.reason IN ('replaced', 'expired') THEN
          lead(m.session_id) OVER (PARTITION BY m.host, m.user, m.profile, m.role_arn, m.role_session_name ORDER BY m.issued_at, m.sequence) END,
        coalesce(u.times, 0), u.last
      FROM made m JOIN profile p ON p.name = m.profile LEFT JOIN used u ON u.session_id = m.session_id
        LEFT JOIN ended e ON e.session_id = m.session_id;
    COMMIT
    """
}
