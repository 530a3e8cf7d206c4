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
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let script = try await stage.vault.mustRun("revoke", "app-dev", "--in-aws", "--print")
    await #expect(throws: (any Error).self) { try await stage.policy("AWSRevokeOlderSessions") }
    let applied = try await stage.moto.apply(stage.vault.folder.write(script, to: "revoke.sh"))
    #expect(applied.succeeded, "\(applied.errors)")
    #expect(try await stage.statements("AWSRevokeOlderSessions").count == 1)
  }

  @Test("what AWS refuses, what is another account's, and what no policy reaches is said")
  func refused() async throws {
    let stage = try await Stage(withRole: false)
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    let gone = try await stage.vault.run("revoke", "app-dev", "--in-aws", "--with", "alice", "--yes")
    #expect(!gone.succeeded && gone.errors.contains("NoSuchEntity"), "\(gone.errors)")
    #expect(try await stage.rows("RevokedInAWS").map { $0["outcome"] as? String } == ["refused"])
    // The session of a key is no role's.
    let own = try await stage.vault.run("revoke", "alice", "--in-aws", "--with", "alice", "--yes")
    #expect(own.end == .exit(66) && own.errors.contains("AWS accepts nothing of it"), "\(own.end) \(own.errors)")
    for words in [
      ["--in-aws"], ["--in-aws", "--print", "--with", "alice"], ["--print"], ["--yes"],
      ["--in-aws", "--yes", "--with", "nobody"],
    ] {
      let result = try await stage.vault.run(words: ["revoke", "app-dev"] + words)
      #expect(result.end == .exit(words.last == "nobody" ? 66 : 64), "\(words): \(result.end) \(result.errors)")
    }
  }
}
