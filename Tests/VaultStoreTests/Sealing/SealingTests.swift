import Foundation
import TestSupport
import Testing
import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

@Suite struct SealingTests {
  private let place = AssociatedData(
    owner: SecretIdentity(table: "session", row: "ses_1", profile: "app-dev", facts: ["role", "arn"]), version: 1,
    createdAt: Timestamp(seconds: 1))
  private let cipher = EnvelopeCipher(
    master: SecretBytes(count: 32) { $0.copyBytes(from: (0..<32).map { UInt8($0) }) }, id: KeyID(bytes: Array(1...8))!)

  @Test("what is sealed opens where it was sealed")
  func roundTrip() throws {
    let secret = SecretBytes("the secret")
    #expect(try cipher.open(cipher.seal(secret, at: place), at: place).equals(secret))
  }

  @Test("an envelope moved to another table, row, column, profile, version or time, or beside other facts, does not open")
  func moved() throws {
    let envelope = cipher.seal(SecretBytes("the secret"), at: place)
    let changes: [(inout AssociatedData) -> Void] = [
      { $0.owner.table = "access_key" }, { $0.owner.row = "ses_2" }, { $0.column = "other" }, { $0.owner.profile = "app-prod" },
      { $0.owner.facts = ["role", "other"] }, { $0.owner.facts = ["role"] }, { $0.owner.facts = ["role", "arn", ""] },
      { $0.owner.facts = ["rolearn", ""] }, { $0.version = 2 }, { $0.createdAt = Timestamp(seconds: 2) },
      {
        $0.owner.table = "sessionses_1"; $0.owner.row = ""
      },
    ]
    for change in changes {
      var elsewhere = place
      change(&elsewhere)
      #expect(throws: SealError.notAuthentic(row: elsewhere.owner.name)) {
        try cipher.open(envelope, at: elsewhere)
      }
    }
  }

  @Test("every flipped bit of an envelope is seen, and each part's own error tells which")
  func flipped() {
    let envelope = cipher.seal(SecretBytes("the secret"), at: place)
    for index in envelope.indices {
      for bit in 0..<8 {
        var changed = envelope
        changed[index] ^= 1 << bit
        let expected: SealError =
          index < 5
          ? .malformed(row: "session ses_1")
          : index < 13 ? .unknownKey(row: "session ses_1") : .notAuthentic(row: "session ses_1")
        #expect(throws: expected) { try cipher.open(changed, at: place) }
      }
    }
  }

  @Test("an envelope cut at any length does not open")
  func cut() {
    let envelope = cipher.seal(SecretBytes("the secret"), at: place)
    for length in envelope.indices { #expect(throws: SealError.self) { try cipher.open(Array(envelope[..<length]), at: place) } }
  }

  @Test("another key with the same name does not open it, and is told by its check")
  func otherKey() {
    let other = EnvelopeCipher(master: SecretBytes.random(count: 32), id: cipher.id)
    let envelope = cipher.seal(SecretBytes("the secret"), at: place)
    #expect(other.check != cipher.check)
    #expect(throws: SealError.notAuthentic(row: "session ses_1")) { try other.open(envelope, at: place) }
  }

  @Test("no nonce comes twice")
  func nonces() {
    let secret = SecretBytes("x")
    let nonces = Set((0..<50_000).map { _ in cipher.seal(secret, at: place)[29..<EnvelopeCipher.headerLength] })
    #expect(nonces.count == 50_000)
  }

  @Test("of fifty sealed rows, no two can be exchanged")
  func swapped() async throws {
    let opened = try await OpenedStore()
    var sessions: [SessionRecord] = []
    for index in 0..<50 {
      sessions.append(try await opened.issue(index % 2 == 0 ? "app-dev" : "app-prod", fingerprint: "f\(index)"))
    }
    let store = opened.store
    for first in 0..<50 {
      let second = (first + 1 + first % 7) % 50
      let (a, b) = (sessions[first], sessions[second])
      let swap =
        "UPDATE secret SET envelope = (SELECT envelope FROM secret WHERE owner_id = '\(b.id)') WHERE owner_id = '\(a.id)'"
      let kept = try Database(path: opened.path, access: .readOnly).prepare(
        "SELECT hex(envelope) FROM secret WHERE owner_id = '\(a.id)'"
      ).begin().first { $0.text(0) }
      try opened.tamper(swap)
      await #expect(throws: SealError.notAuthentic(row: "session \(a.id)")) {
        try await store.deliver(
          profile: a.profile, fingerprint: a.fingerprint, freshness: .alive(at: opened.clock.now()),
          event: opened.event(.deliver, profile: a.profile))
      }
      try opened.tamper("UPDATE secret SET envelope = x'\(kept ?? "")' WHERE owner_id = '\(a.id)'")
    }
    #expect(try await opened.store.liveSessions().allSatisfy { $0.deliveries == 0 })
  }

  @Test("an older secret of an access key, put back, is refused as replayed")
  func replayedKey() async throws {
    let opened = try await OpenedStore()
    try await opened.store.addAccessKey(
      name: "alice", credential: opened.credential("AKIAIOSFODNN7EXAMPLE", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    let old = try Database(path: opened.path, access: .readOnly).prepare(
      "SELECT hex(envelope), record_version, created_at FROM secret"
    ).begin().first {
      ($0.text(0), $0.int(1), $0.int(2))
    }
    let (envelope, version, createdAt) = try #require(old)
    opened.clock.advance(seconds: 5)
    try await opened.store.addAccessKey(
      name: "alice", credential: opened.credential("AKIAIOSFODNN7EXAMPLE", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    try opened.tamper("UPDATE secret SET envelope = x'\(envelope)', record_version = \(version), created_at = \(createdAt)")
    let id = try #require(try await opened.store.accessKeys().first?.id)
    await #expect(throws: SealError.replayed(row: "access_key \(id)")) { try await opened.store.openAccessKey(name: "alice") }
  }

  @Test("a forgotten or replaced session, put back whole, is refused as replayed", arguments: [true, false])
  func replayedSession(forgotten: Bool) async throws {
    let opened = try await OpenedStore()
    let session = try await opened.issue()
    let row = try Database(path: opened.path, access: .readOnly).prepare(
      "SELECT hex(envelope), record_version, hex(key_id), created_at FROM secret"
    ).begin().first {
      "x'\($0.text(0))', \($0.int(1)), x'\($0.text(2))', \($0.int(3))"
    }
    let parts = try #require(row).split(separator: ", ")
    if forgotten {
      #expect(try await opened.store.forget(profile: "app-dev", requester: OpenedStore.me, trigger: .manual) == 1)
    } else {
      try await opened.issue()
      #expect(try await opened.store.forget(profile: "app-dev", requester: OpenedStore.me, trigger: .manual) == 1)
    }
    try opened.tamper("UPDATE session SET ended_at = NULL, end_reason = NULL WHERE id = '\(session.id)'")
    try opened.tamper(
      "INSERT INTO secret (owner_table, owner_id, envelope, record_version, key_id, created_at) VALUES ('session', '\(session.id)', \(parts.joined(separator: ", ")))"
    )
    await #expect(throws: SealError.replayed(row: "session \(session.id)")) { try await opened.deliver() }
  }

  @Test("a secret has no printable form")
  func unprintable() throws {
    let credential = Credential(
      accessKeyId: "AKIA", secretAccessKey: SecretBytes("hidden-secret"), sessionToken: SecretBytes("hidden-token"),
      expiresAt: nil)
    var dumped = ""
    dump(credential, to: &dumped)
    for text in [
      "\(credential)", String(reflecting: credential), dumped, "\(credential.secretAccessKey)",
      String(describing: [credential.secretAccessKey]),
    ] {
      #expect(!text.contains("hidden"))
    }
  }
}
