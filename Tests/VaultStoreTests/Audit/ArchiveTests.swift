import Foundation
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

@Suite struct ArchiveTests {
  private func openedLog() async throws -> OpenedStore {
    let opened = try await OpenedStore()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await opened.store.addAccessKey(
      name: "work", credential: opened.credential("AKIAEXAMPLEEXAMPLE12", expiresAt: nil), mfaSerial: nil,
      requester: OpenedStore.me)
    return opened
  }

  /// As whoever has the file and gzip does.
  private func unpack(_ file: String, to path: String) async throws {
    let result = try await Subprocess.run("/usr/bin/gzip", ["-dc", file], environment: ["PATH": "/usr/bin:/bin"])
    try Data(result.outputBytes).write(to: URL(fileURLWithPath: path))
  }

  @Test(
    "old rows go to a signed file, the rest verifies, the file verifies, and what was sealed before still opens, ten times over")
  func rounds() async throws {
    let opened = try await openedLog()
    let key = try #require(try opened.reader().auditPublicKey())
    var files: [String] = []
    for round in 0..<10 {
      for _ in 0..<30 {
        try await opened.issue()
        _ = try await opened.deliver()
      }
      opened.clock.advance(seconds: 60)
      let file = opened.folder.file("archive-\(round).gz")
      let (segment, _) = try await opened.store.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
      #expect(segment.last - segment.first >= 80)
      files.append(file)
    }
    let head = try #require(try await opened.store.signedCheckpoint())
    #expect(
      try AuditChain.verify(opened.reader(), against: VerificationInput(anchoredCheckpoint: head)) == .whole(rows: head.sequence))
    for (file, segment) in zip(files, try opened.reader().auditSegments()) {
      let archive = try VaultReader(archive: file, digest: segment.digest)
      #expect(try AuditChain.verify(archive, against: VerificationInput(publicKey: key)) == .whole(rows: segment.last))
      #expect(try archive.auditRecords(AuditFilter()).first?.sequence == segment.first)
    }
    let mode = try FileManager.default.attributesOfItem(atPath: files[0])[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let again = try await opened.reopened()
    try await again.resumeAudit(anchoredCheckpoint: head, requester: OpenedStore.me)
    #expect(try await again.openAccessKey(name: "work") != nil)
    #expect(try await opened.deliver(from: again) != nil)
  }

