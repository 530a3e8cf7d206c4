import Foundation
import Glibc
import TestSupport
import Testing

/// Kills at each call by which a delivery, an archiving and a shipment change what is kept: no row is lost, and none is there twice.
@Suite(.endToEnd, .serialized, .tags(.torture)) struct EvidenceTortureTests {
  private static let isTorture = ProcessInfo.processInfo.environment["VAULT_TORTURE"] != nil

  /// What changes files. Who is killed as he enters one of them leaves what the one before left; so calls that only read add nothing.
  private static let calls = [
    "pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "renameat2", "link", "unlink", "unlinkat", "mkdir",
    "fchmod",
  ]

  /// A call, and which of them.
  private typealias Point = (call: String, instance: Int)

  /// Goes through the points until none of a call is reached any more; the short run takes two at random.
  private func everyPoint(_ calls: [String], most: Int, _ isReached: (Point) async throws -> Bool) async throws -> Int {
    var points = 0
    if Self.isTorture {
      for call in calls {
        var instance = 1
        while try await isReached((call, instance)) { (points, instance) = (points + 1, instance + 1) }
      }
      return points
    }
    let seed = UInt64(ProcessInfo.processInfo.environment["VAULT_SEED"] ?? "") ?? UInt64.random(in: 1...1_000_000)
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    while points < 2 {
      var instance = Int.random(in: 1...most, using: &random)
      // Nearer to the start until it is reached: the first one always is.
      while try await !isReached((calls[0], instance)) { instance = (instance + 1) / 2 }
      points += 1
    }
    return points
  }

  /// - Returns: strace's words that kill whoever it runs at a point.
  private func strace(_ point: Point, _ trace: String, _ program: String, _ words: [String] = []) -> [String] {
    [
      "-f", "-qq", "-o", trace, "-e", "trace=\(point.call)", "-e", "inject=\(point.call):signal=KILL:when=\(point.instance)",
      program,
    ]
      + words
  }

  private func wasKilled(_ trace: String) -> Bool {
    ((try? String(contentsOfFile: trace, encoding: .utf8)) ?? "").contains("killed by SIGKILL")
  }

  /// Runs a command over an agent that is killed at a point.
  private func run(_ words: [String], _ vault: TestVault, at point: Point) async throws -> (
    result: Subprocess.Result, isReached: Bool
  ) {
    vault.killAgent()
    unlink(vault.folder.file("vault/agent.sock"))
    let trace = vault.folder.file("trace")
    let agent = try RunningProgram("/usr/bin/strace", strace(point, trace, Programs.vaultd), environment: vault.environment)
    while agent.isRunning, !FileManager.default.fileExists(atPath: vault.folder.file("vault/agent.sock")) { usleep(5_000) }
    let result = try await vault.run(words: words)
    vault.killAgent()
    agent.kill()
    _ = try? await agent.wait(timeout: 20)
    return (result, wasKilled(trace))
  }

  private func lastRow(_ vault: TestVault) async throws -> Int {
    let text = try await Subprocess.run(
      "/usr/bin/sqlite3", ["-readonly", vault.database, "SELECT max(sequence) FROM audit_event"], environment: [:])
    return try #require(Int(text.output.trimmingCharacters(in: .newlines)), "\(text.errors)")
  }

  /// The chain reaches from the first row to the last one, through the archives' files, and is not shorter than it was.
  private func expectWhole(_ vault: TestVault, atLeast last: Int, _ point: Point) async throws {
    let verified = try await vault.run("audit", "verify")
    #expect(verified.succeeded && !verified.errors.contains("is missing"), "\(point): \(verified.errors)")
    #expect(try await lastRow(vault) >= last, "\(point)")
    let rows = try await Subprocess.run(
      "/usr/bin/sqlite3",
      [
        "-readonly", vault.database,
        """
        SELECT (SELECT count(*) FROM audit_event WHERE sequence > coalesce((SELECT max(last_sequence) FROM audit_segment), 0)) \
        + (SELECT coalesce(sum(last_sequence - first_sequence + 1), 0) FROM audit_segment) \
        = (SELECT max(sequence) FROM audit_event)
        """,
      ], environment: [:])
    #expect(rows.output == "1\n", "\(point): \(rows.errors)")
  }

  @Test(
    "an agent that is killed at any call of a delivery has handed nothing out that is not in its whole log",
    .timeLimit(.minutes(60)))
  func delivery() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    var delivered = 0
    let points = try await everyPoint(Self.calls, most: 12) { point in
      let last = try await lastRow(vault)
      let reason = "\(point.call) \(point.instance)"
      let (result, isReached) = try await run(
        ["exec", "--reason", reason, "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID"], vault, at: point)
      try await expectWhole(vault, atLeast: last, point)
      if result.succeeded {
        delivered += 1
        let rows = try await vault.rows("audit", "--action", "Deliver").filter { $0["reason"] as? String == reason }
        // The client asks again where the agent went before it answered; then the one that never came has its row, too.
        #expect(rows.contains { $0["accessKeyId"] as? String == result.output.trimmingCharacters(in: .newlines) }, "\(point)")
      }
      return isReached
    }
    print("\(points) points, \(delivered) deliveries")
  }

  @Test(
    "an archiving that is killed at any call leaves every row in the log or in an archive, and the same command does it then",
    .timeLimit(.minutes(60)))
  func archiving() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let points = try await everyPoint(Self.calls, most: 24) { point in
      try await vault.mustRun("exec", "app-dev", "--", "true")
      // Nobody else writes, and the key store has the head.
      try await vault.mustRun("agent", "stop")
      let last = try await lastRow(vault)
      let (result, isReached) = try await run(["audit", "archive", "--before", "0s"], vault, at: point)
      try await expectWhole(vault, atLeast: last, point)
      if !result.succeeded {
        let again = try await vault.run("audit", "archive", "--before", "0s")
        // It may have been done, all but the answer.
        #expect(again.succeeded || again.errors.contains("nothing"), "\(point): \(again.errors)")
        try await expectWhole(vault, atLeast: last, point)
      }
      let files = try FileManager.default.contentsOfDirectory(atPath: vault.folder.file("vault/archive"))
      let named = try await Subprocess.run(
        "/usr/bin/sqlite3", ["-readonly", vault.database, "SELECT count(*) FROM audit_segment"], environment: [:])
      #expect(named.output == "\(files.count)\n", "\(point): \(files)")
      return isReached
    }
    print("\(points) points")
  }

  @Test(
    "a shipment that is killed at any call has each row on the server once when the next is done", .timeLimit(.minutes(60)))
  func shipping() async throws {
    let rows = 300
    let server = try await TeamServer(laptops: 1)
    let log = try await GeneratedLog(rows: rows, laptop: 1)
    let words = ["audit", "ship", "--offline", "--to", server.address(ofLaptop: 1), "--batch", "60"]
    let points = try await everyPoint(["sendto", "recvfrom", "connect", "poll"], most: 16) { point in
      try await server.tamper("TRUNCATE vault_audit.audit_checkpoint, vault_audit.audit_event, vault_audit.audit_vault")
      let trace = log.vault.folder.file("trace")
      _ = try await Subprocess.run(
        "/usr/bin/strace", strace(point, trace, try Programs.vault, words), environment: log.vault.environment, timeout: 60)
      let next = try await log.vault.run(words: words)
      #expect(next.succeeded && next.output.contains("rows 1 to \(rows) "), "\(point): \(next.errors)")
      let counts = try await server.postgres.sql(
        "SELECT count(form), count(DISTINCT sequence) - 1, max(sequence) FROM vault_audit.audit_event")
      #expect(counts == "\(rows)|\(rows)|\(rows)", "\(point)")
      let verified = try await server.verify()
      #expect(verified.succeeded, "\(point): \(verified.errors)")
      return wasKilled(trace)
    }
    print("\(points) points")
  }
}
