import Foundation
import TestSupport
import Testing

/// docs/agents.md: what a coding agent's command line gets, and what it does not.
@Suite(.endToEnd) struct AgentPageTests {
  private static let readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    let vault = try await TestVault(simulator)
    mkdir(vault.folder.file("agent"), 0o700)
    return vault
  }

  /// The access key that a command printed.
  private func key(_ text: String) -> String? {
    (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])?["AccessKeyId"] as? String
  }

  /// The way in which each key was issued.
  private func scopes(_ simulator: STSSimulatorProcess) async throws -> [String: String] {
    let calls = try await simulator.requests("AssumeRole").filter { $0.issuedAccessKeyId != nil }
    return Dictionary(calls.map { ($0.issuedAccessKeyId ?? "", $0.parameters["PolicyArns.member.1.arn"] ?? "") }) { $1 }
  }

  @Test(
    "each way in which an agent runs a command gets a session that only reads, for every profile; outside, nothing is narrowed")
  func ways() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let before = try #require(key(try await vault.mustRun("credentials", "app-dev")))
    let script = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/agent.py").path
    for profile in ["app-dev", "app-chained"] {
      let run = try await vault.run(
        words: ["exec", "--automation", "helper", "app-dev", "--", try Programs.python, script, vault.folder.file("agent")]
          + [try Programs.vault, "credentials", profile])
      try #require(run.succeeded, "\(run.errors)")
      let ways = try JSONDecoder().decode([String: String].self, from: Data(run.outputBytes))
      #expect(ways.count == 11)
      let scopes = try await scopes(simulator)
      for (way, text) in ways { #expect(key(text).flatMap { scopes[$0] } == Self.readOnly, "\(way): \(text) \(run.errors)") }
      try FileManager.default.removeItem(atPath: vault.folder.file("agent/repository"))
    }
    // A person's session is as it was.
    #expect(key(try await vault.mustRun("credentials", "app-dev")) == before)
    #expect(try await scopes(simulator)[before] == "")
    let rows = try await vault.rows("audit", "--automation", "helper", "--action", "Deliver")
    #expect(rows.count >= 24, "\(rows.count)")
    for row in rows {
      let requester = try #require(row["requester"] as? [String: Any])
      #expect((requester["automation"] as? [String: Any])?["name"] as? String == "helper")
    }
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test(
    "a run cannot unlock, approve, change or take anything back",
    arguments: [
      ["unlock"], ["lock"], ["approve"], ["approve", "abcdef"], ["config", "lock_after", "8h"],
      ["add", "mine", "--source", "alice", "--role-arn", STSWorld.devRole], ["edit", "app-dev", "--region", "us-east-1"],
      ["remove", "app-dev"], ["import"], ["link", "app-dev"], ["forget", "app-dev"], ["rotate", "app-dev"],
      ["revoke", "--all"], ["login", "corp"], ["logout", "--all"], ["access-key", "remove", "alice"],
      ["access-key", "rotate", "alice"], ["master-key", "rotate"], ["agent", "stop"], ["audit", "accept"],
      ["exec", "--automation", "other", "app-dev", "--", "true"],
    ])
  func closed(words: [String]) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let config = try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
    let run = try await vault.run(
      words: ["exec", "--automation", "helper", "app-dev", "--", try Programs.vault] + words)
    #expect(
      run.end == .exit(77) && run.errors.contains("hint: do it in a terminal outside of the run"), "\(words): \(run.errors)")
    // The settings are a file, which the client refuses to write before it asks.
    let rows = try await vault.rows("audit", "--action", "RequestRefused", "--automation", "helper")
    #expect(words[0] == "config" || !rows.isEmpty, "\(words)")
    #expect(try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8) == config)
    #expect(try await vault.mustRun("list", "--names").contains("app-dev"))
    try await vault.mustRun("exec", "app-dev", "--", "true")
  }

  @Test("a program that names itself by a variable is narrowed where a rule says so, and nowhere else")
  func hint() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let file = vault.folder.file("vault/config")
    let config = try String(contentsOfFile: file, encoding: .utf8)
    vault.folder.write(config + "[guard app-*]\nautomation = read-only\n", to: "vault/config")
    func issued(_ profile: String, _ environment: [String: String]) async throws -> String? {
      let key = key(try await vault.run("credentials", profile, environment: environment).output)
      return try await scopes(simulator)[key ?? ""]
    }
    #expect(try await issued("app-dev", ["CLAUDECODE": "1"]) == Self.readOnly)
    #expect(try await issued("app-dev", [:]) == "")
    #expect(try await issued("partner", ["CLAUDECODE": "1"]) == "")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a revoked run gets nothing more, and the next one of that name does")
  func revoked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let program = try RunningProgram(
      Programs.vault,
      [
        "exec", "--automation", "helper", "app-dev", "--", "sh", "-c",
        "echo ready; read line; \(try Programs.vault) credentials app-dev; echo status $?",
      ], environment: vault.environment)
    #expect(try await program.readLine() == "ready")
    try await vault.mustRun("revoke", "--automation", "helper")
    program.send("\n")
    #expect(try await program.readLine() == "status 77")
    try await program.wait(timeout: 10)
    try await vault.mustRun("exec", "--automation", "helper", "app-dev", "--", "true")
  }
}
