import Foundation
import TestSupport
import Testing

/// Live copies of the audit log, by real programs over real sockets.
@Suite(.endToEnd) struct SinkTests {
  /// What a receiver has of the log: the row of each number, however often it came.
  private static func rows(_ records: [[UInt8]]) -> [Int: SyslogRecord] {
    var rows: [Int: SyslogRecord] = [:]
    for record in records {
      guard let message = SyslogRecord(record), let sequence = message.parameters["sequence"].flatMap({ Int($0) }) else {
        continue
      }
      rows[sequence] = message
    }
    return rows
  }

  private static func numbers(_ records: [[UInt8]]) -> [Int] {
    records.compactMap { SyslogRecord($0)?.parameters["sequence"].flatMap { Int($0) } }
  }

  /// The log as it stands, intents too, by number.
  private func log(_ vault: TestVault) async throws -> [Int: [String: Any]] {
    let text = try await vault.mustRun("audit", "export", "--format", "jsonl", "--whole")
    var rows: [Int: [String: Any]] = [:]
    for line in text.split(separator: "\n") {
      let row = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      rows[try #require(row["sequence"] as? Int)] = row
    }
    return rows
  }

  private func setting(_ receiver: LogReceiver) -> String {
    switch receiver.kind {
    case .unix(let path): "unix:\(path)"
    case .udp: "udp://127.0.0.1:\(receiver.port)"
    case .tcp: "tcp://127.0.0.1:\(receiver.port)"
    }
  }

  /// Waits until the receiver has every row from its first on, and holds each against the log.
  private func expectWhole(_ receiver: LogReceiver, _ vault: TestVault, from first: Int) async throws {
    let log = try await log(vault)
    let last = try #require(log.keys.max())
    let got = await onOwn { Self.rows(receiver.wait { Self.rows($0)[last] != nil && Self.rows($0).count >= last - first + 1 }) }
    for sequence in first...last {
      let message = try #require(got[sequence], "row \(sequence) of \(first) to \(last) did not come")
      let row = try #require(log[sequence])
      for name in ["id", "action", "outcome", "profile", "roleArn", "accessKeyId", "requestId", "hash", "error", "detail"] {
        #expect(message.value(name) == row[name] as? String, "row \(sequence): \(name)")
      }
      let requester = try #require(row["requester"] as? [String: Any])
      #expect(
        message.value("program") == requester["program"] as? String && message.value("user") == requester["user"] as? String)
    }
  }

