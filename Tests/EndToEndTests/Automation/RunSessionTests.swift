import Foundation
import TestSupport
import Testing

/// The sessions of an automation run are its own: by their name in AWS, by tags where a rule sends them, and in the vault.
@Suite(.endToEnd) struct RunSessionTests {
  private static let readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

  /// The standard profiles, `pinned` with a session name of its own, and rules.
  private func vault(_ simulator: STSSimulatorProcess, rules: String = "") async throws -> TestVault {
    let vault = try await TestVault(
      simulator,
      profiles: "[profile pinned]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\nrole_session_name = alice\n")
    try vault.guarding(rules)
    return vault
  }

  /// Runs a shell's words in a run, and gives its ID.
  @discardableResult
  private func run(
    _ vault: TestVault, _ script: String = "true", name: String = "bot", _ options: String..., profile: String = "app-dev"
  ) async throws -> String {
    let result = try await vault.run(
      words: ["exec", "--automation", name] + options + [profile, "--", "sh", "-c", "echo $VAULT_AUTOMATION_RUN; " + script],
      environment: ["VAULT": try Programs.vault])
    #expect(result.succeeded, "\(result.errors)")
    return String(result.output.prefix { !$0.isNewline })
  }

  private func names(_ simulator: STSSimulatorProcess, _ action: String = "AssumeRole") async throws -> [String?] {
    try await simulator.requests(action).map { $0.parameters[action == "AssumeRole" ? "RoleSessionName" : "Name"] }
  }

