import TestSupport
import Testing
import VaultModel

@testable import VaultAudit
@testable import VaultDatabase

/// Rows that come from elsewhere: nothing of them is believed.
@Suite struct TeamStreamTests {
  /// The forms and hashes of a real log.
  private func forms(_ opened: OpenedStore) async throws -> [(form: [UInt8], hash: [UInt8])] {
    // With the log's keys at hand every row gets its code.
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    for _ in 0..<4 { try await issue(in: opened) }
    _ = try await opened.deliver()
    let reader = try opened.reader()
    let root = try #require(try reader.auditHash(of: 0))
    var forms: [(form: [UInt8], hash: [UInt8])] = []
    let fault = try reader.forEachAuditForm(after: ChainPosition(sequence: 0, hash: root), through: .max, limit: 1_000) { row in
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
    var writer = TeamStream.Writer(first: Timestamp(milliseconds: 1), last: Timestamp(milliseconds: 2))
    Self.withOrigin { origin in
      for (form, hash) in forms {
        form.withUnsafeBytes { form in hash.withUnsafeBytes { writer.add(form, hash: $0, from: origin) } }
      }
    }
    writer.end()
    return writer.bytes
  }

  private static func withOrigin(_ body: (RowOrigin) throws -> Void) rethrows {
    try Array("vlt_one".utf8).withUnsafeBytes { vault in
      try Array("laptop_1".utf8).withUnsafeBytes { login in
        try body(RowOrigin(vault: vault, login: login, receivedAt: 1 << 50, isEnrolled: true))
      }
    }
  }

  /// What came out of a stream.
  private struct Read {
    var records: [AuditRecord] = []
    var sessions: VaultReader?
    var leftOut = 0
    var isWhole = false
  }

  /// Reads in pieces of a size.
  private func read(_ bytes: [UInt8], pieces: Int) throws -> Read {
    let log = try TeamLog()
    var result = Read()
    var rows = ShippedRows()
    var marks = ShippedMarks()
    var reader = TeamStream.Reader()
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { reader.append($0) }
      try reader.consume { form, hash, origin in
        try rows.consume(form, hash: hash, from: origin) { line in
          if let record = AuditRecord(line) { result.records.append(record) }
          try marks.consume(line) { _, _, time, user in try log.add(line, time: time, user: user) }
        }
      }
    }
    result.sessions = try log.reader()
    result.leftOut = rows.leftOut
    result.isWhole = reader.hasEnded
    return result
  }

  @Test("every row comes through the pipe as it was, in pieces of any size", arguments: [1, 7, 300, 1 << 20])
  func whole(pieces: Int) async throws {
    let opened = try await OpenedStore()
    let bytes = stream(try await forms(opened))
    let there = try read(bytes, pieces: pieces)
    #expect(there.isWhole && there.leftOut == 0)
    let here = try opened.reader()
    var all = AuditFilter()
    all.includesIntents = true
    #expect(try there.records.map(\.event) == here.auditRecords(all).map(\.event))
    #expect(try there.records.map(\.hash) == here.auditRecords(all).map(\.hash))
    let spans = try #require(try there.sessions?.sessionSpans(AuditFilter(), maximum: 100))
    let own = try here.sessionSpans(AuditFilter(), maximum: 100)
    #expect(spans.map(\.id).sorted() == own.map { $0.id + "@vlt_one" }.sorted())
    #expect(spans.map(\.deliveries).reduce(0, +) == own.map(\.deliveries).reduce(0, +))
    #expect(Set(spans.map(\.endReason)) == Set(own.map(\.endReason)))
    #expect(spans.allSatisfy { $0.user?.hasSuffix(" (laptop_1)") == true })
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
        _ = try read(changed, pieces: 4_096)
      } catch is TeamStream.Damage {}
    }
    #expect(throws: TeamStream.Damage.self) { try read(bytes + [0], pieces: 1 << 20) }
    #expect(throws: TeamStream.Damage.self) { try read(Array("vault-team-rows-1\n".utf8) + bytes, pieces: 1 << 20) }
  }

  @Test("a row whose action is a newer version's is left out and counted, and so is one that makes no sense")
  func unknown() async throws {
    let opened = try await OpenedStore()
    var rows = ShippedRows()
    let records = try opened.reader().auditRecords(AuditFilter())
    let record = try #require(records.first)
    var values = AuditField.hashed.map { record[$0] }
    func set(_ field: AuditField, _ value: AuditValue) { values[Int(field.rawValue) - AuditField.unhashed] = value }
    var taken = 0
    func add(_ values: [AuditValue]) {
      var form = CanonicalRow()
      form.put(values, after: [UInt8](repeating: 0, count: 32))
      Self.withOrigin { origin in
        form.hash().withUnsafeBytes { rows.consume(form.bytes, hash: $0, from: origin) { _ in taken += 1 } }
      }
    }
    add(values)
    #expect(rows.leftOut == 0)
    set(.action, .text("InventedLater"))
    add(values)
    set(.action, .text("Locked"))
    set(.pid, .number(1 << 40))
    add(values)
    set(.pid, .text("pid"))
    add(values)
    set(.pid, .number(1))
    set(.time, .text("yesterday"))
    add(values)
    #expect(rows.leftOut == 4 && taken == 1)
  }
}
