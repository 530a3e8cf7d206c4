import Foundation
import Glibc
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel

@testable import VaultStore

@Suite struct SchemaTests {
  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test("a database of a newer vault is refused and left byte for byte as it is")
  func newer() async throws {
    let opened = try await OpenedStore()
    try await opened.store.close()
    try opened.tamper("PRAGMA user_version = 99")
    try opened.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
    let before = try bytes(opened.path)
    await #expect(throws: DatabaseError.newerSchema(path: opened.path, found: 99, known: Schema.version)) {
      try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    }
    #expect(throws: DatabaseError.newerSchema(path: opened.path, found: 99, known: Schema.version)) { try opened.reader() }
    #expect(try bytes(opened.path) == before)
  }

  @Test("what is no database is refused and left as it is", arguments: [16, 100, 5_000])
  func notADatabase(length: Int) async throws {
    let folder = TemporaryDirectory()
    let path = folder.write(String(repeating: "x", count: length), to: "vault.db")
    await #expect(throws: DatabaseError.corrupt(path: path)) {
      try await VaultStore(path: path, clock: FakeClock(), host: OpenedStore.me)
    }
    #expect(try bytes(path) == Data(repeating: 0x78, count: length))
  }

  @Test("flipped bytes are seen or do no harm: never another credential", arguments: 0..<40)
  func flipped(seed: Int) async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    try await opened.store.close()
    var content = try bytes(opened.path)
    var random = SystemRandomNumberGenerator()
    let offsets = (0..<8).map { _ in Int.random(in: 100..<content.count, using: &random) }
    for offset in offsets { content[offset] ^= UInt8.random(in: 1...255, using: &random) }
    try content.write(to: URL(fileURLWithPath: opened.path))
    chmod(opened.path, 0o600)
    do {
      let again = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
      try await again.unlock(key: opened.key, id: opened.keyId)
      guard let delivery = try await opened.deliver(from: again) else { return }
      #expect(delivery.credential.secretAccessKey.equals(.init(OpenedStore.secret)), "offsets \(offsets)")
    } catch {
      #expect(error is any ReportableError, "offsets \(offsets): \(error)")
    }
  }

  @Test(
    "a file that others can read, that is linked, or is no plain file is refused",
    arguments: ["mode", "symlink", "hardlink", "fifo", "folder"])
  func insecure(kind: String) async throws {
    let opened = try await OpenedStore()
    try await opened.store.close()
    let path = opened.folder.file("other.db")
    switch kind {
    case "mode":
      rename(opened.path, path)
      chmod(path, 0o640)
    case "symlink": symlink(opened.path, path)
    case "hardlink": link(opened.path, path)
    case "fifo": mkfifo(path, 0o600)
    default: mkdir(path, 0o700)
    }
    await #expect(throws: DatabaseError.self) { try await VaultStore(path: path, clock: opened.clock, host: OpenedStore.me) }
    #expect(throws: DatabaseError.self) { try VaultReader(path: path) }
  }

  @Test("a full disk refuses what must be logged, loses nothing, and is forgotten once there is room")
  func full() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    let store = opened.store
    try await store.limitPages(true)
    var refused: DatabaseError?
    for _ in 0..<2_000 where refused == nil {
      do { _ = try await opened.deliver() } catch let error as DatabaseError { refused = error }
    }
    #expect(refused == .full(path: opened.path))
    let rows = try opened.reader().lastSequence()
    await #expect(throws: DatabaseError.full(path: opened.path)) {
      for _ in 0..<200 { _ = try await store.begin(opened.event(.assumeRole)) }
    }
    try await store.limitPages(false)
    #expect(try await opened.deliver() != nil)
    #expect(try opened.reader().lastSequence() >= rows + 1)
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: try opened.reader().lastSequence()))
  }

  @Test("sixteen readers beside the one writer and its checkpoints see no error and no half-written row")
  func readers() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    let end = Date().addingTimeInterval(4)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<16 {
        group.addTask {
          try await onOwnThread {
            var reads = 0
            // Once at least, however late its turn comes on a busy machine.
            repeat {
              let reader = try VaultReader(path: opened.path)
              let last = try reader.lastSequence()
              guard case .whole(let rows) = try AuditChain.verify(reader), rows >= last else {
                throw DatabaseError.corrupt(path: opened.path)
              }
              #expect(try reader.sessions(profile: nil, includingEnded: true).count >= 1)
              reads += 1
            } while Date() < end
            return reads
          }
        }
      }
      group.addTask {
        var writes = 0
        repeat {
          _ = try await opened.deliver()
          if writes % 50 == 0 { try await opened.issue() }
          if writes % 20 == 0 { try await opened.store.checkpoint() }
          writes += 1
        } while Date() < end
        return writes
      }
      for try await count in group { #expect(count > 0) }
    }
    let check = try Database(path: opened.path, access: .readOnly).prepare("PRAGMA integrity_check").begin().first { $0.text(0) }
    #expect(check == "ok")
  }

  @Test("a reader of a vault that is not there yet finds nothing, and makes nothing")
  func absent() throws {
    let folder = TemporaryDirectory()
    let reader = try VaultReader(path: folder.file("vault.db"))
    #expect(try reader.profileNames().isEmpty && reader.auditRecords(AuditFilter()).isEmpty && reader.vaultId() == nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("the writer's connection may not make, change or attach anything but rows")
  func restricted() async throws {
    let opened = try await OpenedStore()
    for sql in [
      "CREATE TABLE x (y)", "DROP TABLE audit_event", "DROP TRIGGER audit_event_never_changed", "ATTACH ':memory:' AS other",
    ] {
      await #expect(throws: DatabaseError.self) { try await opened.store.attempt(sql) }
    }
  }
}

extension VaultStore {
  /// A disk that is full at the present size, or one that is not.
  func limitPages(_ isFull: Bool) throws {
    let pages = try database.prepare("PRAGMA page_count").begin().first { $0.int(0) } ?? 0
    let pragma = "PRAGMA max_page_count = \(isFull ? pages : 1_000_000)"
    try database.execute(pragma)
  }

  func attempt(_ sql: String) throws { try database.execute(sql) }
}
