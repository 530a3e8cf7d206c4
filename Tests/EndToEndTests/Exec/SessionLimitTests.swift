import Foundation
import TestSupport
import Testing
import VaultModel

/// What AWS gives a session, and what it does not: by the real programs against the strict simulator.
@Suite(.endToEnd) struct SessionLimitTests {
  private func vault(_ simulator: STSSimulatorProcess, _ config: String, credentials: String = TestVault.standardCredentials)
    async throws -> TestVault
  {
    let vault = TestVault(environment: simulator.environment)
    vault.config(config)
    vault.credentials(credentials)
    try await vault.mustRun("import")
    return vault
  }

  private static let mfaRole = """
    [profile app-mfa]
    role_arn = \(STSWorld.mfaRole)
    source_profile = alice
    mfa_serial = \(STSWorld.aliceMFASerial)

    """

  @Test(
    "a role with MFA for more than an hour is assumed by the long-lived key itself, with the code in the role's own call",
    arguments: [
      ("duration_seconds = 43200", [], "43200"), ("", ["--duration", "8h"], "28800"), ("", ["--duration", "3601"], "3601"),
    ])
  func longMFA(line: String, options: [String], seconds: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, Self.mfaRole + line + "\n")
    for _ in 0..<2 {
      let words = ["exec", "app-mfa"] + options + ["--mfa-code", STSWorld.aliceMFACodes[0], "--", "true"]
      let result = try await vault.run(words: words)
      #expect(result.succeeded && result.errors.isEmpty, "\(result.errors)")
    }
    let calls = try await simulator.report().requests
    #expect(calls.map(\.action) == ["AssumeRole"])
    #expect(calls[0].accessKeyId == STSWorld.aliceAccessKeyId && calls[0].parameters["DurationSeconds"] == seconds)
    #expect(calls[0].parameters["SerialNumber"] == STSWorld.aliceMFASerial && calls[0].parameters["TokenCode"] == "‹secret›")
    let row = try #require(try await vault.rows("audit", "--action", "AssumeRole").last)
    #expect(row["mfa"] as? Bool == true && row["durationSeconds"] as? Int == Int(seconds))
  }

  @Test("a role with MFA for an hour or less is had by way of a session, so that one code serves the day")
  func hourMFA() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, Self.mfaRole + "duration_seconds = 3600\n")
    try await vault.mustRun("exec", "app-mfa", "--mfa-code", STSWorld.aliceMFACodes[0], "--", "true")
    try await vault.mustRun("exec", "--refresh", "app-mfa", "--", "true")
    #expect(try await simulator.report().requests.map(\.action) == ["GetSessionToken", "AssumeRole", "AssumeRole"])
  }

  @Test("whatever else has a session token is cut to the hour, and says so; keys without one are not")
  func otherSources() async throws {
    var world = STSWorld.standard
    world[role: STSWorld.devRole]?.maxSessionDuration = 43_200
    let simulator = try await STSSimulatorProcess(world)
    let session = try await TestVault(simulator).mustRun(
      "exec", "alice", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID; echo $AWS_SECRET_ACCESS_KEY; echo $AWS_SESSION_TOKEN")
    let parts = session.split(separator: "\n").map(String.init)
    let role = "role_arn = \(STSWorld.devRole)\nduration_seconds = 7200\n"
    let answer = #"{"Version":1,"AccessKeyId":"%","SecretAccessKey":"%"%}"#
    let temporary = TestVault.filled(answer, [parts[0], parts[1], #","SessionToken":"\#(parts[2])""#])
    let lasting = TestVault.filled(answer, [STSWorld.aliceAccessKeyId, STSWorld.aliceSecretAccessKey, ""])
    let vault = TestVault(environment: simulator.environment)
    vault.config(
      """
      [profile temporary]
      credential_process = cat \(vault.folder.write(temporary, to: "temporary"))
      [profile lasting]
      credential_process = cat \(vault.folder.write(lasting, to: "lasting"))
      [profile over-file]
      source_profile = pasted
      \(role)
      [profile over-temporary]
      source_profile = temporary
      \(role)
      [profile over-lasting]
      source_profile = lasting
      \(role)
      [profile over-environment]
      credential_source = Environment
      \(role)
      """)
    vault.credentials(
      "[pasted]\naws_access_key_id = \(parts[0])\naws_secret_access_key = \(parts[1])\naws_session_token = \(parts[2])\n")
    try await vault.mustRun("import")
    let variables = ["AWS_ACCESS_KEY_ID": parts[0], "AWS_SECRET_ACCESS_KEY": parts[1], "AWS_SESSION_TOKEN": parts[2]]
    for name in ["over-file", "over-temporary", "over-environment"] {
      let result = try await vault.run("exec", name, "--", "true", environment: name == "over-environment" ? variables : [:])
      #expect(
        result.succeeded && result.errors.contains("at most one hour; 120 min were reduced to 60"), "\(name): \(result.errors)")
      #expect(try await simulator.requests("AssumeRole").last?.parameters["DurationSeconds"] == "3600")
    }
    let free = try await vault.run("exec", "over-lasting", "--", "true")
    #expect(free.succeeded && free.errors.isEmpty, "\(free.errors)")
    #expect(try await simulator.requests("AssumeRole").last?.parameters["DurationSeconds"] == "7200")
  }

  @Test("a session of access keys may live 36 hours, that of a role may not, which is said before any call")
  func longKeys() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "--duration", "36h", "alice", "--", "true")
    #expect(try await simulator.requests().last?.parameters["DurationSeconds"] == "129600")
    let role = try await vault.run("exec", "--duration", "36h", "app-dev", "--", "true")
    #expect(role.end == .exit(64) && role.errors.contains("lasts at most 12 hours"), "\(role.errors)")
    #expect(try await vault.run("exec", "--duration", "37h", "alice", "--", "true").end == .exit(64))
    #expect(try await simulator.requests().count == 1)
  }

  @Test("a source identity may have 256 characters")
  func sourceIdentity() async throws {
    let simulator = try await STSSimulatorProcess()
    let name = String(repeating: "a", count: 256)
    let profile = "[profile app]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\nsource_identity = "
    try await vault(simulator, profile + name + "\n").mustRun("exec", "app", "--", "true")
    #expect(try await simulator.requests("AssumeRole").last?.parameters["SourceIdentity"] == name)
    let long = try await vault(simulator, profile + name + "a\n").run("exec", "app", "--", "true")
    #expect(long.end == .exit(78) && long.errors.contains("2 to 256"), "\(long.errors)")
  }

  // MARK: bare access keys

  @Test("the console of access keys is opened by a federation token that is made for it and kept nowhere")
  func console() async throws {
    let simulator = try await STSSimulatorProcess()
    let config = "[profile alice]\nregion = us-east-1\nmfa_serial = \(STSWorld.aliceMFASerial)\n"
    let vault = try await vault(simulator, config)
    let opened = try await vault.run("console", "alice", "--print")
    #expect(opened.succeeded && opened.output.contains("SigninToken=token-of-ASIA"), "\(opened.errors)")
    #expect(opened.errors.contains("no MFA"), "\(opened.errors)")
    let call = try #require(try await simulator.requests("GetFederationToken").first)
    #expect(call.accessKeyId == STSWorld.aliceAccessKeyId && call.parameters["Policy"]?.contains(#""Action":"*""#) == true)
    #expect(try await simulator.requests("GetSessionToken").isEmpty)
    let rows = try await vault.rows("audit", "--profile", "alice").dropFirst()
    #expect(rows.map { $0["action"] as? String } == ["GetFederationToken", "Deliver", "GetSigninToken"])
    #expect(rows.prefix(2).allSatisfy { $0["accessKeyId"] as? String == call.issuedAccessKeyId })
    #expect(rows.last?["sourceAccessKeyId"] as? String == call.issuedAccessKeyId)
    #expect(try await vault.rows("sessions").isEmpty)
  }

  @Test(
    "a session of access keys without MFA says once what AWS refuses it, and --no-session hands out the keys, which is logged")
  func bareKeys() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let first = try await vault.run("exec", "alice", "--", "true")
    #expect(first.succeeded && first.errors.contains("IAM") && first.errors.contains("--no-session"), "\(first.errors)")
    #expect(try await vault.run("exec", "alice", "--", "true").errors.isEmpty)
    #expect(try await vault.mustRun("show", "alice").contains("AWS refuses IAM calls"))
    let variables = try await vault.mustRun("exec", "--no-session", "alice", "--", "env").split(separator: "\n")
    #expect(variables.contains("AWS_ACCESS_KEY_ID=\(STSWorld.aliceAccessKeyId)"))
    #expect(variables.contains("AWS_SECRET_ACCESS_KEY=\(STSWorld.aliceSecretAccessKey)"))
    #expect(!variables.contains { $0.hasPrefix("AWS_SESSION_TOKEN") || $0.hasPrefix("AWS_CREDENTIAL_EXPIRATION") })
    let row = try #require(try await vault.rows("audit", "--action", "Deliver").last)
    #expect(row["accessKeyId"] as? String == STSWorld.aliceAccessKeyId)
    let log = try await vault.mustRun("audit", "export", "--format", "jsonl")
    #expect(log.contains("the access key itself, without a session"))
    #expect(try await vault.run("exec", "--no-session", "--server", "alice", "--", "true").end == .exit(64))
    // Over a role, the key signs the role's call and gives the code there.
    try await vault.mustRun("exec", "--no-session", "--mfa-code", STSWorld.aliceMFACodes[0], "app-mfa", "--", "true")
    #expect(try await simulator.requests("GetSessionToken").count == 1)
    #expect(try await simulator.requests("AssumeRole").last?.parameters["TokenCode"] == "‹secret›")
  }
}

