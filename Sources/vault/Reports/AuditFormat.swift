import VaultBytes
import VaultAudit
import VaultModel

/// An audit row in the documented formats.
enum AuditFormat {
  static let columns = [
    "id", "sequence", "time", "action", "outcome", "trigger", "profile", "roleArn", "roleSessionName", "sourceIdentity",
    "sourceAccessKeyId",
    "accessKeyId", "issuedAt", "expiresAt", "durationSeconds", "mfa", "requestId", "endpoint", "reason", "user", "uid", "pid",
    "program",
    "directory", "host", "executable", "parent", "sessionId", "error", "detail", "hash",
  ]

  /// The origin of a team's row, after those columns.
  static let teamColumns = ["vault", "login", "receivedAt"]

  static func cells(_ record: AuditRecord) -> [String] {
    let event = record.event
    let who = event.requester
    return [
      record.id, String(record.sequence), record.time.iso8601, event.action.rawValue, event.outcome.rawValue,
      event.trigger.rawValue,
      event.profile ?? "", event.roleARN ?? "", event.roleSessionName ?? "", event.sourceIdentity ?? "",
      event.sourceAccessKeyId ?? "",
      event.accessKeyId ?? "", event.issuedAt?.iso8601 ?? "", event.expiresAt?.iso8601 ?? "",
      event.durationSeconds.map { String($0) } ?? "",
      event.mfa ? "true" : "false", event.requestId ?? "", event.endpoint ?? "", event.reason ?? "", who.user, String(who.uid),
      String(who.pid),
      who.shownProgram, who.directory, who.host, who.executable, who.parent, event.sessionId ?? "", event.error ?? "",
      event.detail ?? "",
      hex(record.hash),
    ]
  }

  static func write(_ record: AuditRecord, _ shipped: TeamOrigin? = nil, to writer: inout JSONWriter) {
    let event = record.event
    writer.object { writer in
      writer.field("id", record.id)
      writer.field("sequence", record.sequence)
      writer.field("time", record.time.iso8601)
      writer.field("action", event.action.rawValue)
      writer.field("outcome", event.outcome.rawValue)
      writer.field("trigger", event.trigger.rawValue)
      writer.field("profile", event.profile)
      writer.field("roleArn", event.roleARN)
      writer.field("roleSessionName", event.roleSessionName)
      writer.field("sourceIdentity", event.sourceIdentity)
      writer.field("sourceAccessKeyId", event.sourceAccessKeyId)
      writer.field("accessKeyId", event.accessKeyId)
      writer.field("issuedAt", event.issuedAt?.iso8601)
      writer.field("expiresAt", event.expiresAt?.iso8601)
      writer.field("durationSeconds", event.durationSeconds)
      writer.field("mfa", event.mfa)
      writer.field("requestId", event.requestId)
      writer.field("endpoint", event.endpoint)
      writer.field("reason", event.reason)
      if let network = event.network {
        writer.key("network")
        writer.object { writer in
          writer.field("proxy", network.proxy)
          writer.field("caBundle", network.caBundle)
        }
      }
      writer.key("requester")
      writer.object { writer in
        writer.field("user", event.requester.user)
        writer.field("uid", Int(event.requester.uid))
        writer.field("pid", Int(event.requester.pid))
        writer.field("program", event.requester.program)
        writer.field("directory", event.requester.directory)
        writer.field("host", event.requester.host)
        writer.field("executable", event.requester.executable)
        writer.field("parent", event.requester.parent)
        writer.field("proven", event.requester.isProven)
      }
      writer.field("sessionId", event.sessionId)
      writer.field("error", event.error)
      writer.field("detail", event.detail)
      writer.field("hash", hex(record.hash))
      writer.field("intentId", event.intentId)
      guard let shipped else { return }
      writer.field("vault", shipped.vault)
      writer.field("login", shipped.login)
      writer.field("enrolled", shipped.isEnrolled)
      writer.field("receivedAt", shipped.receivedAt.iso8601)
      writer.field("datedAhead", shipped.isAhead)
    }
  }
}

/// A copy of the origin of a team's row.
struct TeamOrigin {
  let vault: String
  let login: String
  let isEnrolled: Bool
  let receivedAt: Timestamp
  /// Whether the row is dated after it was received.
  let isAhead: Bool

  init?(_ line: AuditRowView) {
    guard let origin = line.origin else { return nil }
    vault = String(decoding: origin.vault, as: UTF8.self)
    login = String(decoding: origin.login, as: UTF8.self)
    isEnrolled = origin.isEnrolled
    receivedAt = Timestamp(stored: origin.receivedAt)
    isAhead = origin.isAhead(line.number(.time))
  }
}
