import Foundation
import TestSupport
import Testing

/// `vault revoke` while requests are under way: none of them is answered after it, and what they would have brought is not kept.
@Suite(.endToEnd) struct RevokeUnderWayTests {
  private struct Stage {
    let simulator: STSSimulatorProcess
    let vault: TestVault

    /// - Parameter confirm: whether a person has to agree to the role's sessions.
    init(confirm: Bool = false) async throws {
      simulator = try await STSSimulatorProcess()
      vault = try await TestVault(unasked: simulator)
      guard confirm else { return }
      let settings = (try? String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)) ?? ""
      vault.folder.write(settings + "\n[guard app-*]\nconfirm = always\n", to: "vault/config")
    }

    /// Once a condition holds.
    func until(_ holds: () async throws -> Bool) async throws {
      let deadline = Date().addingTimeInterval(30)
      while Date() < deadline {
        if try await holds() { return }
        try await Task.sleep(for: .milliseconds(20))
      }
      Issue.record("it never came to that")
    }

    var keepsSession: Bool {
      get async throws { try await vault.rows("sessions").contains { $0["profile"] as? String == "app-dev" } }
    }
  }

  private static let command = ["app-dev", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID"]

  @Test("a run whose session AWS is about to issue gets nothing, and the session is not kept")
  func run() async throws {
    let stage = try await Stage()
    try await stage.simulator.queue(STSFault(.slow, action: "AssumeRole", delayMs: 2_000))
    let run = try RunningProgram(
      Programs.vault, ["exec", "--automation", "q"] + Self.command, environment: stage.vault.environment)
    try await stage.until { try await !stage.simulator.requests("AssumeRole").isEmpty }
    let result = try await stage.vault.run("revoke", "--automation", "q")
    #expect(result.succeeded && result.errors.contains("revoked: 1 run, 1 request under way"), "\(result.errors)")
    let end = try await run.wait(timeout: 20)
    #expect(end.end == .exit(77) && end.output.isEmpty && end.errors.contains("revoked"), "\(end)")
    #expect(try await !stage.keepsSession)
    #expect(try await stage.vault.rows("audit", "--action", "Deliver").isEmpty)
    try await stage.vault.mustRun("audit", "verify")
  }

  @Test("so does a process, which may ask again", arguments: [false, true])
  func process(isCached: Bool) async throws {
    let stage = try await Stage()
    if isCached { try await stage.vault.mustRun("exec", "app-dev", "--", "true") }
    let calls = try await stage.simulator.requests("AssumeRole").count
    try await stage.simulator.queue(STSFault(.slow, action: "AssumeRole", delayMs: 2_000))
    let asking = try RunningProgram(
      Programs.vault, ["exec", "--refresh"] + Self.command, environment: stage.vault.environment)
    try await stage.until { try await stage.simulator.requests("AssumeRole").count > calls }
    let result = try await stage.vault.run("revoke", "--process", "\(asking.pid)")
    #expect(result.succeeded && result.errors.contains("1 request under way"), "\(result.errors)")
    let end = try await asking.wait(timeout: 20)
    #expect(end.end == .exit(75) && end.output.isEmpty, "\(end)")
    #expect(try await !stage.keepsSession)
    #expect(try await stage.vault.run(words: ["exec"] + Self.command).output.hasPrefix("ASIA"))
  }

  @Test("a link whose session AWS is about to issue is not made, and its file holds nothing")
  func link() async throws {
    let stage = try await Stage()
    let before = try stage.vault.credentialsFile()
    try await stage.simulator.queue(STSFault(.slow, action: "AssumeRole", delayMs: 2_000))
    async let linked = stage.vault.run("link", "--credentials-file", "app-dev")
    try await stage.until { try await !stage.simulator.requests("AssumeRole").isEmpty }
    try await stage.vault.mustRun("revoke", "--all")
    #expect(try await !linked.succeeded)
    #expect(try stage.vault.credentialsFile() == before)
    #expect(try await !stage.keepsSession)
  }

  @Test(
    "what waits for a person is withdrawn, and cannot be agreed to any more",
    arguments: ["--automation", "--process", "--all", "app-dev"])
  func waiting(way: String) async throws {
    let stage = try await Stage(confirm: true)
    let words = way == "--automation" ? ["exec", "--automation", "q"] : ["exec"]
    let asking = try RunningProgram(Programs.vault, words + Self.command, environment: stage.vault.environment)
    try await stage.until { try await !stage.vault.rows("approve").isEmpty }
    let id = try #require(try await stage.vault.rows("approve").first?["id"] as? String)
    let target =
      switch way {
      case "--automation": ["--automation", "q"]
      case "--process": ["--process", "\(asking.pid)"]
      default: [way]
      }
    let result = try await stage.vault.run(words: ["revoke"] + target)
    #expect(result.succeeded && result.errors.contains("1 request under way"), "\(result.errors)")
    #expect(try await stage.vault.rows("approve").isEmpty)
    let end = try await asking.wait(timeout: 20)
    #expect(end.end == .exit(77) && end.output.isEmpty && end.errors.contains("revoked"), "\(end)")
    let late = try await PseudoTerminal.run([try Programs.vault, "approve", id], [], environment: stage.vault.environment)
    #expect(late.status != 0)
    #expect(try await stage.simulator.requests("AssumeRole").isEmpty)
    let row = try #require(try await stage.vault.rows("audit", "--action", "ConfirmationRefused").first)
    #expect((row["detail"] as? String)?.hasPrefix("revoked") == true, "\(row)")
  }

  @Test("a run's command, and the process that its shell started, mean what the run's first process was given")
  func processOfRun() async throws {
    let stage = try await Stage()
    for isCommand in [true, false] {
      let run = try RunningProgram(
        Programs.vault, ["exec", "--automation", "q", "app-dev", "--", "sh", "-c", "echo $$ $PPID; read end"],
        environment: stage.vault.environment)
      let pids = try await run.readLine().split(separator: " ").map(String.init)
      let named = isCommand ? pids[0] : "\(run.pid)"
      let result = try await stage.vault.run("revoke", "--process", named)
      #expect(
        result.succeeded && result.errors.contains("revoked: 1 session")
          && result.errors.contains("it was given to process \(pids[1]) (")
          && result.errors.contains("/vault), not to process \(named) itself"),
        "\(result.errors)")
      #expect(try await !stage.keepsSession)
      run.send("\n")
      try await run.wait(timeout: 20)
    }
  }

  @Test("a child of a program means what that was given, and so does a program that asked through `vault credentials`")
  func inherited() async throws {
    let stage = try await Stage()
    let plain = try RunningProgram(
      Programs.vault, ["exec", "app-dev", "--", "sh", "-c", "sh -c 'echo $$; read end'; :"], environment: stage.vault.environment)
    let child = try await plain.readLine()
    let result = try await stage.vault.run("revoke", "--process", child)
    #expect(result.succeeded && result.errors.contains("given to process \(plain.pid) ("), "\(result.errors)")
    #expect(try await !stage.keepsSession)
    plain.send("\n")
    try await plain.wait(timeout: 20)

    let asker = try RunningProgram(
      "/bin/sh", ["-c", "\"$1\" credentials app-dev >/dev/null; echo up; read end", "sh", Programs.vault],
      environment: stage.vault.environment)
    _ = try await asker.readLine()
    let passedOn = try await stage.vault.run("revoke", "--process", "\(asker.pid)")
    #expect(passedOn.succeeded && passedOn.errors.contains("revoked: 1 session"), "\(passedOn.errors)")
    #expect(try await !stage.keepsSession)
    asker.send("\n")
    try await asker.wait(timeout: 20)
  }

  @Test("a profile that was just written to its file can be revoked")
  func newProfile() async throws {
    let stage = try await Stage()
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    stage.vault.config(TestVault.standardConfig + "\n[profile other]\nregion = eu-west-1\n")
    #expect(try await stage.vault.run("revoke", "other").succeeded)
  }
}
