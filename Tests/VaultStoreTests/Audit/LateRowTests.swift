import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel

@testable import VaultStore

/// Deliveries while the disk takes nothing.
@Suite struct LateRowTests {
  /// A store with a session, on a disk that is full.
  private func full(_ rule: AuditFailureRule) async throws -> OpenedStore {
    let opened = try await OpenedStore()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await opened.issue()
    await opened.store.setFailureRule(rule)
    try await opened.store.limitPages(true)
    // What is left of the last page.
    while (try? await opened.store.begin(opened.event(.assumeRole, profile: "app-prod"))) != nil {}
    return opened
  }

  @Test("nothing is handed out unlogged unless a setting says so")
  func refuse() async throws {
    let opened = try await full(.refuse)
    await #expect(throws: DatabaseError.full(path: opened.path)) {
      for _ in 0..<50 { _ = try await opened.deliver() }
    }
    #expect(await opened.store.deferredRows == 0)
  }

  @Test("with audit_failure = deliver a session in hand is handed out, and its rows are the first that the disk takes, in order")
  func deliver() async throws {
    let opened = try await full(.deliver)
    var deferred = 0
    while await opened.store.deferredRows < 5 {
      opened.clock.advance(seconds: 1)
      #expect(try await opened.deliver() != nil)
      deferred += 1
    }
    let times = opened.clock.now()
    // Nothing new is minted without its intent on the disk, and what is to be sealed is refused.
    await #expect(throws: DatabaseError.full(path: opened.path)) { _ = try await opened.store.begin(opened.event(.assumeRole)) }
    #expect(await opened.store.deferredRows == 5)
    opened.clock.advance(seconds: 100)
    try await opened.store.limitPages(false)
    let before = try opened.reader().lastSequence()
    try await opened.store.record(opened.event(.profileAdded))
    #expect(await opened.store.deferredRows == 0)
    var filter = AuditFilter()
    filter.after = before
    let rows = try opened.reader().auditRecords(filter)
    #expect(rows.map(\.event.action) == [.deliver, .deliver, .deliver, .deliver, .deliver, .loggedLate, .profileAdded])
    #expect(rows[4].time == times && rows[0].time == times.adding(seconds: -4) && rows[6].time == times.adding(seconds: 100))
    #expect(
      rows[5].event.detail?.hasPrefix("5 deliveries were logged later") == true && rows[5].event.error?.contains("full") == true)
    #expect(rows[0].event.accessKeyId != nil && rows[0].event.sessionId != nil)
    let session = try #require(try opened.reader().sessions(profile: "app-dev", includingEnded: true).first)
    #expect(session.deliveries == Int64(deferred) && session.lastUsedAt == times)
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: try opened.reader().lastSequence()))
    let again = try await opened.reopened()
    try await again.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
  }

  @Test("no more than a thousand deliveries are kept in memory")
  func bounded() async throws {
    let opened = try await full(.deliver)
    while await opened.store.deferredRows < DeferredAuditRows.maximum { #expect(try await opened.deliver() != nil) }
    await #expect(throws: DatabaseError.full(path: opened.path)) { _ = try await opened.deliver() }
    try await opened.store.limitPages(false)
    try await opened.store.writeLateRows()
    #expect(try await opened.deliver() != nil)
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: try opened.reader().lastSequence()))
  }

  @Test("a log that somebody wrote to hands nothing out, whatever the setting")
  func broken() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    await opened.store.setFailureRule(.deliver)
    try opened.tamper(
      """
      CREATE TEMP TABLE t AS SELECT * FROM audit_event ORDER BY sequence DESC LIMIT 1; \
      UPDATE t SET sequence = sequence + 1, id = 'evt_x', subject = NULL; INSERT INTO audit_event SELECT * FROM t
      """)
    await #expect(throws: (any Error).self) { _ = try await opened.deliver() }
    #expect(await opened.store.deferredRows == 0)
  }
}
