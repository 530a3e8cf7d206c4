import Foundation
import TestSupport
import Testing
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

@testable import VaultStore

/// The columns that form 3 of the audit row added.
@Suite struct AutomationColumnTests {
  private static func event(_ opened: OpenedStore, parents: Int) -> AuditEvent {
    var event = opened.event(.deliver)
    event.requester.parents = (0..<parents).map { Ancestor(pid: Int32($0 + 1), executable: "/bin/\"\($0)\"\\\n\u{202E}é") }
    event.requester.automation = AutomationRun(name: "agent", run: "run_1", rootPid: 7)
    event.scope = #"{ "readOnly" : true, "tags" : {"b":"2","a":"1"}, "policyArns" : [] }"#
    return event
  }

  @Test("a row reads back with its parents, its run and its scope, which stands in the one form that it can have")
  func roundTrip() async throws {
    let opened = try await OpenedStore()
    let event = Self.event(opened, parents: 3)
    try await opened.store.record(event)
    let record = try #require(try opened.reader().auditRecords(AuditFilter()).last)
    #expect(record.event.requester == event.requester)
    #expect(record.event.scope == #"{"policyArns":[],"readOnly":true,"tags":{"a":"1","b":"2"}}"#)
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: record.sequence))
    // Filters find it while no index but that of the runs has it.
    var filter = AuditFilter()
    filter.run = "run_1"
    filter.automation = "agent"
    filter.pid = 42
    filter.program = "run"
    #expect(try opened.reader().auditRecords(filter).map(\.id) == [record.id])
  }

  @Test("what a requester says of itself is in the column of the run's name, and no run")
  func hint() async throws {
    let opened = try await OpenedStore()
    var event = opened.event(.deliver)
    event.requester.hint = "CLAUDECODE"
    try await opened.store.record(event)
    let record = try #require(try opened.reader().auditRecords(AuditFilter()).last)
    #expect(record.event.requester == event.requester && record.event.requester.automation == nil)
    let columns = try Database(path: opened.path, access: .readOnly).prepare(
      "SELECT automation, run IS NULL AND root_pid IS NULL FROM audit_event ORDER BY sequence DESC"
    ).begin().first { ($0.text(0), $0.int(1)) }
    #expect(columns?.0 == "CLAUDECODE" && columns?.1 == 1)
    var filter = AuditFilter()
    filter.automation = "CLAUDECODE"
    #expect(try opened.reader().auditRecords(filter).isEmpty)
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: record.sequence))
  }

  @Test("a chain of any length, and a path of any length, take a bounded place in the row")
  func bounds() async throws {
    let opened = try await OpenedStore()
    try await opened.store.record(Self.event(opened, parents: 40))
    var long = opened.event(.deliver)
    long.requester.parents = (0..<32).map { Ancestor(pid: $0, executable: String(repeating: "é", count: 4_096)) }
    try await opened.store.record(long)
    let records = try opened.reader().auditRecords(AuditFilter()).suffix(2)
    #expect(records.map(\.event.requester.parents.count) == [32, 32])
    #expect(records.last?.event.requester.parents.allSatisfy { $0.executable.unicodeScalars.count == 1_024 } == true)
    let length = try Database(path: opened.path, access: .readOnly).prepare("SELECT max(length(parents)) FROM audit_event")
      .begin()
      .first { $0.int(0) }
    #expect(length ?? .max < 34_000)
    #expect(try AuditChain.verify(opened.reader()) == .whole(rows: records.last?.sequence ?? 0))
  }

  @Test("what another program wrote in place of a chain stops no report, and a text that is no chain is none")
  func foreign() async throws {
    let opened = try await OpenedStore()
    try await opened.store.record(Self.event(opened, parents: 2))
    try await opened.store.close()
    for text in ["[]", "[{}]", "{", "[{\"executable\":\"\",\"pid\":99999999999}]", "x"] {
      #expect(Array(text.utf8).withUnsafeBytes { Ancestor.chain($0) } == nil, "\(text)")
      try Tampering.run("UPDATE audit_event SET parents = '\(text)', root_pid = 1 << 40 WHERE run IS NOT NULL", on: opened.path)
      let record = try #require(try opened.reader().auditRecords(AuditFilter()).last)
      #expect(record.event.requester.parents == [] && record.event.requester.automation?.run == "run_1")
    }
  }

  @Test("the canonical form of a row of form 3 is the documented one")
  func vector() {
    var event = AuditEvent(
      action: .deliver, outcome: .success, trigger: .exec, profile: "app-dev",
      requester: Requester(
        user: "alice", uid: 1_000, pid: 42, program: "./run", executable: "/usr/bin/vault", directory: "/home/alice",
        parent: "/bin/sh", host: "laptop",
        parents: [Ancestor(pid: 41, executable: "/bin/sh"), Ancestor(pid: 1, executable: "/sbin/init")],
        automation: AutomationRun(name: "agent", run: "run_1", rootPid: 40)))
    event.scope = #"{"readOnly":true}"#
    let record = AuditRecord(
      id: "evt_1", sequence: 5, time: Timestamp(milliseconds: 1_795_000_000_000), event: event, subject: nil, subjectVersion: nil,
      hash: [])
    var form: [UInt8] = [3]
    func text(_ text: String) {
      form.append(1)
      form += withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { Array($0) } + Array(text.utf8)
    }
    func number(_ number: Int64) { form += [2] + withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    func none(_ count: Int) { form += [UInt8](repeating: 0, count: count) }
    number(5)
    text("evt_1")
    number(1_795_000_000_000)
    for word in ["Deliver", "success", "exec", "app-dev"] { text(word) }
    none(8)
    number(0)
    none(7)
    text("alice")
    number(1_000)
    number(42)
    for word in ["./run", "/usr/bin/vault", "/home/alice", "/bin/sh", "laptop"] { text(word) }
    none(2)
    text(#"[{"executable":"/bin/sh","pid":41},{"executable":"/sbin/init","pid":1}]"#)
    text("agent")
    text("run_1")
    number(40)
    text(#"{"readOnly":true}"#)
    let previous = [UInt8](repeating: 9, count: 32)
    #expect(AuditChain.hash(of: record, after: previous) == blake2b(previous + form))
  }
}
