import Foundation
import TestSupport
import Testing
import VaultModel

@testable import VaultAudit
@testable import VaultDatabase
@testable import VaultStore

/// A database whose tables somebody else changed: nothing is written beside them, and nothing handed out.
struct ForeignSchemaTests {
  /// What somebody with the file can add, change or take away.
  static let changes = [
    "CREATE TRIGGER t BEFORE INSERT ON audit_event WHEN NEW.action = 'Deliver' BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t AFTER INSERT ON audit_event BEGIN DELETE FROM audit_event WHERE sequence = NEW.sequence; END",
    "CREATE TRIGGER t BEFORE INSERT ON session BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t BEFORE UPDATE ON secret BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t AFTER INSERT ON lease BEGIN UPDATE lease SET port = 1; END",
    "CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN SELECT 1; END",
    "DROP TRIGGER audit_event_never_changed", "DROP INDEX audit_event_time", "CREATE INDEX mine ON setting_line (value)",
    "CREATE UNIQUE INDEX mine ON audit_event (action) WHERE action = 'Deliver'", "CREATE TABLE mine (a TEXT) STRICT",
    "CREATE VIEW mine AS SELECT 1", "CREATE VIRTUAL TABLE mine USING fts5(a)", "ALTER TABLE setting_line ADD COLUMN mine TEXT",
    "ALTER TABLE audit_event RENAME TO kept; CREATE VIEW audit_event AS SELECT * FROM kept WHERE action <> 'Deliver'",
  ]
  /// Behind SQLite's back, so that a running program goes on with the tables that it knows, and its rows are as ever.
  static let silent = """
    PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'scopes, flow)', 'scopes, flow) ON CONFLICT IGNORE') \
    WHERE name = 'sso_client'
    """

  private func shell(_ path: String, _ sql: String) async throws {
    let view = sql.contains(" ON v ") ? "CREATE VIEW v AS SELECT 1 AS a; " : ""
    let result = try await Subprocess.run("/usr/bin/sqlite3", [path, ".dbconfig defensive off", view + sql], environment: [:])
    try #require(result.succeeded, "\(sql): \(result.errors)")
  }

  @Test("a change of the tables beside a running vault is seen by the next write, which writes nothing", arguments: changes)
  func running(_ sql: String) async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    let before = try opened.reader().lastSequence()
    try await shell(opened.path, sql)
    await #expect(throws: DatabaseError.self) { _ = try await opened.deliver() }
    await #expect(throws: DatabaseError.self) { try await opened.store.record(opened.event(.locked)) }
    if !sql.contains("RENAME") { #expect(try opened.reader().lastSequence() == before) }
  }

  @Test("a changed table is named at the next opening, and nothing is written", arguments: changes + [silent])
  func opening(_ sql: String) async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    try await opened.store.close()
    try await shell(opened.path, sql)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: opened.path))
    let error = await #expect(throws: DatabaseError.self) {
      _ = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    }
    guard case .foreignSchema = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.exitStatus == .inputOutput)
    #expect(try Data(contentsOf: URL(fileURLWithPath: opened.path)) == bytes)
    if !sql.contains("RENAME") {
      guard case .broken(.unguarded) = try AuditChain.verify(opened.reader()) else {
        Issue.record("verify is content")
        return
      }
    }
  }

  @Test("a number of the schema that is not the tables' own is refused, and no migration runs", arguments: [-1, 0, 1, 2, 4, 99])
  func version(_ number: Int) async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    try await opened.store.close()
    try await shell(opened.path, "PRAGMA user_version = \(number)")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: opened.path))
    let error = await #expect(throws: DatabaseError.self) {
      _ = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    }
    #expect(error?.exitStatus == (number == 99 ? .configuration : .inputOutput))
    #expect(try Data(contentsOf: URL(fileURLWithPath: opened.path)) == bytes)
  }

  @Test("a vault of an earlier version, brought up to date, has the tables of a new one", arguments: 1..<Schema.version)
  func migrated(_ version: Int64) async throws {
    let folder = TemporaryDirectory()
    let path = folder.write("", to: "vault.db")
    let old = try Database(path: path, access: .readWrite)
    for number in 1...Int(version) { try Schema.migrate(old, to: number) }
    _ = try Schema.openForWriting(path: path, now: Timestamp(seconds: 1_795_435_200))
    try Schema.check(Database(path: path, access: .readOnly))
  }
}

/// The log's keys taken away: history is not made anew.
struct TakenEvidenceTests {
  private static let all = "DELETE FROM audit_key; DELETE FROM audit_checkpoint"

  @Test(
    "a vault whose log's keys, heads, or key row somebody took does not begin its log anew",
    arguments: [
      "DELETE FROM audit_key", "DELETE FROM audit_key WHERE name = 'signing'", "DELETE FROM audit_key WHERE name = 'ratchet'",
      all,
      all + "; DELETE FROM audit_event", all + "; UPDATE audit_event SET mac = NULL", "UPDATE audit_key SET is_anchored = 0",
      "UPDATE audit_key SET public_key = zeroblob(32)", "UPDATE audit_key SET sequence = 1, first = 1",
    ])
  func taken(_ sql: String) async throws {
    let opened = try await OpenedStore()
    for _ in 0..<3 { try await opened.issue() }
    let head = try await opened.store.signedCheckpoint()
    try #require(head != nil)
    try await opened.store.recordAnchored()
    try await opened.store.close()
    try opened.tamper(sql)
    let again = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    try await again.unlock(key: opened.key, id: opened.keyId)
    // The head in the key store is gone as well.
    await #expect(throws: (any Error).self) { try await again.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me) }
  }

  @Test("a vault that holds sealed secrets and says that it has no key gets no new one")
  func keyRow() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    try await opened.store.close()
    try opened.tamper("PRAGMA foreign_keys = OFF; DELETE FROM audit_key; DELETE FROM audit_checkpoint; DELETE FROM master_key")
    let again = try await VaultStore(path: opened.path, clock: opened.clock, host: OpenedStore.me)
    await #expect(throws: StoreError.self) {
      try await again.create(key: opened.key, id: opened.keyId, store: "passphrase", requester: OpenedStore.me)
    }
  }

  @Test("a second row that says that the log's keys were made is a fault, but where a person accepted the log")
  func again() async throws {
    let opened = try await OpenedStore()
    try await opened.store.acceptAudit(requester: OpenedStore.me)
    guard case .whole = try AuditChain.verify(opened.reader()) else {
      Issue.record("accepted, and not whole")
      return
    }
    var event = opened.event(.auditKeysMade)
    event.detail = "heads are signed by \(String(repeating: "0", count: 64))"
    try await opened.store.record(event)
    let last = try opened.reader().lastSequence()
    #expect(try AuditChain.verify(opened.reader()) == .broken(.keysMadeAgain(sequence: last)))
  }
}
