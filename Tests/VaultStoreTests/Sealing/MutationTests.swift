import Foundation
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

/// A log that is changed in one place, again and again.
@Suite struct MutationTests {
  private static let texts = [
    "id", "action", "outcome", "trigger", "profile", "role_arn", "role_session_name", "source_identity", "source_access_key_id",
    "access_key_id", "request_id", "endpoint", "reason", "error", "detail", "session_id", "intent_id", "user", "program",
    "executable", "directory", "parent", "host", "subject",
  ]
  private static let numbers = [
    "sequence", "time", "issued_at", "expires_at", "duration_seconds", "mfa", "uid", "pid", "subject_version",
  ]
  private static let blobs = ["hash", "previous_hash", "mac"]

  @Test("ten thousand single changes to a log, of every kind, are all found, and the first wrong row is named")
  func everyChange() async throws {
    let opened = try await OpenedStore()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    let key = try await opened.store.makeVerificationKey(requester: OpenedStore.me)
    for _ in 0..<10 { try await opened.issue() }
    for _ in 0..<60 { _ = try await opened.deliver() }
    let head = try #require(try await opened.store.signedCheckpoint())
    try await opened.store.close()
    let verification = VerificationInput(anchoredCheckpoint: head, key: key)
    let path = opened.path
    #expect(try AuditChain.verify(VaultReader(path: path), against: verification) == .whole(rows: head.sequence))
    let database = try Database(path: path, access: .readWrite)
    try database.execute("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF")
    var random = SeededGenerator(seed: 20_261_124)
    var unfound: [String] = []
    var misnamed: [String] = []
    for _ in 0..<10_000 {
      let row = Int64.random(in: key.sequence...head.sequence, using: &random)
      let (sql, named) = Self.change(row, last: head.sequence, &random)
      try database.execute("BEGIN")
      let changes: Int
      do {
        try database.execute(sql)
        changes = try database.prepare("SELECT changes()").begin().first { Int($0.int(0)) } ?? 0
      } catch {
        // What the table itself refuses (a type, a duplicate) is no change.
        try database.execute("ROLLBACK")
        continue
      }
      let verdict = try AuditChain.verify(VaultReader(over: database), against: verification)
      try database.execute("ROLLBACK")
      guard case .broken(let fault) = verdict else {
        if changes > 0 { unfound.append(sql) }
        continue
      }
      if !named.contains(where: { fault.description.contains($0) }) { misnamed.append("\(sql): \(fault)") }
    }
    #expect(unfound.isEmpty, "\(unfound.prefix(5))")
    #expect(misnamed.isEmpty, "\(misnamed.count) \(misnamed.prefix(5))")
  }

  /// A change, and what its finding may say.
  private static func change(_ row: Int64, last: Int64, _ random: inout SeededGenerator) -> (sql: String, named: [String]) {
    let here = ["row \(row) "]
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<8:
      let column = texts.randomElement(using: &random) ?? "user"
      let at = Int.random(in: 1...24, using: &random)
      // Another letter at some place; a text where there was none.
      return (
        """
        UPDATE audit_event SET \(column) = CASE WHEN \(column) IS NULL THEN 'x' WHEN length(\(column)) < \(at) THEN \(column) || 'y' \
        ELSE substr(\(column), 1, \(at) - 1) || char(unicode(substr(\(column), \(at), 1)) + 1) || substr(\(column), \(at) + 1) END \
        WHERE sequence = \(row)
        """, here
      )
    case 8..<11:
      let column = numbers.dropFirst().randomElement(using: &random) ?? "uid"
      let by = Int64(1) << Int64.random(in: 0..<40, using: &random)
      return ("UPDATE audit_event SET \(column) = coalesce(\(column), 0) + \(by) WHERE sequence = \(row)", here)
    case 11..<14:
      let column = blobs.randomElement(using: &random) ?? "hash"
      let at = Int.random(in: 1...32, using: &random)
      let byte = String(format: "%02x", Int.random(in: 0...255, using: &random))
      return (
        """
        UPDATE audit_event SET \(column) = CAST(substr(\(column), 1, \(at) - 1) || x'\(byte)' || substr(\(column), \(at) + 1) AS BLOB) \
        WHERE sequence = \(row) AND substr(\(column), \(at), 1) <> x'\(byte)'
        """, here + ["row \(row + 1) "]
      )
    case 14, 15: return ("DELETE FROM audit_event WHERE sequence = \(row)", here + ["rows \(row) to", "ends at row \(row - 1)"])
    case 16:
      let other = row == last ? row - 1 : row + 1
      let (first, second) = (min(row, other), max(row, other))
      return (
        """
        UPDATE audit_event SET sequence = -1 WHERE sequence = \(first); UPDATE audit_event SET sequence = \(first) WHERE sequence = \(second); \
        UPDATE audit_event SET sequence = \(second) WHERE sequence = -1
        """, ["row \(first) was moved"]
      )
    case 17:
      return ("DELETE FROM audit_event WHERE sequence >= \(row)", ["rows \(row) to", "ends at row \(row - 1)", "row \(row) "])
    case 18:
      return (
        """
        UPDATE audit_event SET sequence = -sequence - 1 WHERE sequence > \(row); UPDATE audit_event SET sequence = -sequence WHERE sequence < 0; \
        CREATE TEMP TABLE twin AS SELECT * FROM audit_event WHERE sequence = \(row); \
        UPDATE twin SET sequence = \(row + 1), id = 'evt_twin', subject = NULL, subject_version = NULL; \
        INSERT INTO audit_event SELECT * FROM twin; DROP TABLE twin
        """, ["row \(row + 1) "]
      )
    default:
      return ("UPDATE audit_event SET mac = NULL WHERE sequence = \(row)", here)
    }
  }
}