  @Test("calls without an outcome stay in the log; a file that is there is not overwritten; nothing old enough is said")
  func bounds() async throws {
    let opened = try await openedLog()
    let file = opened.folder.file("archive.gz")
    await #expect(throws: StoreError.nothingToArchive) {
      try await opened.store.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
    }
    try await opened.issue()
    _ = try await opened.store.begin(opened.event(.assumeRole))
    let open = try opened.reader().lastSequence()
    try await opened.issue("app-prod")
    opened.clock.advance(seconds: 60)
    try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
    await #expect(throws: DatabaseError.self) {
      try await opened.store.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
    }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    #expect(try opened.reader().auditSegments().isEmpty)
    let (segment, _) = try await opened.store.archive(
      before: opened.clock.now(), to: file + "2", requester: OpenedStore.me)
    #expect(segment.last == open - 1)
  }

  @Test("an archive that was ended before the log named it makes room for the next; any other file keeps its name")
  func leftover() async throws {
    let opened = try await openedLog()
    let file = opened.folder.file("archive.gz")
    for _ in 0..<5 { try await opened.issue() }
    opened.clock.advance(seconds: 60)
    let before = opened.clock.now()
    let copy = opened.folder.file("copy")
    mkdir(copy, 0o700)
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: opened.path + suffix, toPath: copy + "/vault.db" + suffix)
    }
    let (done, _) = try await opened.store.archive(before: before, to: file, requester: OpenedStore.me)
    // As it was before the log named the file, and with more rows since.
    let again = try await VaultStore(path: copy + "/vault.db", clock: opened.clock, host: OpenedStore.me)
    try await again.unlock(key: opened.key, id: opened.keyId)
    try await again.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await opened.issue(in: again)
    opened.clock.advance(seconds: 60)
    let (segment, _) = try await again.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
    #expect(segment.first == done.first && segment.last >= done.last)
    let archive = try VaultReader(archive: file, digest: segment.digest)
    #expect(try AuditChain.verify(archive) == .whole(rows: segment.last))
    // The same file again is the log's own now.
    try await opened.issue(in: again)
    opened.clock.advance(seconds: 60)
    await #expect(throws: DatabaseError.self) {
      try await again.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
    }
    #expect(try AuditChain.verify(VaultReader(archive: file, digest: segment.digest)) == .whole(rows: segment.last))
  }

  @Test("the row whose head the key store has is the last that is taken out, so that an agent that dies then finds it")
  func throughTheHead() async throws {
    let opened = try await openedLog()
    try await opened.issue()
    let head = try #require(try await opened.store.signedCheckpoint())
    for _ in 0..<5 { try await opened.issue() }
    opened.clock.advance(seconds: 60)
    let (segment, _) = try await opened.store.archive(
      before: opened.clock.now(), through: head.sequence, to: opened.folder.file("archive.gz"), requester: OpenedStore.me)
    #expect(segment.last == head.sequence)
    let again = try await opened.reopened()
    try await again.resumeAudit(anchoredCheckpoint: head, requester: OpenedStore.me)
    #expect(try await opened.deliver(from: again) != nil)
  }

  @Test("an archive whose last row no signed head bears out is not whole, whatever stands before it", arguments: [true, false])
  func unsignedEnd(keepsOthers: Bool) async throws {
    let opened = try await openedLog()
    for _ in 0..<150 { try await opened.issue() }
    opened.clock.advance(seconds: 60)
    let key = try #require(try opened.reader().auditPublicKey())
    let file = opened.folder.file("archive.gz")
    let (segment, _) = try await opened.store.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
    // A database that is not compressed is read as well.
    let cut = opened.folder.file("cut.db")
    try await unpack(file, to: cut)
    chmod(cut, 0o600)
    let last = segment.last - 3
    try Tampering.run(
      "DELETE FROM audit_event WHERE sequence > \(last); DELETE FROM audit_checkpoint WHERE sequence > \(keepsOthers ? last : 0)",
      on: cut)
    for verification in [VerificationInput(), VerificationInput(publicKey: key)] {
      #expect(try AuditChain.verify(VaultReader(archive: cut), against: verification) == .broken(.unsigned(sequence: last)))
      #expect(try AuditChain.verify(VaultReader(archive: file), against: verification) == .whole(rows: segment.last))
    }
  }

  @Test(
    "an archive that a vault of an earlier form made stays provable, and one of a later form is refused", arguments: [3, 4, 99])
  func otherForm(version: Int) async throws {
    // Of schema 7, with rows of form 2.
    let file = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/form-2/archive.gz").path
    let folder = TemporaryDirectory()
    let other = folder.file("other.db")
    try await unpack(file, to: other)
    chmod(other, 0o600)
    try Tampering.run("DROP TABLE lease; PRAGMA user_version = \(version)", on: other)
    if version < 99 {
      #expect(try AuditChain.verify(VaultReader(archive: other)) == .whole(rows: 21))
    } else {
      #expect(throws: DatabaseError.self) { try VaultReader(archive: other) }
    }
  }

  @Test("rows cannot be taken out by anyone else: not with a head that the vault signed, nor may an archive be another")
  func forged() async throws {
    let opened = try await openedLog()
    for _ in 0..<150 { try await opened.issue() }
    opened.clock.advance(seconds: 60)
    let head = try #require(try await opened.store.signedCheckpoint())
    let signed = try #require(
      try Database(path: opened.path, access: .readOnly).prepare("SELECT min(sequence) FROM audit_checkpoint").begin()
        .first { $0.int(0) })
    let copy = opened.folder.file("copy.db")
    try await opened.store.close()
    try Tampering.copy(opened.path, to: copy)
    try Tampering.run(
      """
      INSERT INTO audit_segment SELECT 1, \(signed), (SELECT previous_hash FROM audit_event WHERE sequence = 1), \
      (SELECT hash FROM audit_event WHERE sequence = \(signed)), 0, '/nowhere', zeroblob(32); \
      DELETE FROM audit_event WHERE sequence <= \(signed)
      """, on: copy)
    #expect(
      try AuditChain.verify(VaultReader(path: copy), against: VerificationInput(anchoredCheckpoint: head))
        == .broken(.segment(sequence: signed)))
    let again = try await opened.reopened()
    try await again.resumeAudit(anchoredCheckpoint: head, requester: OpenedStore.me)
    let file = opened.folder.file("archive.gz")
    let (segment, _) = try await again.archive(before: opened.clock.now(), to: file, requester: OpenedStore.me)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: file))
    #expect(throws: AuditArchive.Damage.self) { try VaultReader(archive: file, digest: segment.digest) }
    let cut = bytes.prefix(bytes.count / 2)
    try cut.write(to: URL(fileURLWithPath: file))
    #expect(throws: (any Error).self) { try VaultReader(archive: file) }
    #expect(throws: (any Error).self) { try VaultReader(archive: "/dev/null") }
  }
}
