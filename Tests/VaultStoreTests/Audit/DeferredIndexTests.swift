import Foundation
import TestSupport
import Testing
import VaultModel

@testable import VaultAudit
@testable import VaultDatabase
@testable import VaultStore

/// Rows that the audit log's indexes take in later.
struct DeferredIndexTests {
  /// Filters of every kind, by what they say of a row.
  private static func filters(_ rows: [AuditRecord]) -> [(AuditFilter, (AuditRecord) -> Bool)] {
    func filter(_ change: (inout AuditFilter) -> Void) -> AuditFilter {
      var filter = AuditFilter()
      filter.includesIntents = true
      change(&filter)
      return filter
    }
    let middle = rows[rows.count / 2], late = rows[rows.count - 3]
    let arn = "arn:aws:iam::123456789012:role/team/app-1"
    return [
      (filter { $0.profile = "app-1" }, { $0.event.profile == "app-1" }),
      (filter { $0.user = "bob" }, { $0.event.requester.user == "bob" }),
      (filter { $0.user = "nobody" }, { _ in false }),
      (filter { $0.session = late.event.sessionId }, { $0.event.sessionId == late.event.sessionId }),
      (filter { $0.role = arn }, { $0.event.roleARN == arn }),
      (filter { $0.role = "app-1" }, { $0.event.roleARN?.hasSuffix("/app-1") == true }),
      (filter { $0.since = middle.time }, { $0.time >= middle.time }),
      (filter { $0.since = late.time }, { $0.time >= late.time }),
      (filter { $0.since = rows[rows.count - 1].time.adding(seconds: 9_000) }, { _ in false }),
      (filter { $0.until = middle.time }, { $0.time < middle.time }),
      (
        filter {
          $0.since = rows[3].time
          $0.until = late.time
        }, { $0.time >= rows[3].time && $0.time < late.time }
      ),
      (filter { $0.action = .deliver }, { $0.event.action == .deliver }),
      (filter { $0.action = .assumeRole }, { $0.event.action == .assumeRole }),
      (filter { $0.outcome = .failure }, { $0.event.outcome == .failure }),
      (
        filter {
          $0.profile = "app-2"
          $0.outcome = .failure
          $0.since = rows[3].time
        }, { $0.event.profile == "app-2" && $0.event.outcome == .failure && $0.time >= rows[3].time }
      ),
      (
        filter {
          $0.role = "app-1"
          $0.user = "bob"
          $0.action = .deliver
          $0.since = rows[3].time
        },
        {
          $0.event.roleARN?.hasSuffix("/app-1") == true && $0.event.requester.user == "bob" && $0.event.action == .deliver
            && $0.time >= rows[3].time
        }
      ),
      (
        filter {
          $0.profile = "app-1"
          $0.after = middle.sequence
          $0.upTo = late.sequence
        }, { $0.event.profile == "app-1" && $0.sequence > middle.sequence && $0.sequence <= late.sequence }
      ),
    ]
  }

  /// Adds rows of three profiles by two users, a few minutes apart.
  private func fill(_ opened: OpenedStore, _ store: VaultStore, _ count: Int) async throws {
    for number in 0..<count {
      // Where the clock was put back, times are not in the order of the rows.
      opened.clock.advance(seconds: number % 11 == 10 ? -400 : 60)
      var requester = OpenedStore.me
      if number % 3 == 0 { requester.user = "bob" }
      let action: AuditAction = number % 7 == 0 ? .assumeRole : .deliver
      var event = AuditEvent(
        action: action, outcome: number % 13 == 0 ? .failure : .success, trigger: .exec, profile: "app-\(number % 5 % 3)",
        requester: requester)
      event.roleARN = number % 4 == 0 ? nil : "arn:aws:iam::123456789012:role/team/app-\(number % 5 % 3)"
      event.sessionId = "ses_\(number / 10)"
      try await store.record(event)
    }
  }

