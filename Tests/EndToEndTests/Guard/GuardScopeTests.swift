import Foundation
import Glibc
import TestSupport
import Testing

/// What a guarded profile's sessions are narrowed to, and what trees that act by themselves get.
@Suite(.endToEnd) struct GuardScopeTests {
  private static let readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

  private func policies(_ simulator: STSSimulatorProcess) async throws -> [String?] {
    try await simulator.requests("AssumeRole").map { $0.parameters["PolicyArns.member.1.arn"] }
  }

  @Test("a rule's scope narrows the session of every way, and a session from before it is not handed out")
  func always() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try vault.guarding("[guard app-dev]\nscope = read-only")
    let words = [
      ["exec", "app-dev", "--", "true"], ["env", "app-dev"], ["credentials", "app-dev"],
      ["exec", "--server", "app-dev", "--", "true"],
    ]
    for words in words { #expect(try await vault.run(words: words).succeeded) }
    #expect(try await policies(simulator) == [nil, Self.readOnly])
    // Another policy would widen it.
    let wider = try await vault.run("exec", "--policy-arn", "arn:aws:iam::aws:policy/AmazonS3FullAccess", "app-dev", "--", "true")
    #expect(
      wider.end == .exit(78) && wider.errors.contains("AWS would allow what either allows ([guard app-dev] at "),
      "\(wider.errors)")
    // The same is no contradiction.
    #expect(try await vault.run("exec", "--read-only", "app-dev", "--", "true").succeeded)
    #expect(try await policies(simulator).count == 2)
    // What cannot be narrowed is refused, with the rule that would narrow it.
    try vault.guarding("[guard alice]\nscope = read-only")
    let keys = try await vault.run("exec", "--no-session", "alice", "--", "true")
    #expect(keys.end == .exit(78) && keys.errors.contains("([guard alice] at "), "\(keys.errors)")
  }

  @Test("a linked file of a narrowed profile is kept fresh, and narrow")
  func file() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 6))
    let vault = try await TestVault(simulator)
    try vault.guarding("[guard app-dev]\nscope = read-only")
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    func key() throws -> String? {
      try String(contentsOfFile: vault.home + "/.aws/credentials", encoding: .utf8).split(separator: "\n")
        .first { $0.hasPrefix("aws_access_key_id = ASIA") }.map { String($0) }
    }
    let first = try key()
    #expect(first != nil)
    let deadline = Date().addingTimeInterval(30)
    while try key() == first, Date() < deadline { try await Task.sleep(for: .milliseconds(50)) }
    #expect(try key() != first)
    #expect(try await policies(simulator).allSatisfy { $0 == Self.readOnly })
  }

  @Test("a tree that acts by itself gets what the rule on automation says, and a person gets the whole")
  func automation() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    func run() async throws -> Subprocess.Result {
      try await vault.run("exec", "--automation", "bot", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID")
    }
    // Without a rule, and with a rule on something else.
    #expect(try await run().succeeded)
    try vault.guarding("[guard app-dev]\nautomation = allow")
    #expect(try await run().succeeded)
    try vault.guarding("[guard app-dev]\nautomation = allow\n[guard *]\nautomation = read-only")
    #expect(try await run().succeeded)
    #expect(try await policies(simulator) == [Self.readOnly, nil, Self.readOnly])
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    try vault.guarding("[guard app-dev]\nautomation = refuse")
    let refused = try await run()
    #expect(
      refused.end == .exit(77) && refused.errors.contains("bot acts by itself, and such programs are refused"),
      "\(refused.errors)")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    let row = try #require(try await vault.rows("audit", "--action", "GuardRefused").last)
    #expect(((row["requester"] as? [String: Any])?["automation"] as? [String: Any])?["name"] as? String == "bot")
  }

  @Test("an agent's own variable is narrowed where the rule says so, and gets no more than a person in any case")
  func hint() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try vault.guarding("[guard app-dev]\nautomation = read-only")
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: ["CLAUDECODE": "1"])
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await policies(simulator) == [Self.readOnly, nil])
    try vault.guarding("[guard app-dev]\nscope = read-only\nautomation = allow")
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: ["CLAUDECODE": "1"])
    #expect(try await policies(simulator).count == 2)
  }

  @Test("a reason goes to AWS as a tag where a rule says so")
  func tagged() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try vault.guarding("[guard app-dev]\nreason = tagged")
    _ = try await vault.run("exec", "--reason", "ticket 42", "app-dev", "--", "true")
    let sent = try #require(try await simulator.requests("AssumeRole").last?.parameters)
    #expect(sent["Tags.member.1.Key"] == "vault:reason" && sent["Tags.member.1.Value"] == "ticket 42", "\(sent)")
  }
}
