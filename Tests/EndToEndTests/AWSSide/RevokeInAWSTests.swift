import Foundation
import TestSupport
import Testing

/// `vault revoke --in-aws`, with moto as IAM: a role denies what it issued, and what others put there stays.
@Suite(.endToEnd) struct RevokeInAWSTests {
  private struct Stage {
    let simulator: STSSimulatorProcess
    let moto: MotoServer
    let vault: TestVault
    let role: String

    init(withRole: Bool = true) async throws {
      simulator = try await STSSimulatorProcess()
      moto = try await MotoServer()
      vault = try await TestVault(simulator, environment: ["AWS_ENDPOINT_URL_IAM": moto.url])
      role = String(STSWorld.devRole.split(separator: "/").last ?? "")
      guard withRole else { return }
      let trust = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#
      try await moto.aws("iam", "create-role", "--role-name", role, "--assume-role-policy-document", trust)
    }

    func policy(_ name: String) async throws -> [String: Any] {
      let text = try await moto.aws(
        "iam", "get-role-policy", "--role-name", role, "--policy-name", name, "--query", "PolicyDocument", "--output", "json")
      return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    func statements(_ name: String) async throws -> [[String: Any]] {
      try #require(try await policy(name)["Statement"] as? [[String: Any]])
    }

    /// The sessions of app-dev that have not ended.
    func live() async throws -> [[String: Any]] {
      try await vault.rows("sessions").filter { $0["profile"] as? String == "app-dev" }
    }

    func rows(_ action: String) async throws -> [[String: Any]] {
      let result = try await vault.run("audit", "--action", action, "--format", "json")
      return try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [[String: Any]] ?? []
    }
  }

  private func moment(_ statement: [String: Any]) -> String? {
    ((statement["Condition"] as? [String: Any])?["DateLessThan"] as? [String: Any])?["aws:TokenIssueTime"] as? String
  }

  @Test("a role denies what it issued until now, by the console's policy, and the log says who had it do so")
  func role() async throws {
    let stage = try await Stage()
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let before = Date()
    let result = try await stage.vault.run("revoke", "app-dev", "--in-aws", "--with", "alice", "--yes", "--reason", "laptop lost")
    #expect(result.succeeded && result.errors.contains("refuses every session issued before"), "\(result.errors)")
    let statements = try await stage.statements("AWSRevokeOlderSessions")
    #expect(statements.count == 1)
    #expect(statements[0]["Effect"] as? String == "Deny" && statements[0]["Action"] as? [String] == ["*"])
    let at = try #require(moment(statements[0]).flatMap { try? Date($0, strategy: .iso8601) })
    #expect(at >= before.addingTimeInterval(-1) && at.timeIntervalSince(before) < 60)
    let rows = try await stage.rows("RevokedInAWS")
    #expect(rows.map { $0["outcome"] as? String } == ["success"])
    #expect(rows.first?["roleArn"] as? String == STSWorld.devRole && rows.first?["reason"] as? String == "laptop lost")
    #expect((rows.first?["detail"] as? String)?.contains("AWSRevokeOlderSessions") == true)
    // Nothing is left here, and AWS is still told: the keys are out there.
    #expect(try await stage.vault.run("revoke", "app-dev", "--in-aws", "--with", "alice", "--yes").succeeded)
    #expect(try await stage.statements("AWSRevokeOlderSessions").count == 1)
    // A person's new command works here; that AWS takes it too is the policy's condition.
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    try await stage.vault.mustRun("audit", "verify")
  }

  @Test("one session is denied by its name, in a policy that keeps the statements of others")
  func session() async throws {
    let stage = try await Stage()
    let foreign = #"{"Version":"2012-10-17","Statement":[{"Sid":"Mine","Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#
    try await stage.moto.aws(
      "iam", "put-role-policy", "--role-name", stage.role, "--policy-name", "VaultRevokedSessions", "--policy-document", foreign)
    try await stage.vault.mustRun("exec", "--session-name", "mine", "app-dev", "--", "true")
    let id = try #require(
      try await stage.vault.rows("sessions").first { $0["roleSessionName"] as? String == "mine" }?["id"] as? String)
    let result = try await stage.vault.run("revoke", "--session", id, "--in-aws", "--with", "alice", "--yes")
    #expect(result.succeeded && result.errors.contains("sessions named mine"), "\(result.errors)")
    let statements = try await stage.statements("VaultRevokedSessions")
    #expect(statements.map { $0["Sid"] as? String }.first == "Mine")
    #expect(statements.count == 2)
    let condition = try #require(statements[1]["Condition"] as? [String: Any])
    #expect((condition["StringLike"] as? [String: Any])?["aws:userId"] as? [String] == ["*:mine"])
    #expect(moment(statements[1]) != nil)
  }

