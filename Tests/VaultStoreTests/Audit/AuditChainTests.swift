import Foundation
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel

@testable import VaultStore

@Suite struct AuditChainTests {
  /// A log of some rows.
  private func openedLog() async throws -> OpenedStore {
    let opened = try await OpenedStore()
    for _ in 0..<5 { try await opened.issue() }
    for _ in 0..<5 { _ = try await opened.deliver() }
    try await opened.store.close()
    // The triggers go, and come back before anyone looks.
    try opened.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
    return opened
  }

  @Test(
    "the table refuses a mistake at an SQLite shell",
    arguments: ["UPDATE audit_event SET user = 'bob'", "DELETE FROM audit_event"])
  func appendOnly(_ sql: String) async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    let result = try await Subprocess.run("/usr/bin/sqlite3", [opened.path, sql], environment: [:])
    #expect(!result.succeeded && result.errors.contains("append-only"), "\(result.errors)")
  }

  @Test("each column of a row is bound by its hash")
  func eachColumn() async throws {
    let opened = try await openedLog()
    let texts = [
      "id", "profile", "role_arn", "role_session_name", "source_identity", "source_access_key_id", "access_key_id", "request_id",
      "endpoint", "reason",
      "error", "detail", "session_id", "intent_id", "user", "program", "executable", "directory", "parent", "host", "subject",
      "parents", "automation", "run", "scope",
    ]
    let numbers = ["time", "issued_at", "expires_at", "duration_seconds", "uid", "pid", "subject_version", "root_pid"]
    let changes =
      texts.map { ($0, "coalesce(\($0), '') || 'x'") } + numbers.map { ($0, "coalesce(\($0), 0) + 1000") }
      + [
        ("mfa", "1 - mfa"), ("outcome", "'failure'"), ("trigger", "'manual'"), ("form_version", "form_version + 1"),
        ("action", "'Locked'"), ("reason", "''"),
      ]
    for (column, value) in changes {
      let copy = TemporaryDirectory()
      try Tampering.copy(opened.path, to: copy.file("vault.db"))
      try Tampering.run("UPDATE audit_event SET \(column) = \(value) WHERE sequence = 8", on: copy.file("vault.db"))
      #expect(try AuditChain.verify(VaultReader(path: copy.file("vault.db"))) == .broken(.changed(sequence: 8)), "\(column)")
    }
  }

  @Test("a row that was removed, cut out at the start, or put at another place is named")
  func rows() async throws {
    let opened = try await openedLog()
    let last = try opened.reader().lastSequence()
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: last))
    func verdict(_ sql: String) throws -> AuditChain.Verdict {
      let copy = TemporaryDirectory()
      try Tampering.copy(opened.path, to: copy.file("vault.db"))
      try Tampering.run(sql, on: copy.file("vault.db"))
      return try AuditChain.verify(VaultReader(path: copy.file("vault.db")))
    }
    #expect(try verdict("DELETE FROM audit_event WHERE sequence = 5") == .broken(.missing(sequence: 5)))
    #expect(try verdict("DELETE FROM audit_event WHERE sequence = 1") == .broken(.missing(sequence: 1)))
    #expect(
      try verdict(
        "UPDATE audit_event SET sequence = -1 WHERE sequence = 6; UPDATE audit_event SET sequence = 6 WHERE sequence = 7; UPDATE audit_event SET sequence = 7 WHERE sequence = -1"
      ) == .broken(.reordered(sequence: 6, standsAt: 7)))
    #expect(
      try verdict("DELETE FROM audit_event WHERE sequence = 5; UPDATE audit_event SET sequence = sequence - 1 WHERE sequence > 5")
        == .broken(.missing(sequence: 5)))
    #expect(try verdict("UPDATE vault SET id = 'vlt_other'") == .broken(.unbound(sequence: 1)))
    #expect(try verdict("UPDATE audit_event SET action = 'Nonsense' WHERE sequence = 9") == .broken(.changed(sequence: 9)))
  }

  @Test("nothing is appended to a log whose last row was changed")
  func brokenHead() async throws {
    let opened = try await openedLog()
    let last = try opened.reader().lastSequence()
    try Tampering.run("UPDATE audit_event SET user = 'mallory' WHERE sequence = \(last)", on: opened.path)
    await #expect(throws: StoreError.chainBroken("row \(last) was changed")) {
      try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    }
  }

  @Test("the filters of the contract find what they name")
  func filters() async throws {
    let opened = try await OpenedStore()
    try await opened.issue("app-dev")
    opened.clock.advance(seconds: 60)
    let later = opened.clock.now()
    let prod = try await opened.issue("app-prod")
    _ = try await opened.deliver("app-prod")
    _ = try await opened.store.begin(opened.event(.assumeRole))
    func rows(_ change: (inout AuditFilter) -> Void) throws -> [AuditRecord] {
      var filter = AuditFilter()
      change(&filter)
      return try opened.reader().auditRecords(filter)
    }
    #expect(
      try rows {
        $0.profile = "app-prod"; $0.action = .assumeRole
      }.count == 1)
    #expect(try rows { $0.session = prod.id }.count == 2)
    #expect(
      try rows {
        $0.since = later; $0.outcome = .success
      }.allSatisfy { $0.time >= later })
    #expect(
      try rows {
        $0.until = later; $0.action = .assumeRole
      }.count == 1)
    #expect(try rows { $0.outcome = .intent }.count == 3)
    #expect(try rows { $0.action = .assumeRole }.map(\.event.outcome) == [.success, .success, .intent])
    #expect(try rows { $0.user = "nobody" }.isEmpty)
    #expect(try rows { $0.limit = 2 }.map(\.sequence) == rows { _ in }.suffix(2).map(\.sequence))
    #expect(
      try rows {
        $0.limit = 2; $0.reverse = true
      }.map(\.sequence) == rows { _ in }.suffix(2).reversed().map(\.sequence))
  }
}