  private func onOwn<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { done in Thread.detachNewThread { done.resume(returning: body()) } }
  }

  private func receiver(_ name: String, _ vault: TestVault) throws -> LogReceiver {
    switch name {
    case "unix": try LogReceiver(.unix(vault.folder.file("log.sock")))
    case "udp": try LogReceiver(.udp)
    default: try LogReceiver(.tcp)
    }
  }

  @Test("a syslog receiver gets every row in order, over each transport", arguments: ["unix", "udp", "tcp"])
  func live(transport: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let receiver = try receiver(transport, vault)
    let before = try await log(vault).keys.max() ?? 0
    try await vault.mustRun("config", "audit_syslog", setting(receiver))
    try await vault.mustRun("exec", "app-dev", "--reason", "a \"reason\"] \\ with\n<34>1 forged", "--", "true")
    #expect(try await vault.run("exec", "bob-dev", "--", "true").end == .exit(77))
    try await expectWhole(receiver, vault, from: before + 1)
    let rows = Self.rows(receiver.all)
    // The row that says so is the first one sent.
    #expect(rows.keys.min() == before + 1 && rows[before + 1]?.value("detail")?.contains("audit_syslog = ") == true)
    #expect(rows.values.contains { $0.value("reason") == "a \"reason\"] \\ with\n<34>1 forged" && $0.message == "Deliver" })
    #expect(rows.values.contains { $0.priority == 84 && $0.value("error")?.contains("AccessDenied") == true })
    let numbers = Self.numbers(receiver.all)
    #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
    #expect(try await vault.mustRun("agent", "status").contains("audit_syslog: row"))
  }

  @Test("journald's socket gets every row in its own protocol")
  func journald() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let path = vault.folder.file("journal.sock")
    let receiver = try LogReceiver(.unix(path))
    try await vault.mustRun("config", "audit_journald", path)
    let reason = "one\nMESSAGE=forged\nPRIORITY=0"
    try await vault.mustRun("exec", "app-dev", "--reason", reason, "--", "true")
    let log = try await log(vault)
    let last = try #require(log.keys.max())
    func number(_ record: JournalRecord) -> Int? { record.fields["VAULT_SEQUENCE"].flatMap { Int($0) } }
    let records = await onOwn {
      receiver.wait { $0.contains { JournalRecord($0)?.fields["VAULT_SEQUENCE"] == String(last) } }.compactMap {
        JournalRecord($0)
      }
    }
    let first = try #require(records.first.flatMap(number))
    #expect(records.compactMap(number) == Array(first...last))
    for record in records {
      let row = try #require(number(record).flatMap { log[$0] })
      #expect(record.fields["VAULT_ACTION"] == row["action"] as? String && record.fields["VAULT_HASH"] == row["hash"] as? String)
      #expect(record.fields["SYSLOG_IDENTIFIER"] == "vault" && record.fields["VAULT_REASON"] == row["reason"] as? String)
    }
    #expect(records.contains { $0.fields["VAULT_REASON"] == reason && $0.fields["PRIORITY"] == "6" })
  }

  @Test("a receiver that is away for a while misses nothing", arguments: ["unix", "udp", "tcp"])
  func away(transport: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let receiver = try receiver(transport, vault)
    let before = try await log(vault).keys.max() ?? 0
    try await vault.mustRun("config", "audit_syslog", setting(receiver))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await expectWhole(receiver, vault, from: before + 1)
    for _ in 0..<2 {
      receiver.goAway()
      for _ in 0..<5 { try await vault.mustRun("exec", "app-dev", "--", "true") }
      try receiver.comeBack()
      try await expectWhole(receiver, vault, from: before + 1)
    }
  }

  @Test("an agent that was killed goes on where it was, and one that starts without its receiver waits for it")
  func killed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let receiver = try receiver("tcp", vault)
    let before = try await log(vault).keys.max() ?? 0
    try await vault.mustRun("config", "audit_syslog", setting(receiver))
    for round in 0..<6 {
      if round % 3 == 1 { receiver.goAway() }
      for _ in 0..<3 { try await vault.mustRun("exec", "app-dev", "--", "true") }
      vault.killAgent()
      if round % 3 == 1 {
        try await vault.mustRun("exec", "app-dev", "--", "true")
        try receiver.comeBack()
      }
    }
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await expectWhole(receiver, vault, from: before + 1)
  }

  @Test("a setting that makes no sense is refused, and each change has a row that names who made it")
  func settings() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for value in ["somewhere", "udp://", "tcp://h:0"] {
      #expect(try await vault.run("config", "audit_syslog", value).end == .exit(64))
    }
    #expect(try await vault.run("config", "audit_failure", "maybe").end == .exit(64))
    try await vault.mustRun("config", "audit_failure", "deliver")
    try await vault.mustRun("config", "audit_failure", "deliver")
    try await vault.mustRun("agent", "stop")
    try await vault.mustRun("config", "audit_failure", "refuse")
    try await vault.mustRun("config", "agent_life", "programs")
    try await vault.mustRun("agent", "start")
    let rows = try await vault.rows("audit", "--action", "SettingChanged")
    let details = rows.compactMap { $0["detail"] as? String }
    #expect(
      details == [
        "audit_failure = deliver, before refuse", "agent_life = programs, before login", "audit_failure = refuse, before deliver",
      ])
    #expect(rows.compactMap { $0["trigger"] as? String } == ["manual", "start", "start"])
  }

  @Test("a TCP receiver that takes a connection, never reads and dies has had nothing, and its successor gets every row")
  func deaf() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let receiver = try LogReceiver(.tcp)
    receiver.goAway()
    try receiver.comeBack(deaf: true)
    let before = try await log(vault).keys.max() ?? 0
    try await vault.mustRun("config", "audit_syslog", setting(receiver))
    // More rows than are in doubt over a transport that tells of each.
    for _ in 0..<40 { try await vault.mustRun("exec", "app-dev", "--refresh", "--", "true") }
    let last = try await log(vault).keys.max() ?? 0
    #expect(last - before > 100)
    var status = ""
    for _ in 0..<100 where !status.contains("rows to \(last) sent") {
      usleep(100_000)
      status = try await vault.mustRun("agent", "status")
    }
    #expect(status.contains("row \(before) delivered; rows to \(last) sent, not confirmed"), "\(status)")
    receiver.goAway()
    try receiver.comeBack()
    try await expectWhole(receiver, vault, from: before + 1)
    // A receiver that reads says so by its end of the connection.
    try await vault.mustRun("agent", "stop")
    let end = try await log(vault).keys.max() ?? 0
    #expect(Self.rows(receiver.all)[end] != nil)
    let cursor = try await Subprocess.run(
      "/usr/bin/sqlite3", ["-readonly", vault.database, "SELECT value FROM setting WHERE name = 'sink.syslog'"],
      environment: ["PATH": "/usr/bin:/bin"])
    #expect(cursor.output == "\(end)\n", "\(cursor.output)")
  }

  @Test("rows that a receiver has not had yet are not archived")
  func archiveWaits() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let receiver = try LogReceiver(.tcp)
    let before = try await log(vault).keys.max() ?? 0
    try await vault.mustRun("config", "audit_syslog", setting(receiver))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await expectWhole(receiver, vault, from: before + 1)
    receiver.goAway()
    let first = try await log(vault).keys.max() ?? 0
    for _ in 0..<3 { try await vault.mustRun("exec", "app-dev", "--refresh", "--", "true") }
    let file = vault.folder.file("old.gz")
    let said = try await vault.mustRun("audit", "archive", "--before", "0s", "--to", file)
    let archived = try #require(said.split(separator: " ").dropFirst(3).first.flatMap { Int($0) }, "\(said)")
    #expect(archived <= first, "\(said)")
    let more = try await vault.run("audit", "archive", "--before", "0s", "--to", vault.folder.file("more.gz"))
    #expect(more.end == .exit(75) && more.errors.contains("have not reached"), "\(more.end) \(more.errors) \(more.output)")
    try receiver.comeBack()
    try await expectWhole(receiver, vault, from: archived + 1)
    try await vault.mustRun("audit", "archive", "--before", "0s", "--to", vault.folder.file("more.gz"))
  }
}
