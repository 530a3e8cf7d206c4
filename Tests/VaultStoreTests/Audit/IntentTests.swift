import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel

@testable import VaultStore

@Suite struct IntentTests {
  private func outcomes(of opened: OpenedStore) throws -> [AuditOutcome] {
    var filter = AuditFilter()
    filter.action = .assumeRole
    return try opened.reader().auditRecords(filter).map(\.event.outcome)
  }

  private func session(_ opened: OpenedStore) -> SessionRecord {
    let now = opened.clock.now()
    return SessionRecord(
      id: Identifier.make("ses"), profile: "app-dev", kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil,
      sourceIdentity: nil, accessKeyId: "ASIA", issuedAt: now, expiresAt: now.adding(seconds: 3_600))
  }

  @Test("an intent has one outcome: a second is refused and changes nothing")
  func once() async throws {
    let opened = try await OpenedStore()
    let intent = try await opened.store.begin(opened.event(.assumeRole))
    try await opened.store.fail(intent, event: opened.event(.assumeRole, .failure))
    await #expect(throws: StoreError.unknownIntent(intent)) {
      try await opened.store.fail(intent, event: opened.event(.assumeRole, .failure))
    }
    await #expect(throws: StoreError.unknownIntent(intent)) {
      try await opened.store.complete(
        intent, session: session(opened), credential: opened.credential("ASIA", expiresAt: nil), event: opened.event(.assumeRole))
    }
    #expect(try outcomes(of: opened) == [.failure])
    #expect(try await opened.deliver() == nil)
  }

  @Test("a session without an intent is refused")
  func none() async throws {
    let opened = try await OpenedStore()
    await #expect(throws: StoreError.unknownIntent("evt_made_up")) {
      try await opened.store.complete(
        "evt_made_up", session: session(opened), credential: opened.credential("ASIA", expiresAt: nil),
        event: opened.event(.assumeRole))
    }
    #expect(try await opened.store.liveSessions().isEmpty)
  }

  @Test("an outcome that could not be written can be tried again")
  func again() async throws {
    let opened = try await OpenedStore()
    let intent = try await opened.store.begin(opened.event(.assumeRole))
    var nowhere = session(opened)
    nowhere.profile = "nobody"
    await #expect(throws: StoreError.unknownProfile("nobody")) {
      try await opened.store.complete(
        intent, session: nowhere, credential: opened.credential("ASIA", expiresAt: nil), event: opened.event(.assumeRole))
    }
    try await opened.store.fail(intent, event: opened.event(.assumeRole, .failure))
    #expect(try outcomes(of: opened) == [.failure])
  }

  @Test("a profile that is not there cannot be removed, and no row says that it was")
  func removeNobody() async throws {
    let opened = try await OpenedStore()
    let before = try opened.reader().lastSequence()
    try await opened.store.removeProfile("app-dev", requester: OpenedStore.me)
    for name in ["nobody", "app-dev"] {
      await #expect(throws: StoreError.unknownProfile(name)) {
        try await opened.store.removeProfile(name, requester: OpenedStore.me)
      }
    }
    #expect(try opened.reader().lastSequence() == before + 1)
  }

  @Test("a row that another program wrote is seen, the next one follows it, and the proof names it")
  func foreignRow() async throws {
    let opened = try await OpenedStore()
    let other = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    try await other.record(opened.event(.locked))
    await #expect(throws: DatabaseError.self) { try await opened.store.record(opened.event(.locked)) }
    try await opened.store.record(opened.event(.unlocked))
    let last = try opened.reader().lastSequence()
    #expect(try AuditChain.verify(opened.reader()) == .broken(.forged(sequence: last - 1)))
  }
}