  @Test("each run's sessions have its name and ID, two runs share none, and a person's has the person's name")
  func names() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    try await vault.mustRun("exec", "--read-only", "app-dev", "--", "true")
    let first = try await run(vault, "$VAULT exec app-dev -- true; $VAULT exec app-dev --read-only -- true")
    let second = try await run(vault)
    let long = String(repeating: "n", count: 64)
    let third = try await run(vault, name: long)
    let names = try await names(simulator).compactMap { $0 }
    // What a run asks for again it has already.
    #expect(names.dropFirst() == ["bot-\(first)", "bot-\(second)", long.prefix(43) + "-\(third)"])
    #expect(names.first?.contains("@") == true && first.hasPrefix("run_") && first != second)
    for action in ["AssumeRole", "Deliver"] {
      let rows = try await vault.rows("audit", "--action", action, "--run", second)
      #expect(rows.map { $0["roleSessionName"] as? String } == ["bot-\(second)"])
    }
    // The person's session is the person's again.
    try await vault.mustRun("exec", "--read-only", "app-dev", "--", "true")
    #expect(try await self.names(simulator).count == names.count)
  }

  @Test("the last role of a chain has the run's name; the sessions before it are everybody's")
  func chain() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    try await vault.mustRun("exec", "app-chained", "--", "true")
    let id = try await run(vault, profile: "app-chained")
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls.map { $0.parameters["RoleArn"] } == [STSWorld.devRole, STSWorld.chainedRole, STSWorld.chainedRole])
    #expect(calls.last?.parameters["RoleSessionName"] == "bot-\(id)")
  }

  @Test("the profile's role_session_name counts, and its sessions are still neither shared with another run nor with a person")
  func pinned() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, rules: "[guard pinned]\nautomation = allow")
    try await vault.mustRun("exec", "pinned", "--", "true")
    try await run(vault, profile: "pinned")
    try await run(vault, profile: "pinned")
    try await vault.mustRun("exec", "pinned", "--", "true")
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls.map { $0.parameters["RoleSessionName"] } == ["alice", "alice", "alice"])
    #expect(calls.allSatisfy { $0.parameters["PolicyArns.member.1.arn"] == nil })
    let given = try await vault.rows("audit", "--action", "Deliver").compactMap { $0["accessKeyId"] as? String }
    #expect(given.count == 4 && Set(given).count == 3 && given[0] == given[3])
    // The profile's own session, as `list` shows it, is the person's.
    let shown = try await vault.rows("list").first { $0["profile"] as? String == "pinned" }?["session"] as? [String: Any]
    #expect(shown?["accessKeyId"] as? String == given[0])
    // What a run had is taken back alone.
    try await vault.mustRun("revoke", "--automation", "bot")
    let live = try await vault.rows("sessions").filter { $0["profile"] as? String == "pinned" }
    #expect(live.map { $0["accessKeyId"] as? String } == [given[0]])
  }

  @Test("a role whose trust policy pins the session name is refused to a run, until the profile says that name")
  func trust() async throws {
    var world = STSWorld.standard
    world[role: STSWorld.devRole]?.trustPolicy = """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},
      "Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:RoleSessionName":"alice"}}}]}
      """
    let simulator = try await STSSimulatorProcess(world)
    let vault = try await vault(simulator)
    let refused = try await vault.run("exec", "--automation", "bot", "app-dev", "--", "true")
    #expect(refused.end == .exit(77), "\(refused.end) \(refused.errors)")
    try await run(vault, profile: "pinned")
  }

  @Test(
    "--session-name counts for the one who starts a run; in the run itself it would pass for somebody else, and has no effect")
  func sessionName() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let id = try await run(vault, "$VAULT exec --session-name carol app-dev -- true", name: "bot", "--session-name", "nightly")
    #expect(try await names(simulator) == ["nightly", "bot-\(id)"])
    let inside = try await vault.run(
      words: ["exec", "--automation", "bot", "app-dev", "--", "sh", "-c", "$VAULT exec --session-name carol app-dev -- true"],
      environment: ["VAULT": try Programs.vault])
    #expect(inside.errors.contains("--session-name has no effect in an automation run"), "\(inside.errors)")
  }

  @Test("a federation token has the ID whole in its 32 characters, and is not shared either")
  func federated() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let first = try await run(vault, name: "nightly-integration", profile: "alice")
    let second = try await run(vault, name: "nightly-integration", profile: "alice")
    #expect(try await names(simulator, "GetFederationToken") == ["nightly-int-\(first)", "nightly-int-\(second)"])
  }

  @Test("a run that is served keeps its name and its tags through renewals and under the next agent")
  func served() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await vault(simulator, rules: "[guard app-dev]\nrun_tags = yes")
    let served = try await ServedProgram(vault, option: "--server", "--automation", "bot")
    var seen: Set<String> = []
    let deadline = Date().addingTimeInterval(90)
    while seen.count < 3, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    vault.killAgent()
    try await vault.mustRun("agent", "start")
    while seen.count < 6, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    #expect(seen.count >= 6)
    let id = try #require(
      (try await vault.rows("audit", "--action", "AutomationStarted").first?["requester"] as? [String: Any])
        .flatMap { $0["automation"] as? [String: Any] }?["run"] as? String)
    let calls = try await simulator.requests("AssumeRole")
    #expect(seen.isSubset(of: Set(calls.compactMap(\.issuedAccessKeyId))))
    for call in calls {
      let sent = call.parameters
      #expect(sent["RoleSessionName"] == "bot-\(id)" && sent["PolicyArns.member.1.arn"] == Self.readOnly)
      #expect(sent["Tags.member.1.Key"] == "vault:automation" && sent["Tags.member.1.Value"] == "bot", "\(sent)")
      #expect(sent["Tags.member.2.Key"] == "vault:run" && sent["Tags.member.2.Value"] == id, "\(sent)")
    }
    try await served.end()
  }

  @Test("the session of a run that is not served is not renewed, unlike a person's")
  func notRenewed() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await vault(simulator)
    let id = try await run(vault)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let deadline = Date().addingTimeInterval(60)
    var names: [String?] = []
    while names.count < 5, Date() < deadline {
      names = try await self.names(simulator)
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(names.count >= 5 && names.count { $0 == "bot-\(id)" } == 1, "\(names)")
  }

  @Test("tags are sent only where a rule says so, and only for runs; a role that does not allow them is refused then")
  func tags() async throws {
    var world = STSWorld.standard
    world[role: STSWorld.devRole]?.allowsTags = false
    let simulator = try await STSSimulatorProcess(world)
    let vault = try await vault(simulator)
    try await run(vault)
    try vault.guarding("[guard app-*]\nrun_tags = yes")
    let refused = try await vault.run("exec", "--automation", "bot", "app-dev", "--", "true")
    #expect(refused.end == .exit(77) && refused.errors.contains("sts:TagSession"), "\(refused.end) \(refused.errors)")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(
      try await simulator.requests("AssumeRole").map { $0.parameters["Tags.member.1.Key"] } == [nil, "vault:automation", nil])
    #expect(try await vault.mustRun("guard", "check", "app-dev").contains("run_tags      yes"))
  }

  @Test("a process of a run cannot give its session the tags of another run")
  func forged() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    for tag in ["vault:run=run_0000000000000000", "Vault:Automation=other"] {
      let result = try await vault.run("exec", "--automation", "bot", "--tag", tag, "app-dev", "--", "true")
      #expect(result.end == .exit(78) && result.errors.contains("already set to another value"), "\(result.end) \(result.errors)")
    }
    #expect(try await simulator.requests("AssumeRole").isEmpty)
  }
}
