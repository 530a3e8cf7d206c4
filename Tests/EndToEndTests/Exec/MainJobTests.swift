import Foundation
import TestSupport
import Testing
import VaultModel

/// The main job, by the real programs against the strict simulator.
@Suite(.endToEnd) struct MainJobTests {
  /// What `env` printed, as a dictionary.
  private func environment(_ output: String) -> [String: String] {
    Dictionary(
      output.split(separator: "\n").compactMap { line in
        line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
      }, uniquingKeysWith: { first, _ in first })
  }

  @Test("a program runs with the role's credentials, its region, and nothing that would override them")
  func exec() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let output = try await vault.mustRun(
      "exec", "app-dev", "--", "env",
      environment: ["AWS_PROFILE": "other", "AWS_SECURITY_TOKEN": "old", "AWS_ROLE_ARN": "x", "KEPT": "as it is"])
    let variables = environment(output)
    let call = try #require(try await simulator.requests("AssumeRole").first)
    #expect(variables["AWS_ACCESS_KEY_ID"] == call.issuedAccessKeyId)
    #expect(variables["AWS_SECRET_ACCESS_KEY"]?.isEmpty == false && variables["AWS_SESSION_TOKEN"]?.isEmpty == false)
    #expect(variables["AWS_REGION"] == "eu-west-1" && variables["AWS_DEFAULT_REGION"] == "eu-west-1")
    #expect(variables["AWS_VAULT"] == "app-dev" && variables["VAULT_PROFILE"] == "app-dev")
    #expect(Timestamp(iso8601: variables["AWS_CREDENTIAL_EXPIRATION"] ?? "") != nil)
    #expect(variables["KEPT"] == "as it is")
    for name in ["AWS_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ROLE_ARN"] { #expect(variables[name] == nil) }
    #expect(call.callerARN == STSWorld.aliceARN)
  }

  @Test("a second run is served from the vault, and both are in the audit log with who asked")
  func cached() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for _ in 0..<2 { try await vault.mustRun("exec", "app-dev", "--", "true") }
    #expect(try await simulator.requests("AssumeRole").count == 1)
    let rows = try await vault.rows("audit", "--profile", "app-dev")
    #expect(rows.map { $0["action"] as? String } == ["AssumeRole", "Deliver", "Deliver"])
    let call = try #require(try await simulator.requests("AssumeRole").first)
    #expect(rows[0]["requestId"] as? String == call.requestId)
    #expect(rows[0]["accessKeyId"] as? String == call.issuedAccessKeyId)
    #expect(rows[0]["sourceAccessKeyId"] as? String == STSWorld.aliceAccessKeyId)
    let requester = try #require(rows[1]["requester"] as? [String: Any])
    #expect(requester["program"] as? String == "true")
    #expect((requester["executable"] as? String)?.hasSuffix("/vault") == true)
    #expect(requester["uid"] as? Int == Int(geteuid()))
    #expect(try await vault.run("audit", "verify").succeeded)
    let session = try #require(try await vault.rows("sessions").first)
    #expect(session["deliveries"] as? Int == 2)
  }

  @Test("a role over a role is reached with two calls, and its session is cut to the hour that AWS gives, which is said once")
  func chained() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let first = try await vault.run("exec", "app-chained", "--", "true")
    #expect(first.succeeded)
    #expect(first.errors.contains("at most one hour"))
    let second = try await vault.run("exec", "app-chained", "--", "true")
    #expect(second.succeeded && second.errors.isEmpty)
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls.map { $0.parameters["RoleArn"] } == [STSWorld.devRole, STSWorld.chainedRole])
    #expect(calls[1].parameters["DurationSeconds"] == "3600")
    #expect(calls[1].accessKeyId == calls[0].issuedAccessKeyId)
    let shown = try await vault.mustRun("show", "app-chained")
    #expect(shown.contains("1h 00m (requested: 2h 00m; a chained role gets no more)"), "\(shown)")
    // The link between is a session of its own, which its own profile uses too.
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 2)
  }

  @Test("one MFA code serves every role that asks for the device")
  func mfa() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let refused = try await vault.run("exec", "app-mfa", "--", "true")
    #expect(refused.end == .exit(77))
    #expect(refused.errors.contains("--mfa-code"))
    try await vault.mustRun("exec", "--mfa-code", STSWorld.aliceMFACodes[0], "app-mfa", "--", "true")
    try await vault.mustRun("exec", "--refresh", "app-mfa", "--", "true")
    let calls = try await simulator.report().requests.filter { $0.outcome == .success }
    #expect(calls.map(\.action) == ["GetSessionToken", "AssumeRole", "AssumeRole"])
    let row = try #require(try await vault.rows("audit", "--action", "GetSessionToken").last)
    #expect(row["mfa"] as? Bool == true)
  }

  @Test("the external id and the session's name reach AWS; by default the name is the person's and the machine's")
  func parameters() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "partner", "--", "true")
    try await vault.mustRun("exec", "--session-name", "release-42", "--duration", "15m", "partner", "--", "true")
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls[0].parameters["ExternalId"] == STSWorld.externalId)
    #expect(calls[0].parameters["RoleSessionName"]?.contains("@") == true)
    #expect(calls[1].parameters["RoleSessionName"] == "release-42" && calls[1].parameters["DurationSeconds"] == "900")
  }

  @Test("the child's exit status and signal are its own, and it keeps the process that vault had")
  func status() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    #expect(try await vault.run("exec", "app-dev", "--", "sh", "-c", "exit 42").end == .exit(42))
    #expect(try await vault.run("exec", "app-dev", "--", "sh", "-c", "kill -TERM $$").end == .signal(SIGTERM))
    #expect(try await vault.run("exec", "app-dev", "--", "no-such-command").end == .exit(127))
    let file = vault.folder.write("not a program", to: "plain", mode: 0o600)
    #expect(try await vault.run("exec", "app-dev", "--", file).end == .exit(126))
    let script = vault.folder.write("#!/no/such/interpreter\n", to: "script", mode: 0o700)
    let orphan = try await vault.run("exec", "app-dev", "--", script)
    #expect(orphan.end == .exit(126) && orphan.errors.contains("its interpreter is not found"))
    #expect(try await vault.run("exec", "", "--", "true").end == .exit(64))
  }

  @Test("rotate makes a new session, forget drops it, and the history says what ended each")
  func rotateAndForget() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("rotate", "app-dev")
    try await vault.mustRun("rotate", "--all")
    try await vault.mustRun("forget", "app-dev")
    let history = try await vault.rows("sessions", "--all")
    #expect(history.map { $0["endReason"] as? String } == ["replaced", "replaced", "forgotten"])
    #expect(history[0]["replacedBy"] as? String == history[1]["id"] as? String)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 4)
  }

  @Test("moto, which we did not write, gives the AWS CLI the same role")
  func moto() async throws {
    let moto = try await MotoServer()
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": moto.url])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    let output = try await vault.mustRun("exec", "app-dev", "--", try Programs.aws, "sts", "get-caller-identity")
    let identity = try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
    #expect((identity["Arn"] as? String)?.hasPrefix("arn:aws:sts::123456789012:assumed-role/my-application-dev-role/") == true)
  }
}
