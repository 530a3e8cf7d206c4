import VaultModel

/// The fields of an audit row: first those that are not hashed, then those of the canonical form, in its order.
///
/// A new hashed field goes to the end, with the next version of the form (docs/extending.md).
public enum AuditField: Int32, Sendable, CaseIterable {
  case hash, previousHash, mac, formVersion
  case sequence, id, time, action, outcome, trigger, profile, roleARN, roleSessionName, sourceIdentity, sourceAccessKeyId
  case accessKeyId, issuedAt, expiresAt, durationSeconds, mfa, requestId, endpoint, reason, error, detail, sessionId, intentId
  case user, uid, pid, program, executable, directory, parent, host, subject, subjectVersion
  // From form 3 on.
  case parents, automation, run, rootPid, scope

  /// The number of fields that are not hashed.
  static let unhashed = Int(sequence.rawValue)
  static let hashed = Array(allCases.dropFirst(unhashed))
}

/// A column of the audit log, by which the table, the canonical form, reports, exports and the team's server name and read a field.
public struct AuditColumn: Sendable {
  public enum Kind: Sendable {
    case text, number, time, flag
    /// A text that is JSON itself (``CanonicalJSON``): an array, `[]` for none, or an object.
    case list, object
    /// That many bytes.
    case bytes(Int)
  }

  /// The part of a row in JSON that has the column. CSV has all but the proof. The run is an object of its own in the requester.
  public enum Part: Sendable { case row, requester, automation, proof }

  public let field: AuditField
  public let sql: StaticString
  /// The name in JSON, CSV and syslog.
  public let json: StaticString
  public let kind: Kind
  public let part: Part
  /// Whether every row has a value.
  public let isRequired: Bool
  /// The name of the column that the team's PostgreSQL has for filters and joins; nil if it has none.
  public let server: StaticString?
  /// The first version of the canonical form with the field.
  let form: UInt8

  init(
    _ field: AuditField, sql: StaticString, json: StaticString, kind: Kind = .text, in part: Part = .row,
    isRequired: Bool = false,
    server: StaticString? = nil, form: UInt8 = 2
  ) {
    (self.field, self.sql, self.json, self.kind, self.part) = (field, sql, json, kind, part)
    (self.isRequired, self.server, self.form) = (isRequired, server, form)
  }

  public var isTime: Bool { if case .time = kind { true } else { false } }

  /// Every column, in the order of reports and exports.
  public static let all = [
    AuditColumn(.id, sql: "id", json: "id", isRequired: true, server: "id"),
    AuditColumn(.sequence, sql: "sequence", json: "sequence", kind: .number, isRequired: true),
    AuditColumn(.time, sql: "time", json: "time", kind: .time, isRequired: true, server: "time"),
    AuditColumn(.action, sql: "action", json: "action", isRequired: true, server: "action"),
    AuditColumn(.outcome, sql: "outcome", json: "outcome", isRequired: true, server: "outcome"),
    // The server keeps the name that laptops with earlier versions know.
    AuditColumn(.trigger, sql: "trigger", json: "trigger", isRequired: true, server: "cause"),
    AuditColumn(.profile, sql: "profile", json: "profile", server: "profile"),
    AuditColumn(.roleARN, sql: "role_arn", json: "roleArn", server: "role_arn"),
    AuditColumn(.roleSessionName, sql: "role_session_name", json: "roleSessionName", server: "role_session_name"),
    AuditColumn(.sourceIdentity, sql: "source_identity", json: "sourceIdentity", server: "source_identity"),
    AuditColumn(.sourceAccessKeyId, sql: "source_access_key_id", json: "sourceAccessKeyId", server: "source_access_key_id"),
    AuditColumn(.accessKeyId, sql: "access_key_id", json: "accessKeyId", server: "access_key_id"),
    AuditColumn(.issuedAt, sql: "issued_at", json: "issuedAt", kind: .time, server: "issued_at"),
    AuditColumn(.expiresAt, sql: "expires_at", json: "expiresAt", kind: .time, server: "expires_at"),
    AuditColumn(.durationSeconds, sql: "duration_seconds", json: "durationSeconds", kind: .number),
    AuditColumn(.mfa, sql: "mfa", json: "mfa", kind: .flag, isRequired: true),
    AuditColumn(.requestId, sql: "request_id", json: "requestId", server: "request_id"),
    AuditColumn(.endpoint, sql: "endpoint", json: "endpoint"),
    AuditColumn(.reason, sql: "reason", json: "reason"),
    AuditColumn(.user, sql: "user", json: "user", in: .requester, isRequired: true, server: "user_name"),
    AuditColumn(.uid, sql: "uid", json: "uid", kind: .number, in: .requester, isRequired: true),
    AuditColumn(.pid, sql: "pid", json: "pid", kind: .number, in: .requester, isRequired: true),
    AuditColumn(.program, sql: "program", json: "program", in: .requester, isRequired: true, server: "program"),
    AuditColumn(.directory, sql: "directory", json: "directory", in: .requester, isRequired: true),
    AuditColumn(.host, sql: "host", json: "host", in: .requester, isRequired: true, server: "host"),
    AuditColumn(.executable, sql: "executable", json: "executable", in: .requester, isRequired: true),
    AuditColumn(.parent, sql: "parent", json: "parent", in: .requester, isRequired: true),
    AuditColumn(.sessionId, sql: "session_id", json: "sessionId", server: "session_id"),
    AuditColumn(.error, sql: "error", json: "error", server: "error"),
    AuditColumn(.detail, sql: "detail", json: "detail"),
    AuditColumn(.hash, sql: "hash", json: "hash", kind: .bytes(32), isRequired: true),
    AuditColumn(.parents, sql: "parents", json: "parents", kind: .list, in: .requester, form: 3),
    AuditColumn(.automation, sql: "automation", json: "automation", in: .automation, server: "automation", form: 3),
    AuditColumn(.run, sql: "run", json: "run", in: .automation, server: "run", form: 3),
    AuditColumn(.rootPid, sql: "root_pid", json: "rootPid", kind: .number, in: .automation, form: 3),
    AuditColumn(.scope, sql: "scope", json: "scope", kind: .object, form: 3),
    AuditColumn(.intentId, sql: "intent_id", json: "intentId", in: .proof, server: "intent_id"),
    AuditColumn(.subject, sql: "subject", json: "subject", in: .proof),
    AuditColumn(.subjectVersion, sql: "subject_version", json: "subjectVersion", kind: .number, in: .proof),
    AuditColumn(.formVersion, sql: "form_version", json: "formVersion", kind: .number, in: .proof),
    AuditColumn(.previousHash, sql: "previous_hash", json: "previousHash", kind: .bytes(32), in: .proof),
    AuditColumn(.mac, sql: "mac", json: "mac", kind: .bytes(32), in: .proof),
  ]
}