  @Test("the policy is shown and put only with a yes; without a terminal, --yes is needed")
  func confirmed() async throws {
    let stage = try await Stage()
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let piped = try await stage.vault.run("revoke", "app-dev", "--in-aws", "--with", "alice")
    #expect(piped.end == .exit(64) && piped.errors.contains("--yes"), "\(piped.errors)")
    // That was refused before anything was revoked.
    #expect(try await stage.vault.rows("sessions").contains { $0["profile"] as? String == "app-dev" })
    let refused = try await TypedDialogue.run(
      stage.vault, ["revoke", "app-dev", "--in-aws", "--with", "alice"], [("Put it?", "n\r")])
    #expect(refused.shown.contains("aws:TokenIssueTime") && refused.shown.contains("nothing was put"), "\(refused.shown)")
    await #expect(throws: (any Error).self) { try await stage.policy("AWSRevokeOlderSessions") }
    // Here it was revoked all the same.
    #expect(try await stage.vault.rows("sessions").contains { $0["profile"] as? String == "app-dev" } == false)
    let agreed = try await TypedDialogue.run(
      stage.vault, ["revoke", "app-dev", "--in-aws", "--with", "alice"], [("Put it?", "y\r")])
    #expect(agreed.shown.contains("refuses every session"), "\(agreed.shown)")
    #expect(try await stage.statements("AWSRevokeOlderSessions").count == 1)
  }

  @Test("the command that is printed puts the same policy, and nothing is asked of AWS")
  func printed() async throws {
    let stage = try await Stage()
    try await stage.vault.mustRun("exec", "--session-name", "mine", "app-dev", "--", "true")
    let before = try await stage.vault.rows("sessions")
    let printed = try await stage.vault.run("revoke", "app-dev", "--in-aws", "--print")
    #expect(printed.succeeded && printed.errors.contains("nothing was changed, here or in AWS"), "\(printed.errors)")
    let script = printed.output
    await #expect(throws: (any Error).self) { try await stage.policy("AWSRevokeOlderSessions") }
    // A look takes nothing back, and stands in no row.
    #expect(try await stage.vault.rows("sessions").count == before.count && before.count == 1)
    #expect(try await stage.rows("Revoked").isEmpty)
    let applied = try await stage.moto.apply(stage.vault.folder.write(script, to: "revoke.sh"))
    #expect(applied.succeeded, "\(applied.errors)")
    #expect(try await stage.statements("AWSRevokeOlderSessions").count == 1)
    // One session's policy has a name of its own: it must not take the place of earlier ones, which nobody has read.
    let id = try #require(before[0]["id"] as? String)
    let one = try await stage.vault.mustRun("revoke", "--session", id, "--in-aws", "--print")
    #expect(try await stage.moto.apply(stage.vault.folder.write(one, to: "one.sh")).succeeded)
    let name = try #require(one.split(separator: " ").first { $0.hasPrefix("VaultRevokedSessions-") })
    #expect(try await stage.statements(String(name)).count == 1)
    let nobody = try await stage.vault.run("revoke", "nobody", "--in-aws", "--print")
    #expect(nobody.end == .exit(66) && nobody.errors.contains("nobody"), "\(nobody.errors)")
  }

