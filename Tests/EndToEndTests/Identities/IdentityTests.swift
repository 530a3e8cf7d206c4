import Foundation
import TestSupport
import Testing
import VaultModel

/// Every other source of an identity, by the real programs against the strict simulator: each is the first link of a chain.
@Suite(.endToEnd) struct IdentityTests {
  static let ciRole = "arn:aws:iam::123456789012:role/ci"

  /// A vault with a profile `ci` of these settings, and a role over it.
  private func vault(
    _ simulator: STSSimulatorProcess, _ settings: String, environment: [String: String] = [:], credentials: String = ""
  ) async throws -> TestVault {
    let vault = TestVault(environment: simulator.environment.merging(environment) { _, new in new })
    vault.config(
      """
      [profile ci]
      region = us-east-1
      \(settings.replacing("FOLDER", with: vault.folder.path))

      [profile app]
      role_arn = \(STSWorld.ssoRole)
      source_profile = ci

      """)
    vault.credentials(credentials)
    try await vault.mustRun("import")
    return vault
  }

  private func actions(_ simulator: STSSimulatorProcess) async throws -> [String] {
    try await simulator.report().requests.map(\.action)
  }

  @Test("a web identity's token is read anew at each call, and a role behind it is reached")
  func webIdentity() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(
      simulator, "role_arn = \(Self.ciRole)\nweb_identity_token_file = FOLDER/token\nrole_session_name = build-42")
    vault.folder.write(STSWorld.webToken + "\n", to: "token")
    try await vault.mustRun("exec", "app", "--", "true")
    #expect(try await actions(simulator) == ["AssumeRoleWithWebIdentity", "AssumeRole"])
    let call = try #require(try await simulator.requests("AssumeRoleWithWebIdentity").first)
    #expect(call.parameters["RoleSessionName"] == "build-42" && call.accessKeyId == nil)

