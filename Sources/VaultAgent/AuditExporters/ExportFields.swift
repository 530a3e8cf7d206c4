import VaultBytes
import VaultModel

/// An audit row for the live sinks: the fields of `vault audit --format json` that have a value, flat.
struct ExportFields {
  /// The name in JSON, the name in the journal, and the value.
  typealias Field = (name: StaticString, journal: StaticString, value: String)

  let fields: [Field]
  let record: AuditRecord

  init(_ record: AuditRecord, vaultId: String) {
    let event = record.event
    let who = event.requester
    self.record = record
    let all: [(StaticString, StaticString, String?)] = [
      ("vault", "VAULT_ID", vaultId), ("id", "VAULT_EVENT_ID", record.id),
      ("sequence", "VAULT_SEQUENCE", String(record.sequence)), ("time", "VAULT_TIME", record.time.iso8601Milliseconds),
      ("action", "VAULT_ACTION", event.action.rawValue), ("outcome", "VAULT_OUTCOME", event.outcome.rawValue),
      ("trigger", "VAULT_TRIGGER", event.trigger.rawValue), ("profile", "VAULT_PROFILE", event.profile),
      ("roleArn", "VAULT_ROLE_ARN", event.roleARN), ("roleSessionName", "VAULT_ROLE_SESSION_NAME", event.roleSessionName),
      ("sourceIdentity", "VAULT_SOURCE_IDENTITY", event.sourceIdentity),
      ("sourceAccessKeyId", "VAULT_SOURCE_ACCESS_KEY_ID", event.sourceAccessKeyId),
      ("accessKeyId", "VAULT_ACCESS_KEY_ID", event.accessKeyId),
      ("issuedAt", "VAULT_ISSUED_AT", event.issuedAt?.iso8601Milliseconds),
      ("expiresAt", "VAULT_EXPIRES_AT", event.expiresAt?.iso8601Milliseconds),
      ("durationSeconds", "VAULT_DURATION_SECONDS", event.durationSeconds.map { String($0) }),
      ("mfa", "VAULT_MFA", event.mfa ? "true" : "false"), ("requestId", "VAULT_REQUEST_ID", event.requestId),
      ("endpoint", "VAULT_ENDPOINT", event.endpoint), ("user", "VAULT_USER", who.user),
      ("uid", "VAULT_UID", String(who.uid)), ("pid", "VAULT_PID", String(who.pid)), ("program", "VAULT_PROGRAM", who.program),
      ("directory", "VAULT_DIRECTORY", who.directory), ("host", "VAULT_HOST", who.host),
      ("executable", "VAULT_EXECUTABLE", who.executable), ("parent", "VAULT_PARENT", who.parent),
      ("proven", "VAULT_PROVEN", who.isProven ? "true" : "false"),
      ("sessionId", "VAULT_SESSION_ID", event.sessionId), ("intentId", "VAULT_INTENT_ID", event.intentId),
      ("reason", "VAULT_REASON", event.reason), ("error", "VAULT_ERROR", event.error), ("detail", "VAULT_DETAIL", event.detail),
      ("hash", "VAULT_HASH", hex(record.hash)),
    ]
    fields = all.compactMap { name, journal, value in value.map { (name, journal, $0) } }
  }

  /// One line for people, whatever the row contains.
  var summary: String {
    let event = record.event
    var text = "\(event.action.rawValue) \(event.outcome.rawValue)"
    if let profile = event.profile { text += " of \(profile)" }
    text += " by \(event.requester.user)"
    if !event.requester.shownProgram.isEmpty { text += ", \(event.requester.shownProgram)" }
    if let more = event.error ?? event.detail { text += ": \(more)" }
    return safeText(text)
  }

  /// RFC 5424, table 2: informational, or a warning for a failure or a refusal.
  var severity: Int {
    switch record.event.outcome {
    case .success, .intent: 6
    case .failure, .refused, .unknown: 4
    }
  }

  /// RFC 5424, table 1: security and authorization messages (private).
  static let facility = 10
}

extension Timestamp {
  /// `2026-11-23T14:03:00.275Z`
  var iso8601Milliseconds: String {
    let fraction = String(milliseconds - seconds * 1_000)
    return iso8601.dropLast() + "." + String(repeating: "0", count: max(0, 3 - fraction.utf8.count)) + fraction + "Z"
  }
}