  private func compare(_ reader: VaultReader) throws {
    var everything = AuditFilter()
    everything.includesIntents = true
    let rows = try reader.auditRecords(everything)
    let sequences = rows.map(\.sequence)
    #expect(sequences == Array(sequences[0]..<sequences[0] + Int64(rows.count)))
    for (filter, isWanted) in Self.filters(rows) {
      let wanted = rows.filter(isWanted).map(\.sequence)
      #expect(try Set(reader.auditRecords(filter).map(\.sequence)) == Set(wanted), "\(filter)")
      var lines: [Int64] = []
      try reader.forEachAuditLine(filter) { lines.append($0.number(.sequence)) }
      #expect(lines == wanted, "\(filter)")
      var names = AuditNames()
      var marks = 0
      try reader.forEachAuditMark(filter, names: &names) { _ in marks += 1 }
      #expect(marks == rows.filter { isWanted($0) && $0.event.outcome != .intent }.count, "\(filter)")
      var few = filter
      few.limit = 5
      var newest: [Int64] = []
      try reader.forEachAuditLine(few) { newest.append($0.number(.sequence)) }
      #expect(newest == Array(wanted.suffix(5)), "\(few)")
      few.reverse = true
      newest = []
      try reader.forEachAuditLine(few) { newest.append($0.number(.sequence)) }
      #expect(newest == wanted.suffix(5).reversed(), "\(few)")
      let isByTime = filter.profile == nil && filter.role == nil && (filter.since != nil || filter.until != nil)
      if !isByTime { #expect(try reader.auditRecords(few).map(\.sequence) == newest, "\(few)") }
    }
  }

  @Test("every report finds the rows that the indexes have and those that they will have", arguments: [20, 60, 150])
  func sameRows(count: Int) async throws {
    let opened = try await OpenedStore()
    try await fill(opened, opened.store, count)
    try compare(opened.reader())
    let again = try await opened.reopened()
    try compare(opened.reader())
    try await fill(opened, again, AuditRowBatch.whole)
    try compare(opened.reader())
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: await again.headSequence))
  }

  private enum AuditRowBatch { static let whole = Int(AuditRows.indexBatch) }

  @Test("a new session is in the reports with who asked for it, at once and later")
  func newSession() async throws {
    let opened = try await OpenedStore()
    for rows in [0, AuditRowBatch.whole] {
      let session = try await opened.issue(fingerprint: "f\(rows)")
      for _ in 0..<rows { _ = try await opened.deliver(fingerprint: "f\(rows)") }
      let span = try #require(try opened.reader().sessionSpans(AuditFilter(), maximum: 10).first { $0.id == session.id })
      #expect(span.user == "alice")
    }
    // Replaced at a person's word, by a row that no index has yet.
    let old = try await opened.issue(fingerprint: "g")
    try await opened.issue(fingerprint: "g")
    let health = try #require(try opened.reader().rotationHealth(AuditFilter()).first { $0.profile == old.profile })
    #expect(health.onRequest == 1 && health.onTime == 0 && health.late == 0)
  }

  @Test("a delivery writes at most four pages of the write-ahead log, all in all")
  func pages() async throws {
    let opened = try await OpenedStore()
    try await opened.issue()
    try await opened.store.resumeAudit(anchoredCheckpoint: nil, requester: OpenedStore.me)
    try await opened.store.checkpoint()
    let count = 192
    for _ in 0..<count { _ = try await opened.deliver() }
    let size = try #require(
      try FileManager.default.attributesOfItem(atPath: opened.path + "-wal")[.size] as? Int)
    // A frame is a page with a header of 24 bytes (SQLite, "The WAL File Format").
    let pages = Double(size) / 4_120 / Double(count)
    #expect(pages < 4, "\(pages) pages")
  }

  @Test("a row that somebody takes out of the indexes, so that reports miss it, is found")
  func hidden() async throws {
    let opened = try await OpenedStore()
    try await fill(opened, opened.store, 150)
    try await opened.store.close()
    try Tampering.run("UPDATE audit_event SET pending = 1 WHERE sequence = 20", on: opened.path)
    #expect(try AuditChain.verify(opened.reader()) == .broken(.index(what: "row 20 is in no index")))
  }

  @Test("a vault of the form before is read as it is, and its old rows are found once it is brought up to date")
  func before() async throws {
    let opened = try await OpenedStore()
    try await fill(opened, opened.store, 100)
    try await opened.store.close()
    let folder = TemporaryDirectory()
    let path = folder.write("", to: "vault.db")
    chmod(path, 0o600)
    chmod(folder.path, 0o700)
    do {
      let old = try Database(path: path, access: .readWrite)
      for number in 1...6 { try Schema.migrate(old, to: number) }
      let rows = try Database(path: opened.path, access: .readOnly).prepare("SELECT \(AuditRows.columns) FROM audit_event")
        .begin()
      // The columns of then: without a version of the form, and what form 3 added.
      let fields = AuditField.allCases.filter { $0 != .formVersion && $0.rawValue < AuditField.parents.rawValue }
      let names = fields.map { field in
        AuditTable.name(AuditColumn.all.first { $0.field == field }?.sql.description ?? "", at: 6)
      }
      let insert = try old.prepare(
        "INSERT INTO audit_event (\(names.joined(separator: ", "))) VALUES (\(fields.map { _ in "?" }.joined(separator: ", ")))")
      while try rows.step() {
        insert.begin()
        for field in fields {
          switch rows.type(field.rawValue) {
          case .null: try insert.bind(nil as Int64?)
          case .text: try insert.bind(rows.text(field.rawValue))
          case .integer: try insert.bind(rows.int(field.rawValue))
          case .other: try insert.bind(rows.blob(field.rawValue))
          }
        }
        try insert.runOnce()
      }
    }
    try compare(VaultReader(path: path))
    _ = try Schema.openForWriting(path: path, now: opened.clock.now())
    try compare(VaultReader(path: path))
  }
}
