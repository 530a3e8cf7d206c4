import VaultAudit
import VaultBytes
import VaultModel

/// An audit row for the live sinks: the fields of `vault audit --format json` that have a value, flat.
struct ExportFields {
  /// The name in JSON, the name in the journal, and the value.
  typealias Field = (name: String, journal: String, value: String)

  let fields: [Field]
  let record: AuditRecord

  private static let columns = AuditColumn.all.filter { $0.part != .proof || $0.field == .intentId }.map { column in
    let journal = column.field == .id ? "EVENT_ID" : column.sql.description.uppercased()
    return (column: column, name: column.json.description, journal: "VAULT_" + journal)
  }

  init(_ record: AuditRecord, vaultId: String) {
    self.record = record
    fields =
      [("vault", "VAULT_ID", vaultId)]
      + Self.columns.compactMap { column, name, journal in
        Self.text(column, of: record).map { text in
          column.field == .automation && record.event.requester.automation == nil
            ? ("hint", "VAULT_HINT", text) : (name, journal, text)
        }
      } + [("proven", "VAULT_PROVEN", record.event.requester.isProven ? "true" : "false")]
  }

  private static func text(_ column: AuditColumn, of record: AuditRecord) -> String? {
    switch (column.kind, record[column.field]) {
    case (.bytes, _): hex(record.hash)
    case (_, .none): nil
    case (_, .text(let text)): text
    case (.time, .number(let moment)): Timestamp(milliseconds: moment).iso8601Milliseconds
    case (.flag, .number(let flag)): flag != 0 ? "true" : "false"
    case (_, .number(let number)): String(number)
    }
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