    vault.folder.write("eyJhbGciOiJSUzI1NiJ9.old.token", to: "token")
    let stale = try await vault.run("exec", "--refresh", "ci", "--", "true")
    #expect(stale.end == .exit(77) && stale.errors.contains("InvalidIdentityToken"))
    try FileManager.default.removeItem(atPath: vault.folder.file("token"))
    let gone = try await vault.run("exec", "--refresh", "ci", "--", "true")
    #expect(gone.end == .exit(66) && gone.errors.contains("No such file"))
    // What is cached is served all the same.
    try await vault.mustRun("exec", "ci", "--", "true")
    vault.folder.write("two\nlines", to: "token")
    #expect(try await vault.run("exec", "--refresh", "ci", "--", "true").end == .exit(65))
  }

  @Test("a token's file may stand under ~, for a request and for what is read unasked")
  func tokenUnderHome() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator, "role_arn = \(Self.ciRole)\nweb_identity_token_file = ~/token")
    vault.folder.write(STSWorld.webToken + "\n", to: "home/token")
    try await vault.mustRun("exec", "ci", "--", "true")
    #expect(try await actions(simulator) == ["AssumeRoleWithWebIdentity"])
  }

  @Test("a token comes from a command, or from GitHub Actions by the job's variables")
  func tokenSources() async throws {
    let simulator = try await STSSimulatorProcess()
    let command = try await vault(
      simulator, "role_arn = \(Self.ciRole)\nweb_identity_token_process = printf %s \(STSWorld.webToken)")
    try await command.mustRun("exec", "ci", "--", "true")
    let job = try await vault(
      simulator, "role_arn = \(Self.ciRole)\nweb_identity_token_source = GitHubActions\nweb_identity_audience = sts.example")
    #expect(try await job.run("exec", "ci", "--", "true").errors.contains("id-token: write"))
    try await job.mustRun(
      "exec", "ci", "--", "true",
      environment: [
        "ACTIONS_ID_TOKEN_REQUEST_URL": simulator.url + "/github/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "github-request-token",
      ])
    #expect(try await simulator.requests("GitHubToken").first?.parameters["audience"] == "sts.example")
  }

  /// An identity provider's response for these roles, Base64.
  func assertion(_ roles: [String], sessionName: String? = nil) -> String {
    let values = roles.map { "<saml:AttributeValue>\($0),\(STSWorld.samlProvider)</saml:AttributeValue>" }.joined()
    let name =
      sessionName.map {
        """
        <saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>\($0)</saml:AttributeValue>
        </saml:Attribute>
        """
      } ?? ""
    let document = """
      <samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">
      <saml:Assertion><saml:AttributeStatement>\(name)<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">\(values)
      </saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>
      """
    return Data(document.utf8).base64EncodedString()
  }

  @Test("a SAML assertion comes from a command or from standard input; the role must be one that it offers")
  func saml() async throws {
    let simulator = try await STSSimulatorProcess()
    let command = try await vault(simulator, "role_arn = \(Self.ciRole)\nsaml_process = cat FOLDER/assertion")
    command.folder.write(assertion(["arn:aws:iam::123456789012:role/other", Self.ciRole]), to: "assertion")
    try await command.mustRun("exec", "app", "--", "true")
    #expect(try await actions(simulator) == ["AssumeRoleWithSAML", "AssumeRole"])

    command.folder.write(assertion(["arn:aws:iam::123456789012:role/other"]), to: "assertion")
    let other = try await command.run("exec", "--refresh", "ci", "--", "true")
    #expect(other.end == .exit(77) && other.errors.contains("does not offer") && other.errors.contains("role/other"))
    command.folder.write(assertion([]), to: "assertion")
    let none = try await command.run("exec", "--refresh", "ci", "--", "true")
    #expect(none.end == .exit(77) && none.errors.contains("no AWS role"))
    command.folder.write("this is no assertion!", to: "assertion")
    #expect(try await command.run("exec", "--refresh", "ci", "--", "true").end == .exit(65))

    let typed = try await vault(simulator, "role_arn = \(Self.ciRole)\nsaml_provider_arn = \(STSWorld.samlProvider)")
    let run = try await typed.run("exec", "ci", "--", "true", input: assertion([Self.ciRole]))
    #expect(run.succeeded, "\(run.errors)")

    // Nearly as long as AWS takes it, from either.
    let long = assertion((0..<600).map { "arn:aws:iam::123456789012:role/\($0)" } + [Self.ciRole])
    try #require((80_000...100_000).contains(long.utf8.count), "\(long.utf8.count)")
    command.folder.write(long, to: "assertion")
    try await command.mustRun("exec", "--refresh", "ci", "--", "true")
    try await typed.mustRun("exec", "--refresh", "ci", "--", "true", input: long)
  }

  @Test("the roles that an assertion offers are listed, and profiles are made of those that are chosen")
  func samlRoles() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let other = "arn:aws:iam::210987654321:role/path/Other"
    vault.folder.write(assertion([other, Self.ciRole]), to: "assertion")
    let command = "cat \(vault.folder.file("assertion"))"
    let listed = try await vault.mustRun("login", "--discover", "--saml-process", command, "--format", "csv")
    #expect(listed.contains("123456789012,,,ci,") && listed.contains("210987654321,,,Other,"), "\(listed)")
    try await vault.mustRun("login", "--discover", "--saml-process", command, "--all", "--region", "us-east-1")
    let names = try await vault.rows("list").map { $0["profile"] as? String }
    #expect(names == ["123456789012-ci", "210987654321-Other"])
    try await vault.mustRun("exec", "123456789012-ci", "--", "true")
    #expect(try await actions(simulator) == ["AssumeRoleWithSAML"])
    let typed = try await vault.run("login", "--discover", "--saml", "--format", "table", input: assertion([Self.ciRole]))
    #expect(typed.succeeded && typed.output.contains("ci"), "\(typed.errors)")
    #expect(try await vault.run("login", "--saml").end == .exit(64))
    vault.folder.write(assertion([]), to: "assertion")
    #expect(try await vault.run("login", "--discover", "--saml-process", command, "--all").end == .exit(77))
  }

  private static let answer = """
    {"Version":1,"AccessKeyId":"\(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\(STSWorld.aliceSecretAccessKey)"}
    """

  @Test("a credential_process gives keys for a role behind it, and its complaints reach the person")
  func process() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.folder.write("echo 'signing in …' >&2; cat '\(vault.folder.file("answer"))'", to: "script")
    vault.config(
      """
      [profile ci]
      credential_process = sh "\(vault.folder.file("script"))"
      [profile app]
      role_arn = \(STSWorld.devRole)
      source_profile = ci

      """)
    try await vault.mustRun("import")
    vault.folder.write(Self.answer, to: "answer")
    let run = try await vault.run("exec", "app", "--", "true")
    #expect(run.succeeded && run.errors.contains("sh: signing in …"), "\(run.errors)")
    #expect(try await simulator.requests("AssumeRole").first?.callerARN == STSWorld.aliceARN)
    // Without an end the keys are not kept: they are asked for each time.
    #expect(try await vault.mustRun("exec", "ci", "--", "printenv", "AWS_ACCESS_KEY_ID") == STSWorld.aliceAccessKeyId + "\n")
    #expect(try await vault.rows("sessions", "ci").isEmpty)

    for (answer, words) in [
      ("no JSON", "not one JSON object"), (#"{"Version":2}"#, "expected 1"),
      (#"{"Version":1,"AccessKeyId":"x"}"#, "no SecretAccessKey"),
      (Self.answer.replacing("}", with: #","Expiration":"2020-01-01T00:00:00Z"}"#), "expired at 2020"),
      (Self.answer.replacing("}", with: #","Expiration":"tomorrow"}"#), "invalid Expiration"),
      (String(repeating: "x", count: 200_000), "more than 128 KiB"),
    ] {
      vault.folder.write(answer, to: "answer")
      let run = try await vault.run("exec", "ci", "--", "true")
      #expect(run.end == .exit(words.contains("2020") ? 77 : 65) && run.errors.contains(words), "\(run.errors)")
    }
    vault.folder.write("exit 3", to: "script")
    let failed = try await vault.run("exec", "ci", "--", "true")
    #expect(failed.end == .exit(69) && failed.errors.contains("exited with status 3"))
    // It has no terminal to ask at.
    vault.folder.write("exec < /dev/tty; read answer; echo $answer", to: "script")
    let asking = try await vault.run("exec", "ci", "--", "true")
    #expect(asking.end == .exit(69) && asking.errors.contains("/dev/tty"), "\(asking.errors)")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a container's endpoint, with a token or a token's file, is a source; other hosts without TLS are not asked")
  func container() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config("[profile app]\nrole_arn = \(STSWorld.ssoRole)\ncredential_source = EcsContainer\nregion = us-east-1\n")
    try await vault.mustRun("import")
    #expect(try await vault.run("exec", "app", "--", "true").end == .exit(78))
    let uri = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": simulator.url + "/credentials"]
    let refused = try await vault.run(
      "exec", "app", "--", "true", environment: uri.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong"]) { $1 })
    #expect(refused.end == .exit(77), "\(refused.errors)")
    let far = try await vault.run(
      "exec", "app", "--", "true", environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/credentials"])
    #expect(far.end == .exit(78) && far.errors.contains("without TLS"), "\(far.errors)")
    let file = vault.folder.write("container-token", to: "token")
    try await vault.mustRun(
      "exec", "app", "--", "true", environment: uri.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file]) { $1 })
    vault.folder.write("container-token\n", to: "token")
    let broken = try await vault.run(
      "exec", "--refresh", "app", "--", "true", environment: uri.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file]) { $1 })
    // The container's own session is kept: it is not asked for again.
    #expect(broken.succeeded, "\(broken.errors)")
    #expect(try await actions(simulator) == ["ContainerCredentials", "ContainerCredentials", "AssumeRole", "AssumeRole"])
  }

  @Test("an instance's metadata is a source, by the second version of its protocol alone")
  func instance() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config("[profile app]\nrole_arn = \(STSWorld.ssoRole)\ncredential_source = Ec2InstanceMetadata\nregion = us-east-1\n")
    try await vault.mustRun("import")
    try await vault.mustRun(
      "exec", "app", "--", "true", environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": simulator.url])
    #expect(
      try await actions(simulator) == ["MetadataToken", "InstanceCredentials", "InstanceCredentials", "AssumeRole"])
    let off = try await vault.run(
      "exec", "--refresh", "app", "--", "true", environment: ["AWS_EC2_METADATA_DISABLED": "true"])
    #expect(off.succeeded)
  }

  @Test("keys or a web identity of the asker's environment are a source, and are never kept")
  func environment() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config("[profile app]\nrole_arn = \(STSWorld.devRole)\ncredential_source = Environment\nregion = us-east-1\n")
    try await vault.mustRun("import")
    #expect(try await vault.run("exec", "app", "--", "true").end == .exit(78))
    let keys = [
      "AWS_ACCESS_KEY_ID": STSWorld.aliceAccessKeyId, "AWS_SECRET_ACCESS_KEY": STSWorld.aliceSecretAccessKey,
    ]
    let output = try await vault.mustRun("exec", "app", "--", "printenv", "AWS_ACCESS_KEY_ID", environment: keys)
    #expect(output.hasPrefix("ASIA"))
    #expect(try await simulator.requests("AssumeRole").first?.callerARN == STSWorld.aliceARN)
    let token = vault.folder.write(STSWorld.webToken, to: "token")
    let web = try await vault.run(
      "exec", "--refresh", "app", "--", "true",
      environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": Self.ciRole, "AWS_ROLE_SESSION_NAME": "job-7"])
    let call = try await simulator.requests("AssumeRoleWithWebIdentity").first
    #expect(call?.parameters["RoleSessionName"] == "job-7", "\(web.errors)")
  }

  @Test("a code of an MFA device comes from a command, or from the device's secret that the vault holds")
  func mfa() async throws {
    let simulator = try await STSSimulatorProcess()
    let command = TestVault(environment: simulator.environment)
    command.config(
      """
      [profile alice]
      [profile app]
      role_arn = \(STSWorld.mfaRole)
      source_profile = alice
      mfa_serial = \(STSWorld.aliceMFASerial)
      mfa_process = echo \(STSWorld.aliceMFACodes[0])

      """)
    command.credentials(TestVault.standardCredentials)
    try await command.mustRun("import")
    try await command.mustRun("exec", "app", "--", "true")

    let held = TestVault(environment: simulator.environment)
    try await held.mustRun(
      "access-key", "add", "alice", "--totp", "--mfa-serial", STSWorld.aliceMFASerial,
      input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n\(STSWorld.aliceTOTPSecret.lowercased())\n")
    try await held.mustRun(
      "add", "app", "--role-arn", STSWorld.mfaRole, "--source", "alice", "--mfa-serial", STSWorld.aliceMFASerial, "--region",
      "us-east-1")
    try await held.mustRun("exec", "app", "--", "true")
    #expect(try await simulator.requests("GetSessionToken").map(\.outcome) == [.success, .success])
    let bad = try await held.run(
      "access-key", "add", "other", "--totp", "--mfa-serial", STSWorld.aliceMFASerial,
      input: "\(STSWorld.bobAccessKeyId)\n\(STSWorld.bobSecretAccessKey)\nnot base 32!\n")
    #expect(bad.end == .exit(65) && bad.errors.contains("valid MFA device secret"))
  }

  @Test("temporary keys that stand in a file are used as they are, and a role over them may ask for a code")
  func temporaryKeys() async throws {
    let simulator = try await STSSimulatorProcess()
    let first = try await TestVault(simulator)
    let printed = try await first.mustRun(
      "exec", "app-dev", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID; echo $AWS_SECRET_ACCESS_KEY; echo $AWS_SESSION_TOKEN")
    let parts = printed.split(separator: "\n")
    let keys = "aws_access_key_id = \(parts[0])\naws_secret_access_key = \(parts[1])\naws_session_token = \(parts[2])\n"
    let vault = TestVault(environment: simulator.environment)
    vault.config(
      """
      [profile pasted]
      region = us-east-1
      [profile app]
      role_arn = \(STSWorld.chainedRole)
      source_profile = pasted
      [profile app-mfa]
      role_arn = \(STSWorld.chainedRole)
      source_profile = pasted
      mfa_serial = \(STSWorld.aliceMFASerial)

      """)
    vault.credentials("[pasted]\n\(keys)")
    try await vault.mustRun("import")
    #expect(try await vault.mustRun("exec", "pasted", "--", "printenv", "AWS_SESSION_TOKEN") == "\(parts[2])\n")
    try await vault.mustRun("exec", "app", "--", "true")
    #expect(try await simulator.requests("GetSessionToken").isEmpty)
    // As the SDKs do, with the role's own call.
    _ = try await vault.run("exec", "app-mfa", "--mfa-code", STSWorld.aliceMFACodes[0], "--", "true")
    #expect(try await simulator.requests("GetSessionToken").isEmpty)
    #expect(try await simulator.requests("AssumeRole").last?.parameters["SerialNumber"] == STSWorld.aliceMFASerial)
    #expect(try await vault.rows("audit", "--action", "Deliver").count >= 2)
  }
}