/// The columns of the audit log in the order of ``AuditField``, and the versions of the canonical form.
struct AuditTable: Sendable {
  /// The version that the first logs have.
  static let firstVersion: UInt8 = 2
  static let current = AuditTable(
    AuditColumn.all.sorted { $0.field.rawValue < $1.field.rawValue }.map { (name: $0.sql.description, form: $0.form) })

  private let names: [String]
  /// The number of hashed columns of each version, from the first on.
  private let counts: [Int]

  /// - Parameter columns: each with the first version of the form that has it.
  init(_ columns: [(name: String, form: UInt8)]) {
    names = columns.map(\.name)
    let forms = columns.dropFirst(AuditField.unhashed).map(\.form)
    counts = (Self.firstVersion...(forms.max() ?? Self.firstVersion)).map { version in forms.count { $0 <= version } }
  }

  /// The version of new rows.
  var version: UInt8 { Self.firstVersion + UInt8(counts.count - 1) }

  /// The number of hashed columns of the newest version.
  var hashedCount: Int { names.count - AuditField.unhashed }

  /// The number of columns in a version of the form; nil for an unknown one.
  func count(of version: Int64) -> Int? {
    let place = version &- Int64(Self.firstVersion)
    return place >= 0 && place < counts.count ? counts[Int(place)] : nil
  }

  /// The columns for a SELECT.
  ///
  /// - Parameter schema: the version of the database, whose log may be older than this program.
  func selection(at schema: Int64 = .max) -> String { names.map { Self.name($0, at: schema) }.joined(separator: ", ") }

  /// The first version of the schema with the columns `trigger` and `form_version`.
  private static let formsSchema: Int64 = 8
  /// The first version of the schema with the columns of form 3.
  private static let automationSchema: Int64 = 10
  private static let automationNames = Set(AuditColumn.all.filter { $0.form == 3 }.map(\.sql.description))

  static func name(_ name: String, at schema: Int64) -> String {
    guard schema < automationSchema else { return name }
    if automationNames.contains(name) { return "NULL" }
    guard schema < formsSchema else { return name }
    return switch name {
    case "trigger": "cause"
    case "form_version": String(firstVersion)
    default: name
    }
  }
}

