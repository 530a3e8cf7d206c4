import Foundation
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

/// The ratchet, the signed heads and the head in the key store.
@Suite struct EvidenceTests {
  /// A log of some rows whose vault was unlocked: with codes, and a head for the key store.
  private func openedLog(rows: Int = 10) async throws -> (opened: OpenedStore, head: AuditCheckpoint) {
    let opened = try await OpenedStore()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await opened.issue()
    for _ in 0..<rows { _ = try await opened.deliver() }
    let head = try #require(try await opened.store.signedCheckpoint())
    try await opened.store.recordAnchored()
    return (opened, head)
  }

  private func copy(_ opened: OpenedStore, _ sql: String? = nil) throws -> (folder: TemporaryDirectory, path: String) {
    let folder = TemporaryDirectory()
    let path = folder.file("vault.db")
    try opened.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
    try Tampering.copy(opened.path, to: path)
    if let sql { try Tampering.run(sql, on: path) }
    return (folder, path)
  }

  private func verdict(_ path: String, _ verification: VerificationInput) throws -> AuditChain.Verdict {
    try AuditChain.verify(VaultReader(path: path), against: verification)
  }

  /// Opens the file as a new agent does that has the key and the key store's head.
  private func resume(_ path: String, _ opened: OpenedStore, _ head: AuditCheckpoint?) async throws {
    let store = try await VaultStore(path: path, clock: opened.clock, host: OpenedStore.me)
    try await store.unlock(key: opened.key, id: opened.keyId)
    try await store.resumeAudit(anchoredCheckpoint: head, requester: OpenedStore.me)
    try await store.close()
  }

  @Test("a whole log verifies with its head, and goes on under a new agent; rows from before an unlocking get their codes then")
  func goesOn() async throws {
    let (opened, head) = try await openedLog()
    #expect(try verdict(opened.path, VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
    try await opened.store.close()
    let again = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    for _ in 0..<3 { try await again.record(opened.event(.deliver, .refused)) }
    let unbound = "SELECT count(*) FROM audit_event WHERE mac IS NULL"
    let count = { try Database(path: opened.path, access: .readOnly).prepare(unbound).begin().first { $0.int(0) } }
    #expect(try count() == 3)
    try await again.unlock(key: opened.key, id: opened.keyId)
    try await again.resumeAudit(anchoredCheckpoint: head, requester: OpenedStore.me)
    #expect(try count() == 0)
    #expect(try verdict(opened.path, VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence + 3))
  }

