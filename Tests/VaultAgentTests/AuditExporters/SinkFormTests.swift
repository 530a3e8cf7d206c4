import Foundation
import TestSupport
import Testing
import VaultModel

@testable import VaultAgent

/// What journald and a syslog receiver are sent, read back by their own grammars.
@Suite struct SinkFormTests {
  private static let attacks = [
    "", " ", "plain", "\n<0>1 - - forged - - - a record\n", "\"] <34>1 x", "a\\", "\\n", "\\\\\"]", "]\\]\"\"", "\u{1B}[2J\u{7}",
    "\0\u{1}",
    "MESSAGE=forged\nPRIORITY=0\n", "é 😀 \u{202E}drow", "\u{FEFF}\u{2028}", "=\n\u{8}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}x\n",
    "\u{E0041}",
  ]

  private func text(_ random: inout SeededGenerator) -> String {
    (0..<Int.random(in: 0...4, using: &random)).map { _ in Self.attacks.randomElement(using: &random) ?? "" }.joined()
  }

  private func record(_ random: inout SeededGenerator) -> AuditRecord {
    func maybe() -> String? { Bool.random(using: &random) ? text(&random) : nil }
    let who = Requester(
      user: text(&random), uid: 1_000, pid: 42, program: text(&random), executable: text(&random), directory: text(&random),
      parent: text(&random), host: text(&random))
    var event = AuditEvent(
      action: AuditAction.allCases.randomElement(using: &random) ?? .deliver,
      outcome: AuditOutcome.allCases.randomElement(using: &random) ?? .success, trigger: .exec, profile: maybe(), requester: who)
    event.roleARN = maybe()
    event.reason = maybe()
    event.error = maybe()
    event.detail = maybe()
    event.requestId = maybe()
    event.issuedAt = Bool.random(using: &random) ? Timestamp(milliseconds: 1_795_000_000_275) : nil
    return AuditRecord(
      id: "evt_1", sequence: 41, time: Timestamp(milliseconds: 1_795_000_000_007), event: event, subject: nil,
      subjectVersion: nil,
      hash: [UInt8](repeating: 7, count: 32))
  }

  @Test(
    "a record of hostile texts is one message of RFC 5424, and reads back as it is in the vault", arguments: [UInt64(1), 2, 3])
  func syslog(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1_500 {
      let row = ExportFields(record(&random), vaultId: "vlt_1")
      let message = try #require(SyslogRecord(SyslogMessage.bytes(of: row)))
      #expect(message.priority == 80 + row.severity && message.application == "vault" && message.process == "42")
      #expect(message.text == row.summary && message.timestamp == "2026-11-18T11:06:40.007Z")
      #expect(message.message == row.record.event.action.rawValue && !message.host.isEmpty)
      for field in row.fields { #expect(message.value(field.name.description) == field.value) }
      #expect(message.parameters.count == row.fields.count)
    }
  }

  @Test(
    "a record of hostile texts is one entry of the journal, and reads back as it is in the vault", arguments: [UInt64(1), 2, 3])
  func journal(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1_500 {
      let row = ExportFields(record(&random), vaultId: "vlt_1")
      let entry = try #require(JournalRecord(JournalEntry.bytes(of: row)))
      for field in row.fields { #expect(entry.fields[field.journal.description] == field.value) }
      #expect(entry.fields.count == row.fields.count + 4)
      #expect(entry.fields["PRIORITY"] == String(row.severity) && entry.fields["MESSAGE"]?.contains("\n") == false)
    }
  }

  @Test("no unsafe character is sent to a syslog receiver, whichever text holds it")
  func unsafe() {
    for scalar in UnsafeCharacters.all {
      let text = "a\(scalar)b"
      var event = AuditEvent(
        action: .deliver, outcome: .success, trigger: .exec, profile: text,
        requester: Requester(
          user: text, uid: 1_000, pid: 42, program: text, executable: text, directory: text, parent: text, host: text))
      event.roleARN = text
      (event.reason, event.error, event.detail, event.requestId) = (text, text, text, text)
      let record = AuditRecord(
        id: text, sequence: 41, time: Timestamp(milliseconds: 0), event: event, subject: nil, subjectVersion: nil,
        hash: [UInt8](repeating: 7, count: 32))
      let message = String(decoding: SyslogMessage.bytes(of: ExportFields(record, vaultId: "vlt_1")), as: UTF8.self)
      #expect(UnsafeCharacters.areMissing(in: message) && !message.contains("\n"), "\(scalar.value)")
    }
  }

  @Test("messages of a stream are told apart by their lengths, whatever is in them", arguments: [UInt64(1), 2, 3])
  func stream(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let messages = (0..<200).map { _ in SyslogMessage.bytes(of: ExportFields(record(&random), vaultId: "vlt_1")) }
    let split = try #require(SyslogRecord.split(messages.flatMap { SyslogMessage.counted($0) }))
    #expect(split.messages == messages && split.rest.isEmpty)
  }

  @Test("what a program says of itself has a name of its own, and the run's is a run's")
  func hint() throws {
    var random = SeededGenerator(seed: 1)
    var record = record(&random)
    (record.event.requester.automation, record.event.requester.hint) = (nil, "CLAUDECODE")
    let fields = try #require(JournalRecord(JournalEntry.bytes(of: ExportFields(record, vaultId: "vlt_1")))?.fields)
    #expect(fields["VAULT_HINT"] == "CLAUDECODE" && fields["VAULT_AUTOMATION"] == nil)
    record.event.requester.automation = AutomationRun(name: "robot", run: "run_1", rootPid: 9)
    let run = try #require(SyslogRecord(SyslogMessage.bytes(of: ExportFields(record, vaultId: "vlt_1"))))
    #expect(run.value("automation") == "robot" && run.value("run") == "run_1" && run.value("hint") == nil)
  }

  @Test("what is longer than receivers take is cut where it is longest, and says so", arguments: [UInt64(1), 2, 3])
  func long(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var record = record(&random)
    record.event.detail = String(repeating: "é\n\"", count: 20_000)
    record.event.error = nil
    let row = ExportFields(record, vaultId: "vlt_1")
    let bytes = SyslogMessage.bytes(of: row)
    #expect(bytes.count <= SyslogMessage.maxLength)
    let message = try #require(SyslogRecord(bytes))
    #expect(message.parameters["cut"]?.contains("detail") == true && message.value("detail")?.hasPrefix("é\n\"é") == true)
    #expect(JournalRecord(JournalEntry.bytes(of: row))?.fields["VAULT_DETAIL"] == record.event.detail)
  }
}
