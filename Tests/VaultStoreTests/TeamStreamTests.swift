import TestSupport
import Testing
import VaultModel

@testable import VaultDatabase

/// Rows that come from elsewhere: nothing of them is believed.
@Suite struct TeamStreamTests {
  /// The forms and hashes of a real log.
  private func forms(_ opened: OpenedStore) async throws -> [(form: [UInt8], hash: [UInt8])] {
    // With the log's keys at hand every row gets its code.
    try await opened.store.resumeAudit(anchor: nil, requester: OpenedStore.me)
    for _ in 0..<4 { try await issue(in: opened) }
    _ = try await opened.deliver()
    let reader = try opened.reader()
    let root = try #require(try reader.auditHash(of: 0))
    var forms: [(form: [UInt8], hash: [UInt8])] = []
    let fault = try reader.forEachAuditForm(after: AuditPlace(sequence: 0, hash: root), through: .max, limit: 1_000) { row in
      forms.append((Array(row.form), row.hash))
      return true
    }
    #expect(fault == nil)
    return forms
  }

  /// With an event that says as much of the session as the agent's does.
  private func issue(in opened: OpenedStore) async throws {
    let now = opened.clock.now()
    let session = SessionRecord(
      id: Identifier.make("ses"), profile: "app-dev", kind: .role, fingerprint: "f",
      roleARN: "arn:aws:iam::123456789012:role/app-dev",
      roleSessionName: "alice@laptop", sourceIdentity: nil, accessKeyId: "ASIA" + Identifier.make("x").suffix(16).uppercased(),
      issuedAt: now, expiresAt: now.adding(seconds: 3_600))
    var event = opened.event(.assumeRole)
    event.roleARN = session.roleARN
    event.accessKeyId = session.accessKeyId
    event.issuedAt = session.issuedAt
    event.expiresAt = session.expiresAt
    let intent = try await opened.store.begin(event)
    try await opened.store.complete(
      intent, session: session, credential: opened.credential(session.accessKeyId, expiresAt: session.expiresAt), event: event)
  }

  private func stream(_ forms: [(form: [UInt8], hash: [UInt8])]) -> [UInt8] {
    var writer = TeamStream.Writer()
    for (form, hash) in forms { form.withUnsafeBytes { form in hash.withUnsafeBytes { writer.add(form, hash: $0) } } }
    writer.end()
    return writer.bytes
  }

  /// Reads in pieces of a size.
  private func read(_ bytes: [UInt8], pieces: Int) throws -> (log: TeamLog, isWhole: Bool) {
    let log = try TeamLog()
    var reader = TeamStream.Reader()
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { reader.append($0) }
      try reader.take { form, hash in try log.add(form, hash: hash) }
    }
    return (log, reader.hasEnded)
  }

  @Test("every row comes through the pipe as it was, in pieces of any size", arguments: [1, 7, 300, 1 << 20])
  func whole(pieces: Int) async throws {
    let opened = try await OpenedStore()
    let bytes = stream(try await forms(opened))
    let (log, isWhole) = try read(bytes, pieces: pieces)
    #expect(isWhole && log.leftOut == 0)
    let here = try opened.reader()
    let there = try log.reader()
    #expect(try there.auditRecords(AuditFilter()).map(\.event) == here.auditRecords(AuditFilter()).map(\.event))
    #expect(try there.auditRecords(AuditFilter()).map(\.hash) == here.auditRecords(AuditFilter()).map(\.hash))
    let spans = try there.sessionSpans(AuditFilter(), most: 100)
    let own = try here.sessionSpans(AuditFilter(), most: 100)
    #expect(spans.map(\.id).sorted() == own.map(\.id).sorted())
    #expect(spans.map(\.deliveries).reduce(0, +) == own.map(\.deliveries).reduce(0, +))
    #expect(Set(spans.map(\.endReason)) == Set(own.map(\.endReason)))
  }

  @Test("a stream that was cut has no end, and one that was changed is damaged or leaves rows out, and never traps")
  func broken() async throws {
    let opened = try await OpenedStore()
    let bytes = stream(try await forms(opened))
    for length in stride(from: 0, to: bytes.count, by: 53) { #expect(try !read(Array(bytes[..<length]), pieces: 97).isWhole) }
    let seed = UInt64.random(in: 1...1_000_000)
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do {
        let log = try read(changed, pieces: 4_096).log
        _ = try log.reader().auditRecords(AuditFilter())
      } catch is TeamStream.Damage {}
    }
    #expect(throws: TeamStream.Damage.self) { try read(bytes + [0], pieces: 1 << 20) }
    #expect(throws: TeamStream.Damage.self) { try read(Array("vault-team-rows-2\n".utf8) + bytes, pieces: 1 << 20) }
  }

  @Test("a row whose action is a newer version's is left out and counted, and so is one that makes no sense")
  func unknown() async throws {
    let opened = try await OpenedStore()
    let log = try TeamLog()
    let records = try opened.reader().auditRecords(AuditFilter())
    var values = AuditRows.values(try #require(records.first))
    func add(_ values: [AuditValue]) throws {
      var form = AuditForm()
      form.begin(after: [UInt8](repeating: 0, count: 32))
      for value in values { form.put(value) }
      try form.hash().withUnsafeBytes { try log.add(form.bytes, hash: $0) }
    }
    try add(values)
    #expect(log.leftOut == 0)
    values[3] = .text("InventedLater")
    try add(values)
    values[3] = .text("Locked")
    values[25] = .number(1 << 40)
    try add(values)
    values[25] = .text("pid")
    try add(values)
    values[25] = .number(1)
    values[2] = .text("yesterday")
    try add(values)
    #expect(log.leftOut == 4)
    #expect(try log.reader().auditRecords(AuditFilter()).count == 1)
  }
}