  @Test("a run's sessions alone are denied: by their names, and by the run's tag where they have it")
  func run() async throws {
    let stage = try await Stage()
    func run(_ profile: String) async throws -> String {
      let result = try await stage.vault.run(
        "exec", "--automation", "bot", profile, "--", "sh", "-c", "echo $VAULT_AUTOMATION_RUN")
      #expect(result.succeeded, "\(result.errors)")
      return result.output.trimmingCharacters(in: .newlines)
    }
    func conditions() async throws -> [[String: Any]] {
      try await stage.statements("VaultRevokedSessions").compactMap { $0["Condition"] as? [String: Any] }
    }
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let runs = [try await run("app-dev"), try await run("app-dev")].sorted()
    let result = try await stage.vault.run("revoke", "--automation", "bot", "--in-aws", "--with", "alice", "--yes")
    #expect(result.succeeded, "\(result.errors)")
    let named = try #require(try await conditions().first)
    #expect((named["StringLike"] as? [String: Any])?["aws:userId"] as? [String] == runs.map { "*:bot-\($0)" })
    #expect(named["StringEquals"] == nil)
    // The person's session is neither denied nor ended.
    #expect(try await stage.live().count == 1)

    // A profile that gives every session one name: the tag tells whose it is.
    stage.vault.config(
      TestVault.standardConfig.replacing("[profile app-dev]", with: "[profile app-dev]\nrole_session_name = alice"))
    try stage.vault.guarding("[guard app-dev]\nrun_tags = yes")
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let tagged = try await run("app-dev")
    let id = try #require(
      try await stage.live().last { $0["roleSessionName"] as? String == "alice" && !($0["scope"] is NSNull) }?["id"] as? String)
    #expect(
      try await stage.vault.run("revoke", "--session", id, "--in-aws", "--with", "alice", "--yes").succeeded)
    let last = try #require(try await conditions().last)
    #expect((last["StringLike"] as? [String: Any])?["aws:userId"] as? [String] == ["*:alice"])
    #expect((last["StringEquals"] as? [String: Any])?["aws:PrincipalTag/vault:run"] as? [String] == [tagged])
    #expect(try await stage.live().contains { $0["roleSessionName"] as? String == "alice" })
  }

  @Test("sessions of the role that other profiles have here are not handed out any more once AWS refuses them")
  func others() async throws {
    let stage = try await Stage()
    stage.vault.config(TestVault.standardConfig + "\n[profile same]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n")
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let served = try await ServedProgram(stage.vault, profile: "same")
    let key = try #require(try await served.nextKey())
    #expect(try await stage.vault.run("revoke", "app-dev", "--in-aws", "--with", "alice", "--yes").succeeded)
    let next = try await served.nextKey()
    #expect(next != nil && next != key)
    try await served.end()
    let rows = try await stage.rows("SessionForgotten")
    #expect(rows.map { $0["accessKeyId"] as? String } == [key])
    #expect(rows.first?["detail"] as? String == "AWS refuses it from now on")
  }

  @Test("the profile that puts the policies does so for its own role last")
  func ownRoleLast() async throws {
    let stage = try await Stage()
    let trust = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#
    let partner = try #require(STSWorld.chainedRole.split(separator: "/").last.map { String($0) })
    try await stage.moto.aws("iam", "create-role", "--role-name", partner, "--assume-role-policy-document", trust)
    for profile in ["app-dev", "app-chained"] { try await stage.vault.mustRun("exec", profile, "--", "true") }
    for (with, order) in [("app-dev", [STSWorld.chainedRole, STSWorld.devRole]), ("alice", nil)] {
      let result = try await stage.vault.run("revoke", "--all", "--in-aws", "--with", with, "--yes")
      #expect(result.succeeded, "\(result.errors)")
      let put = try await stage.rows("RevokedInAWS").suffix(2).compactMap { $0["roleArn"] as? String }
      #expect(Set(put) == [STSWorld.chainedRole, STSWorld.devRole] && (order == nil || put == order), "\(put)")
    }
  }

  @Test("what AWS refuses, what is another account's, and what no policy reaches is said")
  func refused() async throws {
    let stage = try await Stage(withRole: false)
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let gone = try await stage.vault.run("revoke", "app-dev", "--in-aws", "--with", "alice", "--yes")
    #expect(!gone.succeeded && gone.errors.contains("NoSuchEntity"), "\(gone.errors)")
    // What was done is said, besides what was not.
    #expect(gone.errors.contains("revoked: 1 session") && gone.errors.contains("revoked here only"), "\(gone.errors)")
    #expect(try await stage.rows("RevokedInAWS").map { $0["outcome"] as? String } == ["refused"])
    // The session of a key is no role's.
    let own = try await stage.vault.run("revoke", "alice", "--in-aws", "--with", "alice", "--yes")
    #expect(own.end == .exit(66) && own.errors.contains("AWS accepts nothing of it"), "\(own.end) \(own.errors)")
    for words in [
      ["--in-aws"], ["--in-aws", "--print", "--with", "alice"], ["--print"], ["--yes"],
      ["--in-aws", "--print", "--yes"], ["--in-aws", "--print", "--reason", "lost"],
      ["--in-aws", "--yes", "--with", "nobody"],
    ] {
      let result = try await stage.vault.run(words: ["revoke", "app-dev"] + words)
      #expect(result.end == .exit(words.last == "nobody" ? 66 : 64), "\(words): \(result.end) \(result.errors)")
    }
  }
}