extension AuditRecord {
  /// A field's value; none for those that only the chain has.
  public subscript(field: AuditField) -> AuditValue {
    let who = event.requester
    return switch field {
    case .hash, .previousHash, .mac, .formVersion: .none
    case .sequence: .number(sequence)
    case .id: .text(id)
    case .time: .number(time.milliseconds)
    case .action: .text(event.action.rawValue)
    case .outcome: .text(event.outcome.rawValue)
    case .trigger: .text(event.trigger.rawValue)
    case .profile: AuditValue(event.profile)
    case .roleARN: AuditValue(event.roleARN)
    case .roleSessionName: AuditValue(event.roleSessionName)
    case .sourceIdentity: AuditValue(event.sourceIdentity)
    case .sourceAccessKeyId: AuditValue(event.sourceAccessKeyId)
    case .accessKeyId: AuditValue(event.accessKeyId)
    case .issuedAt: AuditValue(event.issuedAt?.milliseconds)
    case .expiresAt: AuditValue(event.expiresAt?.milliseconds)
    case .durationSeconds: AuditValue(event.durationSeconds.map { Int64($0) })
    case .mfa: .number(event.mfa ? 1 : 0)
    case .requestId: AuditValue(event.requestId)
    case .endpoint: AuditValue(event.endpoint)
    case .reason: AuditValue(event.reason)
    case .error: AuditValue(event.error)
    case .detail: AuditValue(event.detail)
    case .sessionId: AuditValue(event.sessionId)
    case .intentId: AuditValue(event.intentId)
    case .user: .text(who.user)
    case .uid: .number(Int64(who.uid))
    case .pid: .number(Int64(who.pid))
    case .program: .text(who.program)
    case .executable: .text(who.executable)
    case .directory: .text(who.directory)
    case .parent: .text(who.parent)
    case .host: .text(who.host)
    case .subject: AuditValue(subject)
    case .subjectVersion: AuditValue(subjectVersion)
    case .parents: AuditValue(Ancestor.text(of: who.parents))
    case .automation: AuditValue(who.automation?.name ?? who.hint)
    case .run: AuditValue(who.automation?.run)
    case .rootPid: AuditValue(who.automation.map { Int64($0.rootPid) })
    case .scope: AuditValue(event.scope.map { CanonicalJSON.text($0) ?? $0 })
    }
  }

  /// A copy of a lent row; nil if it holds a value that no version of the vault writes.
  public init?(_ row: AuditRowView) {
    guard let action = AuditAction(rawValue: row.text(.action)), let outcome = AuditOutcome(rawValue: row.text(.outcome)),
      let trigger = AuditTrigger(rawValue: row.text(.trigger)), let uid = UInt32(exactly: row.number(.uid)),
      let pid = Int32(exactly: row.number(.pid))
    else { return nil }
    // What another program wrote there is in no table, and in exports as it stands.
    var parents: [Ancestor] = []
    row.withBytes(.parents) { parents = $0.flatMap { Ancestor.chain($0) } ?? [] }
    let automation =
      row.hasNoAutomation
      ? nil
      : AutomationRun(
        name: row.text(.automation), run: row.text(.run), rootPid: Int32(truncatingIfNeeded: row.number(.rootPid)))
    var requester = Requester(
      user: row.text(.user), uid: uid, pid: pid, program: row.text(.program), executable: row.text(.executable),
      directory: row.text(.directory), parent: row.text(.parent), host: row.text(.host),
      parents: parents, automation: automation)
    requester.hint = row.hint
    var event = AuditEvent(
      action: action, outcome: outcome, trigger: trigger, profile: row.optionalText(.profile), requester: requester)
    event.roleARN = row.optionalText(.roleARN)
    event.roleSessionName = row.optionalText(.roleSessionName)
    event.sourceIdentity = row.optionalText(.sourceIdentity)
    event.sourceAccessKeyId = row.optionalText(.sourceAccessKeyId)
    event.accessKeyId = row.optionalText(.accessKeyId)
    event.issuedAt = row.optionalNumber(.issuedAt).map { Timestamp(stored: $0) }
    event.expiresAt = row.optionalNumber(.expiresAt).map { Timestamp(stored: $0) }
    event.durationSeconds = row.optionalNumber(.durationSeconds).map { Int(truncatingIfNeeded: $0) }
    event.mfa = row.number(.mfa) != 0
    event.requestId = row.optionalText(.requestId)
    event.endpoint = row.optionalText(.endpoint)
    event.reason = row.optionalText(.reason)
    event.error = row.optionalText(.error)
    event.detail = row.optionalText(.detail)
    event.sessionId = row.optionalText(.sessionId)
    event.intentId = row.optionalText(.intentId)
    event.scope = row.optionalText(.scope)
    var hash: [UInt8] = []
    row.withHash { hash = Array($0) }
    self.init(
      id: row.text(.id), sequence: row.number(.sequence), time: Timestamp(stored: row.number(.time)), event: event,
      subject: row.optionalText(.subject), subjectVersion: row.optionalNumber(.subjectVersion), hash: hash)
  }
}

/// A value of an audit row.
public enum AuditValue: Sendable, Hashable {
  case none
  case text(String)
  case number(Int64)

  init(_ text: String?) { self = text.map { .text($0) } ?? .none }
  init(_ number: Int64?) { self = number.map { .number($0) } ?? .none }
}
