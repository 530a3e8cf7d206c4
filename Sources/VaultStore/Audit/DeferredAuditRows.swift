import VaultDatabase
import VaultModel

/// What is done where a delivery cannot be logged because the disk takes nothing.
public enum AuditFailureRule: String, Sendable, CaseIterable {
  /// Nothing is handed out.
  case refuse
  /// Sessions that are issued already are handed out, and logged once the disk takes rows again.
  case deliver
}

/// Deliveries whose rows are yet to be written: in memory, in their order.
struct DeferredAuditRows {
  /// Beyond these nothing is handed out.
  static let most = 1_000
  var rule = AuditFailureRule.refuse
  private(set) var rows: [(event: AuditEvent, time: Timestamp)] = []
  private(set) var why = ""

  /// Whether a delivery that failed with this may be made all the same.
  ///
  /// Only what says that the disk takes nothing. A log that is not whole, a file that was damaged or is another one's, stays an end to everything.
  func allows(_ error: any Error) -> Bool {
    guard rule == .deliver, rows.count < Self.most, let error = error as? DatabaseError else { return false }
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

  /// How many deliveries are not yet logged.
  public var deferredRows: Int { deferred.rows.count }

  /// Names who is told when a delivery was made that could not be logged.
  public func observeDeferredRows(_ body: @escaping @Sendable () -> Void) { onLate = body }

  /// Whether a session may be handed out although what failed with this error is not logged.
  public func canDeliverUnlogged(after error: any Error) -> Bool { deferred.allows(error) }

  /// Writes the rows that could not be written when they should have been.
  public func writeLateRows() throws {
    guard !deferred.rows.isEmpty else { return }
    try change { _ in }
  }

  /// Within a transaction, before anything else in it: the late rows in their order, each with its own time, and one that says so.
  func appendLateRows() throws {
    guard !deferred.rows.isEmpty else { return }
    for row in deferred.rows {
      try append(row.event, at: row.time)
      // A session that was replaced since has had its row already.
      try countDelivery(row.event.sessionId, at: row.time)
    }
    guard let first = deferred.rows.first else { return }
    var event = AuditEvent(action: .loggedLate, outcome: .success, trigger: .start, requester: agent)
    event.detail =
      "\(deferred.rows.count) deliver\(deferred.rows.count == 1 ? "y was" : "ies were") logged late, the first of \(first.time.iso8601)"
    event.error = deferred.why
    try append(event)
  }

  func countDelivery(_ session: String?, at time: Timestamp) throws {
    try database.statement("UPDATE session SET deliveries = deliveries + 1, last_used_at = ? WHERE id = ?")
      .begin().bind(time.milliseconds).bind(session).run()
  }
}
