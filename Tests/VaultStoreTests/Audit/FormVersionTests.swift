import TestSupport
import Testing
import VaultDatabase
import VaultModel

@testable import VaultAudit

/// A field that is added to the audit log, in a branch of its table: `ticket`, hashed from version 4 of the form on.
@Suite struct FormVersionTests {
  private static let branch = AuditTable(
    AuditColumn.all.sorted { $0.field.rawValue < $1.field.rawValue }.map { (name: $0.sql.description, form: $0.form) }
      + [(name: "ticket", form: 4)])

  /// A log whose older rows have the current form, and whose last `count` have the next.
  private static func log(_ count: Int) async throws -> (opened: OpenedStore, database: Database, old: Int64) {
    let opened = try await OpenedStore()
    for _ in 0..<5 { _ = try await opened.issue() }
    try await opened.store.close()
    let database = try Database(path: opened.path, access: .readWrite)
    try database.execute("ALTER TABLE audit_event ADD COLUMN ticket TEXT")
    let reader = try opened.reader()
    let old = try reader.lastSequence()
    var previous = try #require(try reader.auditHash(of: old))
    var record = try #require(try reader.auditRecords(AuditFilter()).last)
    for number in 0..<count {
      record.sequence += 1
      record.id = "evt_\(number)"
      (record.subject, record.subjectVersion) = (nil, nil)
      let values = AuditField.hashed.map { record[$0] } + [AuditValue.text("T-\(number)")]
      var form = CanonicalRow(branch)
      form.put(values, after: previous)
      let hash = form.hash()
      let names = branch.selection()
      let places = Array(repeating: "?", count: names.split(separator: ",").count).joined(separator: ", ")
      let sql = "INSERT INTO audit_event (\(names)) VALUES (\(places))"
      let insert = try database.prepare(sql).begin()
      try insert.bind(hash).bind(previous).bind(nil as [UInt8]?).bind(Int64(branch.version))
      for value in values {
        switch value {
        case .none: try insert.bind(nil as Int64?)
        case .text(let text): try insert.bind(text)
        case .number(let number): try insert.bind(number)
        }
      }
      try insert.runOnce()
      previous = hash
    }
    return (opened, database, old)
  }

  /// What a pass over the rows finds, and how far it comes.
  private static func pass(_ database: Database, _ table: AuditTable, vaultId: String) throws -> (AuditChain.Fault?, Int64) {
    var pass = VerificationPass(
      after: VerifiedRange(at: ChainPosition(sequence: 0, hash: AuditChain.root(vaultId: vaultId))),
      verification: VerificationInput(), checkpoints: [], table: table)
    let sql = "SELECT \(table.selection()) FROM audit_event ORDER BY sequence"
    let rows = try database.prepare(sql).begin()
    while try rows.step() { if let fault = pass.check(rows) { return (fault, pass.sequence) } }
    return (nil, pass.sequence)
  }

  @Test("with a hashed field added, rows of the form before still verify, and so do those with the field")
  func addedField() async throws {
    let (opened, database, old) = try await Self.log(4)
    let vaultId = try #require(try opened.reader().vaultId())
    #expect(Self.branch.version == 4 && Self.branch.count(of: 3) == AuditField.hashed.count)
    let (fault, end) = try Self.pass(database, Self.branch, vaultId: vaultId)
    #expect(fault == nil && end == old + 4)
    try database.execute("DROP TRIGGER audit_event_never_changed")
    // The added field is bound by the hash, and so is the absence of it.
    for (change, sequence) in [
      ("ticket = 'T-other' WHERE sequence = \(old + 2)", old + 2), ("form_version = 3 WHERE sequence = \(old + 1)", old + 1),
      ("form_version = 4 WHERE sequence = \(old)", old),
      // Nor can a row of a form before have it.
      ("ticket = 'T' WHERE sequence = \(old - 1)", old - 1), ("form_version = 5 WHERE sequence = 3", 3),
      ("form_version = 2 WHERE sequence = 2", 2), ("form_version = 259 WHERE sequence = 1", 1),
    ] {
      let sql = "UPDATE audit_event SET \(change)"
      try database.execute(sql)
      #expect(try Self.pass(database, Self.branch, vaultId: vaultId).0 == .changed(sequence: sequence), "\(change)")
    }
  }

  @Test("a program that does not know a form takes no row of it for one of its own")
  func unknownForm() async throws {
    let (opened, database, old) = try await Self.log(1)
    let vaultId = try #require(try opened.reader().vaultId())
    let (fault, end) = try Self.pass(database, .current, vaultId: vaultId)
    #expect(fault == .changed(sequence: old + 1) && end == old + 1)
  }
}