  @Test("rows that were cut off, a database that was put back, and a log that was written anew are seen by the key store's head")
  func anchored() async throws {
    let (opened, head) = try await openedLog()
    let early = try copy(opened)
    for _ in 0..<5 { _ = try await opened.deliver() }
    let later = try #require(try await opened.store.signedCheckpoint())
    let verification = VerificationInput(anchoredCheckpoint: later)
    #expect(try verdict(early.path, verification) == .broken(.rolledBack(to: head.sequence, expected: later.sequence)))
    let cut = try copy(
      opened,
      "DELETE FROM audit_event WHERE sequence > 8; UPDATE session SET issued_at = issued_at + 1000, expires_at = expires_at + 1000"
    )
    #expect(try verdict(cut.path, verification) == .broken(.truncated(after: 8, expected: later.sequence)))
    for path in [early.path, cut.path] {
      await #expect(throws: StoreError.self) { try await resume(path, opened, later) }
    }
    let unanchored = try copy(opened)
    await #expect(throws: StoreError.chainBroken(AuditChain.Fault.checkpointMissing.description)) {
      try await resume(unanchored.path, opened, nil)
    }
  }

  @Test("whoever can write the database and computes every hash anew is found by the codes and by the head")
  func forger() async throws {
    let (opened, head) = try await openedLog()
    let last = try opened.reader().lastSequence()
    // A row behind the last, whole by itself; with a code made up, and without one.
    for code in [[UInt8](repeating: 7, count: 32), nil] {
      let forged = try copy(opened)
      let database = try Database(path: forged.path, access: .readWrite)
      let tail = try #require(
        try database.prepare("SELECT \(AuditRows.columns) FROM audit_event WHERE sequence = ?").begin().bind(last)
          .first { try AuditRows.read($0) })
      var record = tail
      record.sequence += 1
      record.id = "evt_forged"
      record.hash = AuditChain.hash(of: record, after: tail.hash)
      try AuditRows.insert(record, after: tail.hash, mac: code, isPending: true, into: database)
      if code != nil {
        await #expect(throws: StoreError.chainBroken("row \(last + 1) was not written by the vault")) {
          try await resume(forged.path, opened, head)
        }
      }
    }
    // An old row changed, and the chain made anew from there on: every hash is right, and the head is another.
    let rewritten = try copy(opened)
    try Forgery.rewrite(rewritten.path, at: 5) { $0.event.requester.user = "mallory" }
    #expect(try verdict(rewritten.path, VerificationInput()) == .whole(rows: last))
    #expect(
      try verdict(rewritten.path, VerificationInput(anchoredCheckpoint: head)) == .broken(.rewritten(sequence: head.sequence)))
    await #expect(throws: StoreError.self) { try await resume(rewritten.path, opened, head) }
  }

  @Test("an auditor's key finds what was written by one who had today's keys, from the first changed row on")
  func auditor() async throws {
    let (opened, _) = try await openedLog()
    let key = try await opened.store.makeVerificationKey(requester: OpenedStore.me)
    for _ in 0..<200 { _ = try await opened.deliver() }
    let head = try #require(try await opened.store.signedCheckpoint())
    #expect(try verdict(opened.path, VerificationInput(anchoredCheckpoint: head, key: key)) == .whole(rows: head.sequence))
    // The thief has the sealed ratchet, which is near the end, and so can give codes to the last rows alone.
    let stolen = try copy(opened)
    try Forgery.rewrite(stolen.path, at: 50) { $0.event.profile = "app-prod" }
    #expect(try verdict(stolen.path, VerificationInput(key: key)) == .broken(.forged(sequence: 50)))
    // Without codes at all, the gap tells.
    let bare = try copy(opened)
    try Forgery.rewrite(bare.path, at: 50, keepsCodes: false, until: 60) { $0.event.profile = "app-prod" }
    #expect(try verdict(bare.path, VerificationInput()) == .broken(.forged(sequence: 50)))
  }

  @Test("a log that was put back on purpose goes on after a person's word, and says so")
  func accepted() async throws {
    let (opened, _) = try await openedLog()
    let early = try copy(opened)
    for _ in 0..<5 { _ = try await opened.deliver() }
    let later = try #require(try await opened.store.signedCheckpoint())
    let store = try await VaultStore(path: early.path, clock: opened.clock, host: OpenedStore.me)
    try await store.unlock(key: opened.key, id: opened.keyId)
    await #expect(throws: StoreError.self) { try await store.resumeAudit(anchoredCheckpoint: later, requester: OpenedStore.me) }
    try await store.acceptAudit(requester: OpenedStore.me)
    let head = try #require(try await store.signedCheckpoint())
    #expect(try verdict(early.path, VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
    let actions = try VaultReader(path: early.path).auditRecords(AuditFilter()).suffix(2).map(\.event.action)
    #expect(actions == [.auditKeysMade, .auditAccepted])
  }

  @Test("an accepted log keeps its signed heads, and the key that signs them", arguments: [true, false])
  func acceptedHeads(hasKey: Bool) async throws {
    let (opened, _) = try await openedLog(rows: 600)
    let before = try #require(try await opened.store.signedCheckpoint())
    let early = try copy(
      opened, hasKey ? nil : "DELETE FROM audit_key")
    for _ in 0..<5 { _ = try await opened.deliver() }
    let later = try #require(try await opened.store.signedCheckpoint())
    let store = try await VaultStore(path: early.path, clock: opened.clock, host: OpenedStore.me)
    try await store.unlock(key: opened.key, id: opened.keyId)
    await #expect(throws: (any Error).self) { try await store.resumeAudit(anchoredCheckpoint: later, requester: OpenedStore.me) }
    try await store.acceptAudit(requester: OpenedStore.me)
    for _ in 0..<300 { try await store.record(opened.event(.deliver)) }
    let head = try #require(try await store.signedCheckpoint())
    #expect((head.publicKey == before.publicKey) == hasKey)
    #expect(try verdict(early.path, VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
    #expect(try verdict(early.path, VerificationInput(publicKey: head.publicKey)) == .whole(rows: head.sequence))
  }

  @Test("a failed transaction leaves the ratchet where the log is")
  func rolledBack() async throws {
    let (opened, _) = try await openedLog()
    await #expect(throws: CancellationError.self) {
      try await opened.store.failBehind(opened.event(.deliver))
    }
    _ = try await opened.deliver()
    let head = try #require(try await opened.store.signedCheckpoint())
    try await opened.store.close()
    try await resume(opened.path, opened, head)
  }

  @Test("the log's keys move with a new master key")
  func newMasterKey() async throws {
    let (opened, _) = try await openedLog(rows: 60)
    let key = SecretBytes.random(count: 32)
    let id = KeyID.random()
    try await opened.store.prepareKey(id, store: "passphrase")
    _ = try await opened.store.reseal(with: key, id: id, requester: OpenedStore.me)
    let head = try #require(try await opened.store.signedCheckpoint())
    try await opened.store.close()
    let again = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    try await again.unlock(key: key, id: id)
    try await again.resumeAudit(anchoredCheckpoint: head, requester: OpenedStore.me)
    #expect(try verdict(opened.path, VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
  }
}

extension VaultStore {
  /// A transaction of three rows that does not come to its end.
  fileprivate func failBehind(_ event: AuditEvent) throws {
    try change { store in
      for _ in 0..<3 { try store.append(event) }
      throw CancellationError()
    }
  }
}

/// What somebody can write who knows how the chain is made.
enum Forgery {
  /// Changes a row, and makes the chain anew from there on; codes are left as they are, or taken off up to `until`.
  static func rewrite(
    _ path: String, at sequence: Int64, keepsCodes: Bool = true, until: Int64 = .max, _ change: (inout AuditRecord) -> Void
  ) throws {
    let database = try Database(path: path, access: .readWrite)
    let rows = try database.prepare("SELECT \(AuditRows.columns) FROM audit_event WHERE sequence >= ? ORDER BY sequence").begin()
      .bind(sequence).rows { (record: try AuditRows.read($0), previous: AuditRows.previousHash($0), mac: AuditRows.mac($0)) }
    try database.prepare("DELETE FROM audit_event WHERE sequence >= ?").begin().bind(sequence).run()
    var previous = rows[0].previous
    for row in rows {
      var record = row.record
      if record.sequence == sequence { change(&record) }
      record.hash = AuditChain.hash(of: record, after: previous)
      let mac = keepsCodes || record.sequence >= until ? row.mac : nil
      try AuditRows.insert(record, after: previous, mac: mac, isPending: true, into: database)
      previous = record.hash
    }
  }
}
