import Foundation
import Glibc
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

@Suite struct StoreTests {
  @Test("a session is delivered as it was issued, and each delivery is a row and a count")
  func deliver() async throws {
    let opened = try await OpenedStore()
    let session = try await opened.issue()
    for count in 1...3 {
      let delivery = try #require(try await opened.deliver())
      #expect(delivery.session.id == session.id)
      #expect(delivery.credential.secretAccessKey.equals(SecretBytes(OpenedStore.secret)))
      #expect(delivery.credential.sessionToken?.equals(SecretBytes(OpenedStore.token)) == true)
      #expect(try await opened.store.liveSessions().first?.deliveries == Int64(count))
    }
    var filter = AuditFilter()
    filter.action = .deliver
    let rows = try opened.reader().auditRecords(filter)
    #expect(
      rows.count == 3 && rows.allSatisfy { $0.event.accessKeyId == session.accessKeyId && $0.event.sessionId == session.id })
  }

  @Test("a session that is due is not handed out as fresh, one that is over not at all")
  func freshness() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    opened.clock.advance(seconds: 2_400)
    #expect(
      try await opened.store.openSession(profile: "app-dev", fingerprint: "f", freshness: .notDue(at: opened.clock.now())) == nil)
    #expect(
      try await opened.store.openSession(profile: "app-dev", fingerprint: "f", freshness: .alive(at: opened.clock.now())) != nil)
    let later = opened.clock.now().adding(seconds: 1_300)
    #expect(
      try await opened.store.openSession(
        profile: "app-dev", fingerprint: "f", freshness: .livesUntil(later, at: opened.clock.now())) == nil)
    opened.clock.advance(seconds: 1_200)
    #expect(try await opened.deliver() == nil)
  }

  @Test("the history says what ended a session and what took its place; no secret of it is left")
  func history() async throws {
    let opened = try await OpenedStore()
    let first = try await opened.issue()
    let second = try await opened.issue()
    opened.clock.advance(seconds: 3_600)
    #expect(try await opened.store.endExpired(requester: OpenedStore.me) == 1)
    let sessions = try opened.reader().sessions(profile: "app-dev", includingEnded: true)
    #expect(sessions.map(\.endReason) == [.replaced, .expired])
    #expect(sessions[0].id == first.id && sessions[0].replacedBy == second.id)
    let left = try Database(path: opened.path, access: .readOnly).prepare("SELECT count(*) FROM secret").begin().first {
      $0.int(0)
    }
    #expect(left == 0)
  }

  @Test("an intent that a killed agent left becomes an outcome that is unknown")
  func orphans() async throws {
    let opened = try await OpenedStore()
    let intent = try await opened.store.begin(opened.event(.assumeRole))
    let again = try await opened.reopened()
    var filter = AuditFilter()
    filter.action = .assumeRole
    let rows = try opened.reader().auditRecords(filter)
    #expect(rows.map(\.event.outcome) == [.unknown] && rows[0].event.intentId == intent)
    try await again.close()
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: try opened.reader().lastSequence()))
  }

  @Test("a changed master key opens everything that the old one sealed, and the old one nothing")
  func reseal() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    try await opened.store.addAccessKey(
      name: "alice", credential: opened.credential("AKIAIOSFODNN7EXAMPLE", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    let (next, id) = (SecretBytes.random(count: 32), KeyID.random())
    try await opened.store.prepareKey(id, store: "passphrase")
    #expect(try await opened.store.reseal(with: next, id: id, requester: OpenedStore.me) == 2)
    try await opened.store.finishRotation(retired: opened.keyId)
    #expect(try await opened.deliver() != nil)
    #expect(try await opened.store.openAccessKey(name: "alice") != nil)
    await opened.store.lock()
    await #expect(throws: StoreError.unknownKey(opened.keyId)) {
      try await opened.store.unlock(key: opened.key, id: opened.keyId)
    }
    await #expect(throws: StoreError.wrongKey(id)) { try await opened.store.unlock(key: opened.key, id: id) }
    try await opened.store.unlock(key: next, id: id)
    #expect(try await opened.deliver() != nil)
  }

  @Test("a change of the key that fails half-way leaves everything under the old one")
  func resealFails() async throws {
    let opened = try await OpenedStore()
    let good = try await opened.issue(fingerprint: "good")
    let bad = try await opened.issue(fingerprint: "bad")
    try opened.tamper("UPDATE secret SET envelope = zeroblob(200) WHERE owner_id = '\(bad.id)'")
    let id = KeyID.random()
    try await opened.store.prepareKey(id, store: "passphrase")
    await #expect(throws: SealError.malformed(row: "session \(bad.id)")) {
      try await opened.store.reseal(with: SecretBytes.random(count: 32), id: id, requester: OpenedStore.me)
    }
    #expect(try await opened.deliver(fingerprint: "good")?.session.id == good.id)
    #expect(try await opened.store.keyRecords().first { $0.state == .active }?.id == opened.keyId)
  }

  @Test("a locked store seals and opens nothing")
  func locked() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    await opened.store.lock()
    await #expect(throws: StoreError.locked) { try await opened.deliver() }
    await #expect(throws: StoreError.locked) { try await opened.store.begin(opened.event(.assumeRole)) }
  }

  @Test("a second first key is refused")
  func secondKey() async throws {
    let opened = try await OpenedStore()
    await #expect(throws: StoreError.keyExists) {
      try await opened.store.create(
        key: SecretBytes.random(count: 32), id: .random(), store: "passphrase", requester: OpenedStore.me)
    }
  }

  @Test(
    "names that try to be something else are kept as they are",
    arguments: [
      "'; DROP TABLE profile; --", "a\u{0}b", "\u{1B}[2J", String(repeating: "n", count: 10_000), "ünï\u{202E}cödé", "%s%n",
    ])
  func hostileNames(name: String) async throws {
    let opened = try await OpenedStore(profiles: [name, "other"])
    try await opened.issue(name)
    #expect(try await opened.deliver(name) != nil)
    #expect(Set(try opened.reader().profileNames()) == [name, "other"])
    #expect(try opened.reader().section(.profile, name)?.text("region") == "us-east-1")
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: try opened.reader().lastSequence()))
  }

  @Test("a planted secret is in no file of the vault in the clear, before and after it is replaced")
  func canary() async throws {
    let opened = try await OpenedStore()
    for _ in 0..<20 { try await opened.issue() }
    try await opened.store.addAccessKey(
      name: "alice", credential: opened.credential("AKIAIOSFODNN7EXAMPLE", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    for round in 0..<2 {
      for file in try FileManager.default.contentsOfDirectory(atPath: opened.folder.path) {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: opened.folder.file(file)))
        for secret in [OpenedStore.secret, OpenedStore.token] {
          #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(file), round \(round)")
        }
      }
      try await opened.store.close()
    }
  }
}