extension TestVault {
  /// A text with values in the places of its `%`.
  fileprivate static func filled(_ text: String, _ values: [String]) -> String {
    zip(text.split(separator: "%", omittingEmptySubsequences: false), values + [""]).map { String($0) + $1 }.joined()
  }
}

/// Parts of AWS beside the commercial one.
@Suite(.endToEnd) struct PartitionTests {
  @Test(
    "a role of another partition is called there, and its console is that partition's; a region elsewhere is refused before any call"
  )
  func govCloud() async throws {
    var world = STSWorld.standard
    let role = "arn:aws-us-gov:iam::123456789012:role/dev"
    world.users[0].mayAssume = ["*"]
    world.roles.append(STSWorld.Role(arn: role, trusts: ["arn:aws:iam::123456789012:root"]))
    world.regions = ["us-gov-west-1", "us-east-1"]
    let simulator = try await STSSimulatorProcess(world)
    let vault = TestVault(environment: simulator.environment)
    vault.config(
      "[profile gov]\nrole_arn = \(role)\nsource_profile = alice\n[profile odd]\nrole_arn = \(role)\nsource_profile = alice\nregion = us-east-1\n"
    )
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    #expect(try await vault.mustRun("exec", "gov", "--", "printenv", "AWS_REGION") == "us-gov-west-1\n")
    #expect(try await simulator.requests("AssumeRole").last?.region == "us-gov-west-1")
    let page = try await vault.mustRun("console", "gov", "--print")
    #expect(page.contains("Destination=https%3A%2F%2Fus-gov-west-1.console.amazonaws-us-gov.com"), "\(page)")
    let calls = try await simulator.requests().count
    for words in [["exec", "odd"], ["exec", "--region", "us-east-1", "gov"]] {
      let refused = try await vault.run(words: words + ["--", "true"])
      #expect(refused.end == .exit(78) && refused.errors.contains("aws-us-gov"), "\(refused.errors)")
    }
    #expect(try await simulator.requests().count == calls)
  }
}
