import VaultDatabase
import VaultModel

/// The behavior if a delivery cannot be logged because the disk accepts nothing.
public enum AuditFailureRule: String, Sendable, CaseIterable {
  /// Nothing is delivered.
  case refuse
  /// Existing sessions are delivered, and logged once the disk accepts rows again.
  case deliver
}

/// Deliveries whose rows are still to be written: in memory, in order.
struct DeferredAuditRows {
  /// Once there are this many, nothing more is delivered.
  static let maximum = 1_000
  var rule = AuditFailureRule.refuse
  private(set) var rows: [(event: AuditEvent, time: Timestamp)] = []
  private(set) var why = ""

  /// Whether a delivery that failed with this error may proceed.
  ///
  /// Only if the disk accepts nothing. A broken log, or a damaged or replaced file, stops everything.
  func allows(_ error: any Error) -> Bool {
    guard rule == .deliver, rows.count < Self.maximum, let error = error as? DatabaseError else { return false }
    return switch error {
    case .full, .readOnly, .inputOutput: true
    default: false
    }
  }

  mutating func add(_ event: AuditEvent, at time: Timestamp, because error: any Error) {
    if rows.isEmpty { why = (error as? DatabaseError)?.message ?? "\(error)" }
    rows.append((event, time))
  }

  mutating func removeAll() { rows.removeAll() }
}

extension VaultStore {
  public func setFailureRule(_ rule: AuditFailureRule) { deferred.rule = rule }

  /// The number of deliveries that are not logged yet.
  public var deferredRows: Int { deferred.rows.count }

  /// Whether a session may be delivered although logging failed with this error.
  public func canDeliverUnlogged(after error: any Error) -> Bool { deferred.allows(error) }

  /// Writes the rows that could not be written in time.
  public func writeLateRows() throws {
    guard !deferred.rows.isEmpty else { return }
    try change { _ in }
  }

  /// Call within a transaction, before anything else in it: adds the deferred rows in order, each with its own time, and one that
  /// announces them.
  func appendLateRows() throws {
    guard !deferred.rows.isEmpty else { return }
    for row in deferred.rows {
      try append(row.event, at: row.time)
      // A session that was replaced meanwhile already has its row.
      try countDelivery(row.event.sessionId, at: row.time)
    }
    guard let first = deferred.rows.first else { return }
    var event = AuditEvent(action: .loggedLate, outcome: .success, trigger: .start, requester: agent)
    event.detail =
      "\(deferred.rows.count) deliver\(deferred.rows.count == 1 ? "y was" : "ies were") logged later, the first from \(first.time.iso8601)"
    event.error = deferred.why
    try append(event)
  }

  func countDelivery(_ session: String?, at time: Timestamp) throws {
    try database.statement("UPDATE session SET deliveries = deliveries + 1, last_used_at = ? WHERE id = ?")
      .begin().bind(time.milliseconds).bind(session).run()
  }
}
