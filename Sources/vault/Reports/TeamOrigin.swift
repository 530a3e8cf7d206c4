import VaultAudit
import VaultModel

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
