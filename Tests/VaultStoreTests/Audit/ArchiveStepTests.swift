import Foundation
import Synchronization
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

/// What others can do while rows are archived, and what is left where the agent is killed meanwhile.
@Suite struct ArchiveStepTests {
  private func openedLog(rows: Int) async throws -> OpenedStore {
    let opened = try await OpenedStore()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await opened.store.addAccessKey(
      name: "work", credential: opened.credential("AKIAEXAMPLEEXAMPLE12", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    try await opened.issue()
    try await opened.store.record([AuditEvent](repeating: opened.event(.deliver), count: rows))
    opened.clock.advance(seconds: 60)
    return opened
  }

  /// The files as they are at this moment: what a kill leaves.
  private static func keep(_ path: String, in folder: String) {
    mkdir(folder, 0o700)
    for suffix in ["", "-wal"] {
      try? FileManager.default.copyItem(atPath: path + suffix, toPath: folder + "/vault.db" + suffix)
    }
  }

  private func count(_ path: String) throws -> (rows: Int64, first: Int64, last: Int64) {
    let database = try Database(path: path, access: .readOnly)
    return try #require(
      try database.prepare("SELECT count(*), min(sequence), max(sequence) FROM audit_event").begin().first {
        ($0.int(0), $0.int(1), $0.int(2))
      })
  }

  @Test(
    "while 50,000 rows are archived, credentials are handed out between any two pieces, and their rows stay",
    .timeLimit(.minutes(5)))
  func others() async throws {
    let opened = try await openedLog(rows: 50_000)
    let steps = Mutex<[ArchiveStep]>([])
    let delivered = Mutex(0)
    let (segment, left) = try await opened.store.archive(
      before: opened.clock.now(), to: opened.folder.file("archive.gz"), atMost: AuditArchive.fullAt, requester: OpenedStore.me
    ) { step in
      steps.withLock { $0.append(step) }
      // Waits for the store: one that held its thread until the archive is done would never answer.
      if (try? await opened.deliver()) != nil { delivered.withLock { $0 += 1 } }
    }
    let seen = steps.withLock { $0 }
    let copying = seen.count { $0 == .copying }
    let clearing = seen.count { $0 == .clearing }
    #expect(copying >= 100 && clearing >= 50, "\(copying) \(clearing)")
    #expect(delivered.withLock { $0 } == seen.count)
    #expect(left == 0 && segment.last > 50_000)
    let head = try #require(try await opened.store.signedCheckpoint())
    #expect(
      try AuditChain.verify(opened.reader(), against: VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
    let table = try count(opened.path)
    #expect(table.first == segment.last + 1 && table.rows == table.last - segment.last)
    #expect(table.rows > Int64(seen.count))
  }

  @Test("an agent that is killed after any step of an archiving leaves a log that verifies, and the next one ends the work")
  func kills() async throws {
    let opened = try await openedLog(rows: 2_000)
    let folder = opened.folder.path
    let path = opened.path
    let file = opened.folder.file("archive.gz")
    let kept = Mutex<[(step: ArchiveStep, folder: String)]>([])
    _ = try await opened.store.archive(
      before: opened.clock.now(), to: file, atMost: AuditArchive.fullAt, requester: OpenedStore.me
    ) { step in
      kept.withLock {
        let copy = "\(folder)/killed-\($0.count)"
        Self.keep(path, in: copy)
        $0.append((step, copy))
      }
    }
    let copies = kept.withLock { $0 }
    #expect(Set(copies.map(\.step)).count == 5)
    for (step, copy) in copies {
      let last = try count(copy + "/vault.db").last
      #expect(try AuditChain.verify(VaultReader(path: copy + "/vault.db")) == .whole(rows: last), "\(step)")
      let again = try await VaultStore(path: copy + "/vault.db", clock: opened.clock, host: OpenedStore.me)
      try await again.unlock(key: opened.key, id: opened.keyId)
      try await again.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
      try await again.clearArchived()
      #expect(try await again.openAccessKey(name: "work") != nil, "\(step)")
      #expect(try await opened.deliver(from: again) != nil, "\(step)")
      let reader = try VaultReader(path: copy + "/vault.db")
      let end = try reader.auditSegments().last?.last ?? 0
      let table = try count(copy + "/vault.db")
      #expect(table.first == end + 1 && table.rows == table.last - end && table.last >= last, "\(step)")
      #expect(end == 0 || [.named, .clearing].contains(step), "\(step)")
      #expect(try AuditChain.verify(reader) == .whole(rows: table.last), "\(step)")
    }
  }

  @Test("archived rows that still stand are proven: one that was changed, put in or taken from between is named")
  func leftovers() async throws {
    let opened = try await openedLog(rows: 500)
    let path = opened.path
    let copies = ["changed", "removed", "inserted"].map { opened.folder.file($0) }
    let (segment, _) = try await opened.store.archive(
      before: opened.clock.now(), to: opened.folder.file("archive.gz"), atMost: AuditArchive.fullAt, requester: OpenedStore.me
    ) { step in
      guard step == .clearing, !FileManager.default.fileExists(atPath: copies[0]) else { return }
      for copy in copies { Self.keep(path, in: copy) }
    }
    let from = try count(copies[0] + "/vault.db").first
    #expect(from > 1 && from < segment.last)
    let database = "/vault.db"
    try Tampering.run("UPDATE audit_event SET user = 'mallory' WHERE sequence = \(from + 9)", on: copies[0] + database)
    try Tampering.run("DELETE FROM audit_event WHERE sequence = \(from + 9)", on: copies[1] + database)
    try Tampering.run("UPDATE audit_event SET sequence = 1 WHERE sequence = \(from)", on: copies[2] + database)
    #expect(try AuditChain.verify(VaultReader(path: copies[0] + database)) == .broken(.changed(sequence: from + 9)))
    #expect(try AuditChain.verify(VaultReader(path: copies[1] + database)) == .broken(.missing(sequence: from + 9)))
    guard case .broken = try AuditChain.verify(VaultReader(path: copies[2] + database)) else {
      Issue.record("a row in another place was not found")
      return
    }
  }

  @Test("a file that is full ends there, and says how many rows are for the next")
  func full() async throws {
    let opened = try await openedLog(rows: 5_000)
    let (first, left) = try await opened.store.archive(
      before: opened.clock.now(), to: opened.folder.file("1.gz"), atMost: 1 << 20, requester: OpenedStore.me
    ) { _ in }
    #expect(left > 1_000 && first.last < 4_000)
    let (second, _) = try await opened.store.archive(
      before: opened.clock.now(), to: opened.folder.file("2.gz"), requester: OpenedStore.me)
    #expect(second.first == first.last + 1 && second.last >= first.last + left)
    #expect(try AuditChain.verify(VaultReader(archive: opened.folder.file("2.gz"))) == .whole(rows: second.last))
  }

  @Test("a long log without codes gets them while the vault serves; a kill meanwhile loses nothing, and the next goes on")
  func macs() async throws {
    let opened = try await OpenedStore()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    let path = opened.path
    // As it is where the vault was locked for long.
    let closed = try await opened.reopenedLocked()
    try await closed.record([AuditEvent](repeating: opened.event(.deliver, .refused), count: 5_000))
    try await closed.unlock(key: opened.key, id: opened.keyId)
    try await closed.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    #expect(await closed.hasRowsWithoutMAC)
    #expect(try await closed.signedCheckpoint() == nil)
    let copy = opened.folder.file("killed")
    let delivered = Mutex(0)
    try await closed.addMACs {
      try? await closed.record(opened.event(.deliver))
      let isThird = delivered.withLock {
        $0 += 1
        return $0 == 3
      }
      if isThird { Self.keep(path, in: copy) }
    }
    #expect(delivered.withLock { $0 } > 10)
    #expect(await !closed.hasRowsWithoutMAC)
    let head = try #require(try await closed.signedCheckpoint())
    #expect(
      try AuditChain.verify(opened.reader(), against: VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
    // The half-coded one.
    #expect(try AuditChain.verify(VaultReader(path: copy + "/vault.db")) == .whole(rows: count(copy + "/vault.db").last))
    let again = try await VaultStore(path: copy + "/vault.db", clock: opened.clock, host: OpenedStore.me)
    try await again.unlock(key: opened.key, id: opened.keyId)
    try await again.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await again.addMACs()
    let end = try #require(try await again.signedCheckpoint())
    #expect(
      try AuditChain.verify(VaultReader(path: copy + "/vault.db"), against: VerificationInput(anchoredCheckpoint: end))
        == .whole(rows: end.sequence))
  }
}
