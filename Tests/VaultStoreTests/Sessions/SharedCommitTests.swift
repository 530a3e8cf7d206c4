import Foundation
import Synchronization
import TestSupport
import Testing
import VaultAudit
import VaultModel

@testable import VaultStore

extension VaultStore {
  /// Asks for so many deliveries at one moment.
  fileprivate func ask(_ requests: [(profile: String, event: AuditEvent)]) -> [Task<Delivery?, any Error>] {
    requests.map { request in
      Task {
        try await self.deliver(
          profile: request.profile, fingerprint: "f", freshness: .alive(at: self.clock.now()), event: request.event)
      }
    }
  }
}

/// Deliveries that are asked for at one moment.
struct SharedCommitTests {
  @Test("those who ask together share a transaction, and each has a row and its own session's credentials")
  func together() async throws {
    let opened = try await OpenedStore()
    let sessions = ["app-dev": try await opened.issue("app-dev"), "app-prod": try await opened.issue("app-prod")]
    let before = await opened.store.headSequence
    let commits = opened.commits.value.load(ordering: .relaxed)
    let asked = (0..<20).map { $0 % 2 == 0 ? "app-dev" : "app-prod" }
    let tasks = await opened.store.ask(asked.map { ($0, opened.event(.deliver, profile: $0)) })
    for (profile, task) in zip(asked, tasks) {
      let delivery = try #require(try await task.value)
      #expect(delivery.session.id == sessions[profile]?.id)
    }
    #expect(opened.commits.value.load(ordering: .relaxed) == commits + 1)
    #expect(await opened.store.headSequence == before + 20)
    var filter = AuditFilter()
    filter.action = .deliver
    #expect(try opened.reader().auditRecords(filter).map(\.event.sessionId) == asked.map { sessions[$0]?.id })
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: before + 20))
    #expect(try opened.reader().sessions(profile: "app-dev", includingEnded: false).map(\.deliveries) == [10])
  }

  @Test("one whose session was tampered with, or who has none, is no trouble of the others")
  func oneOfMany() async throws {
    let opened = try await OpenedStore(profiles: ["app-dev", "app-prod", "app-new"])
    let session = try await opened.issue("app-dev")
    try await opened.issue("app-prod")
    try opened.tamper("UPDATE session SET role_arn = 'arn:aws:iam::123456789012:role/other' WHERE id = '\(session.id)'")
    let before = await opened.store.headSequence
    let tasks = await opened.store.ask(
      ["app-prod", "app-dev", "app-new", "app-prod"].map { ($0, opened.event(.deliver, profile: $0)) })
    #expect(try await tasks[0].value != nil)
    await #expect(throws: SealError.self) { try await tasks[1].value }
    #expect(try await tasks[2].value == nil)
    #expect(try await tasks[3].value != nil)
    #expect(await opened.store.headSequence == before + 2)
  }

  @Test("where the rows cannot be committed, nobody who asked together gets credentials")
  func noRows() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    // Somebody else's row in the place of the next one.
    try opened.tamper(
      """
      CREATE TEMP TABLE t AS SELECT * FROM audit_event ORDER BY sequence DESC LIMIT 1; \
      UPDATE t SET sequence = sequence + 1, id = 'evt_x', subject = NULL; INSERT INTO audit_event SELECT * FROM t
      """)
    let tasks = await opened.store.ask((0..<5).map { _ in ("app-dev", opened.event(.deliver)) })
    for task in tasks { await #expect(throws: (any Error).self) { try await task.value } }
  }
}
