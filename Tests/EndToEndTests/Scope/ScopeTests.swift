import Foundation
import TestSupport
import Testing
import VaultBytes
import VaultModel

/// Sessions that are narrower than their profiles', by the real programs against the strict simulator.
@Suite(.endToEnd) struct ScopeTests {
  private static let readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"
  private static let policy = """
    {
      "Version": "2012-10-17",
      "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/Größe-日本"}
    }
    """
  /// As it is sent: without white space, and in the characters that STS takes.
  private static let sent =
    #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/Größe-\u65e5\u672c"}}"#

  /// The key that a command is given.
  private func key(_ vault: TestVault, _ words: String...) async throws -> String {
    let run = try await vault.run(words: ["exec"] + words + ["--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID"])
    #expect(run.succeeded, "\(words) \(run.errors)")
    return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func policies(_ request: STSRequest) -> [String] {
    request.parameters.filter { $0.key.hasPrefix("PolicyArns.") }.sorted { $0.key < $1.key }.map(\.value)
  }

  @Test("a narrow session never answers a wide request, nor a wide one a narrow, and each is cached for its own")
  func apart() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let narrow = try await key(vault, "--read-only", "app-dev")
    // The profile has no session of its own yet.
    let before = try await vault.rows("list").first { $0["profile"] as? String == "app-dev" }
    #expect(before?["session"] is NSNull)
    let wide = try await key(vault, "app-dev")
    let tagged = try await key(vault, "--read-only", "--tag", "team=blue", "app-dev")
    #expect(Set([narrow, wide, tagged]).count == 3)
    #expect(try await key(vault, "app-dev", "--read-only") == narrow)
    #expect(try await key(vault, "app-dev") == wide)
    #expect(try await key(vault, "--tag=team=blue", "--read-only", "app-dev") == tagged)
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls.map { policies($0) } == [[Self.readOnly], [], [Self.readOnly]])
    #expect(calls.map { $0.parameters["Tags.member.1.Value"] } == [nil, nil, "blue"])
    let shown = try await vault.rows("list").first { $0["profile"] as? String == "app-dev" }?["session"] as? [String: Any]
    #expect(shown?["accessKeyId"] as? String == wide)
    #expect(
      Set(try await vault.rows("sessions", "app-dev").compactMap { $0["accessKeyId"] as? String }) == [narrow, wide, tagged])
    // A new session of the profile is its own.
    try await vault.mustRun("rotate", "--all")
    #expect(try await simulator.requests("AssumeRole").count == 4)
    #expect(policies(try #require(try await simulator.requests("AssumeRole").last)).isEmpty)
    #expect(try await key(vault, "app-dev", "--read-only") == narrow)
  }

  @Test("policies, tags, source identity and external id are sent as given, and logged, the policy by the digest of what AWS got")
  func sent() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let file = vault.folder.write(Self.policy, to: "policy.json")
    let own = "arn:aws:iam::123456789012:policy/team/deploy"
    _ = try await key(
      vault, "--policy", file, "--policy-arn", own, "--tag", "team=a b", "--tag", "cost=", "--transitive", "team",
      "--source-identity", "alice@corp", "--external-id", "t:1/2", "app-dev")
    let call = try #require(try await simulator.requests("AssumeRole").first?.parameters)
    #expect(call["Policy"] == Self.sent && call["PolicyArns.member.1.arn"] == own)
    #expect(call["Tags.member.1.Key"] == "cost" && call["Tags.member.1.Value"] == "")
    #expect(call["Tags.member.2.Key"] == "team" && call["Tags.member.2.Value"] == "a b")
    #expect(call["TransitiveTagKeys.member.1"] == "team" && call["TransitiveTagKeys.member.2"] == nil)
    #expect(call["SourceIdentity"] == "alice@corp" && call["ExternalId"] == "t:1/2")
    let digest = try await Subprocess.run("/usr/bin/sha256sum", [], environment: [:], input: Array(Self.sent.utf8))
    for action in ["AssumeRole", "Deliver"] {
      let rows = try await vault.rows("audit", "--action", action)
      let scope = try #require(rows.last?["scope"] as? [String: Any])
      #expect(scope["readOnly"] as? Bool == false && scope["policyArns"] as? [String] == [own])
      #expect(scope["policyDigest"] as? String == "sha256:" + digest.output.prefix(64))
      #expect(scope["tags"] as? [String: String] == ["team": "a b", "cost": ""])
      #expect(rows.last?["sourceIdentity"] as? String == "alice@corp")
    }
    _ = try await key(vault, "app-dev")
    #expect(try await vault.rows("audit", "--action", "Deliver").last?["scope"] is NSNull)
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a policy may come from standard input")
  func standardInput() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("credentials", "app-dev", "--policy", "-", input: Self.policy)
    #expect(try await simulator.requests("AssumeRole").first?.parameters["Policy"] == Self.sent)
  }

  @Test("boto3 and the AWS CLI get the narrow session by AWS_PROFILE alone, through a link")
  func linked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let file = vault.folder.write(
      #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#, to: "a b.json")
    try await vault.mustRun("link", "--policy", file, "--tag", "team=a b", "--source-identity", "alice", "app-dev")
    let config = try String(contentsOfFile: vault.home + "/.aws/config", encoding: .utf8)
    #expect(config.contains(#" credentials app-dev --policy "\#(file)" --tag "team=a b" --source-identity "alice""#), "\(config)")
    let environment = vault.environment.merging(["AWS_PROFILE": "vault-app-dev"]) { $1 }
    let program = """
      import boto3, os
      print(boto3.client("sts", region_name="eu-west-1", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"]).get_caller_identity()["Arn"])
      """
    let boto3 = try await Subprocess.run(try Programs.python, ["-c", program], environment: environment, timeout: 60)
    #expect(boto3.output.contains("assumed-role/my-application-dev-role/"), "\(boto3.errors)")
    let aws = try await Subprocess.run(
      try Programs.aws, ["sts", "get-caller-identity"], environment: environment, timeout: 60)
    #expect(aws.output.contains("assumed-role/my-application-dev-role/"), "\(aws.errors)")
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls.count == 1 && calls[0].parameters["Policy"]?.contains("s3:*") == true)
    #expect(calls[0].parameters["Tags.member.1.Value"] == "a b" && calls[0].parameters["SourceIdentity"] == "alice")
  }

  @Test("what a config file's command line cannot hold is refused for a link")
  func unquotable() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    #expect(try await vault.run("link", "--tag", "team=größe", "app-dev").end == .exit(65))
    #expect(try await vault.run("link", "--policy", "-", "app-dev", input: Self.policy).end == .exit(64))
    #expect(!(try String(contentsOfFile: vault.home + "/.aws/config", encoding: .utf8).contains("credential_process")))
  }

  @Test("a linked file holds the narrow session, after a lock, under the next agent and once it is renewed")
  func linkedFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("link", "--credentials-file", "--read-only", "app-dev")
    func key() throws -> String? {
      try String(contentsOfFile: vault.home + "/.aws/credentials", encoding: .utf8).components(separatedBy: "[vault-app-dev]")
        .dropFirst()
        .first?.split(separator: "\n").first { $0.hasPrefix("aws_access_key_id = ") }.map { String($0.dropFirst(20)) }
    }
    func until(_ isRight: (String?) -> Bool) async throws -> String? {
      let deadline = Date().addingTimeInterval(30)
      while try !isRight(key()), Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
      return try key()
    }
    let first = try key()
    #expect(first != nil)
    #expect(try await vault.rows("audit", "--action", "CredentialsLinked").last?["scope"] as? [String: Any] != nil)
    try await vault.mustRun("lock")
    #expect(try key() == nil)
    try await vault.mustRun("unlock")
    #expect(try await until { $0 != nil } == first)
    vault.killAgent()
    try await vault.mustRun("unlock")
    #expect(try await until { $0 != nil } == first)
    // The profile's own session is not what the file has, and a new one does not come into it.
    let wide = try await self.key(vault, "app-dev")
    try await vault.mustRun("rotate", "app-dev")
    #expect(try key() == first && first != wide)
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    try await vault.mustRun("forget", "app-dev")
    try await vault.mustRun("link", "--credentials-file", "--read-only", "app-dev")
    var seen: Set<String> = []
    for _ in 0..<3 { if let next = try await until({ $0 != nil && !seen.contains($0!) }) { seen.insert(next) } }
    #expect(seen.count == 3)
    let narrow = Set(
      try await simulator.requests("AssumeRole").filter { policies($0) == [Self.readOnly] }.compactMap(\.issuedAccessKeyId))
    #expect(seen.isSubset(of: narrow))
  }

  @Test("a file that is linked anew gets nothing more of its former, wider session")
  func relinked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    try await vault.mustRun("link", "--credentials-file", "--read-only", "app-dev")
    let narrow = try #require(try await simulator.requests("AssumeRole").last?.issuedAccessKeyId)
    // This renews the wide session, and delivers it to whatever still has it.
    try await vault.mustRun("rotate", "app-dev")
    let text = try String(contentsOfFile: vault.home + "/.aws/credentials", encoding: .utf8)
    #expect(text.contains(narrow))
  }

  @Test("a served program's session stays narrow through renewals and under the next agent")
  func served() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault, option: "--server", "--read-only", "--tag", "team=blue")
    let wide = try await ServedProgram(vault)
    var seen: Set<String> = []
    let deadline = Date().addingTimeInterval(90)
    while seen.count < 3, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    vault.killAgent()
    try await vault.mustRun("agent", "start")
    while seen.count < 6, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    #expect(seen.count >= 6)
    let other = try #require(try await wide.nextKey())
    let calls = try await simulator.requests("AssumeRole")
    let narrow = calls.filter { policies($0) == [Self.readOnly] && $0.parameters["Tags.member.1.Value"] == "blue" }
    #expect(seen.isSubset(of: Set(narrow.compactMap(\.issuedAccessKeyId))))
    #expect(calls.first { $0.issuedAccessKeyId == other }.map { policies($0).isEmpty } == true)
    let rows = try await vault.rows("audit", "--action", "Deliver")
    for row in rows where seen.contains(row["accessKeyId"] as? String ?? "") {
      #expect((row["scope"] as? [String: Any])?["readOnly"] as? Bool == true)
    }
    try await served.end()
    try await wide.end()
  }

  @Test("a role without a profile is assumed with another's credentials, alone or narrowed, and served under the next agent")
  func role() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let words = ["exec", "--role", STSWorld.chainedRole, "--source", "app-dev"]
    let run = try await vault.run(words: words + ["--", try Programs.aws, "sts", "get-caller-identity"])
    #expect(run.output.contains("assumed-role/my-application-chained-role/"), "\(run.errors)")
    // Without `--`, the first word begins the command.
    let plain = try await vault.run(words: words + ["--read-only", "sh", "-c", "echo $AWS_ACCESS_KEY_ID $AWS_REGION"])
    let calls = try await simulator.requests("AssumeRole")
    #expect(calls.map { $0.parameters["RoleArn"] } == [STSWorld.devRole, STSWorld.chainedRole, STSWorld.chainedRole])
    #expect(calls.map { policies($0) } == [[], [], [Self.readOnly]])
    #expect(plain.output == "\(calls[2].issuedAccessKeyId ?? "") eu-west-1\n", "\(plain.errors)")
    // The source's own session is what it was.
    #expect(try await key(vault, "app-dev") == calls[0].issuedAccessKeyId)
    for (command, more) in [("env", ["--format", "json"]), ("credentials", [])] {
      let run = try await vault.run(words: [command, "--role", STSWorld.chainedRole, "--source", "app-dev"] + more)
      #expect(run.output.contains(calls[1].issuedAccessKeyId ?? "-"), "\(run.errors)")
    }
    let row = try #require(try await vault.rows("audit", "--action", "Deliver").last)
    #expect(row["roleArn"] as? String == STSWorld.chainedRole && row["profile"] as? String == "app-dev")

    let served = try RunningProgram(
      Programs.vault,
      [
        "exec", "--server", "--role", STSWorld.chainedRole, "--source", "app-dev", "--", "sh", "-c",
        "while read x; do \(try Programs.aws) sts get-caller-identity --query Arn --output text; done",
      ], environment: vault.environment)
    served.send("\n")
    #expect(try await served.readLine().contains("my-application-chained-role"))
    vault.killAgent()
    try await vault.mustRun("agent", "start")
    served.send("\n")
    #expect(try await served.readLine().contains("my-application-chained-role"))
    served.terminate()
  }

  @Test(
    "a command line that names too little or too much is refused",
    arguments: [
      ["exec", "--role", STSWorld.devRole, "--", "true"], ["exec", "--source", "alice", "--", "true"],
      ["credentials", "--role", STSWorld.devRole, "--source", "alice", "app-dev"],
      ["env", "--role", "my-role", "--source", "alice"], ["exec", "--tag", "team", "app-dev", "--", "true"],
      ["exec", "--policy", "/dev/null", "--policy", "/dev/null", "app-dev", "--", "true"],
    ])
  func usage(words: [String]) async throws {
    let vault = try await TestVault(try await STSSimulatorProcess())
    let run = try await vault.run(words: words)
    #expect(run.end == .exit(64), "\(run.end) \(run.errors)")
  }

  private static func many(_ option: String, _ count: Int, _ value: (Int) -> String) -> [String] {
    (0..<count).flatMap { [option, value($0)] }
  }

  @Test("what STS would refuse is refused before it is asked, with the limit")
  func limits() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let long = vault.folder.write(
      #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"\#(String(repeating: "r", count: 1_990))"}}"#,
      to: "long.json")
    let broken = vault.folder.write(
      #"{"Version":"2012-10-17","Statement":{"Effect":"Maybe","Action":"*","Resource":"*"}}"#, to: "b.json")
    let cases: [(options: [String], status: Int32, words: String)] = [
      (Self.many("--policy-arn", 11) { "arn:aws:iam::aws:policy/P\($0)" }, 64, "AWS accepts 10"),
      (["--policy-arn", STSWorld.devRole], 64, "not the ARN of a policy"),
      (["--policy-arn", "arn:aws:iam::210987654321:policy/P"], 78, "of its account"),
      (["--policy", long], 65, "2048"), (["--policy", broken], 65, "Statement.Effect"),
      (["--policy", "/nowhere.json"], 66, "no file"),
      (["--policy", long.replacing("long", with: "b"), "--read-only"], 65, "Statement"),
      (["--read-only", "--policy-arn", "arn:aws:iam::aws:policy/P"], 64, "would allow what either"),
      (Self.many("--tag", 51) { "k\($0)=v" }, 64, "AWS accepts 50"), (["--tag", "aws:x=1"], 64, "not the key"),
      (["--tag", "Team=1", "--tag", "team=2"], 64, "twice"), (["--transitive", "team"], 64, "not the key of a session tag"),
      (["--tag", "k=" + String(repeating: "v", count: 257)], 64, "value"), (["--source-identity", "a"], 64, "2 to 256"),
      (["--source-identity", String(repeating: "a", count: 257)], 64, "2 to 256"), (["--external-id", "a b"], 64, "external id"),
    ]
    for one in cases {
      let run = try await vault.run(words: ["exec"] + one.options + ["app-dev", "--", "true"])
      #expect(run.end == .exit(one.status) && run.errors.contains(one.words), "\(one.options.prefix(2)) \(run.end) \(run.errors)")
    }
    #expect(try await simulator.report().requests.isEmpty)
    // At the limits, AWS is asked and accepts.
    let fits = [
      Self.many("--policy-arn", 10) { "arn:aws:iam::aws:policy/P\($0)" }, Self.many("--tag", 50) { "k\($0)=v" },
      ["--source-identity", String(repeating: "a", count: 256)],
    ]
    for options in fits { #expect(try await vault.run(words: ["exec"] + options + ["app-dev", "--", "true"]).succeeded) }
  }

  @Test("a profile with session policies of its own is not narrowed, since AWS would unite them")
  func ownPolicies() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let arn = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
    vault.config(
      TestVault.standardConfig + "\n[profile own]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\npolicy_arns = \(arn)\n"
    )
    let run = try await vault.run("exec", "--read-only", "own", "--", "true")
    #expect(run.end == .exit(78) && run.errors.contains("session policies of its own") && run.errors.contains("hint:"))
    #expect(try await simulator.report().requests.isEmpty)
    _ = try await key(vault, "--tag", "a=b", "own")
    #expect(policies(try #require(try await simulator.requests("AssumeRole").first)) == [arn])
  }

  @Test("access keys are narrowed by a federation token, which is kept and renewed as narrow, and the keys themselves not at all")
  func accessKeys() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let first = try await key(vault, "--read-only", "--tag", "a=b", "alice")
    #expect(try await key(vault, "--read-only", "--tag", "a=b", "alice") == first)
    let call = try #require(try await simulator.requests("GetFederationToken").first)
    #expect(policies(call) == [Self.readOnly] && call.parameters["Policy"] == nil && call.parameters["Tags.member.1.Key"] == "a")
    let wide = try await key(vault, "alice")
    #expect(wide != first)
    // A tag alone takes nothing away: such a token has no permissions without a policy.
    _ = try await key(vault, "--tag", "a=b", "alice")
    #expect(try await simulator.requests("GetFederationToken").last?.parameters["Policy"]?.contains(#""Action":"*""#) == true)
    #expect(try await simulator.requests("GetFederationToken").count == 2)
    let none = try await vault.run("exec", "--read-only", "--no-session", "alice", "--", "true")
    #expect(none.end == .exit(78) && none.errors.contains("--no-session"))
  }

  @Test("the console of a narrowed role has its session, and that of access keys a narrowed federation token")
  func console() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: ["AWS_ENDPOINT_URL_SIGNIN": simulator.url])
    vault.trust([simulator.url])
    try await vault.mustRun("console", "--read-only", "--print", "app-dev")
    #expect(policies(try #require(try await simulator.requests("AssumeRole").last)) == [Self.readOnly])
    try await vault.mustRun("console", "--role", STSWorld.devRole, "--source", "alice", "--tag", "a=b", "--print")
    #expect(try await simulator.requests("AssumeRole").last?.parameters["Tags.member.1.Key"] == "a")
    try await vault.mustRun("console", "--read-only", "--print", "alice")
    #expect(policies(try #require(try await simulator.requests("GetFederationToken").last)) == [Self.readOnly])
  }

  @Test("credentials that AWS or a program issues as they are cannot be narrowed, and the hint's role can")
  func otherIdentities() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let script = vault.folder.write(
      "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\"\(STSWorld.aliceAccessKeyId)\",\"SecretAccessKey\":\"\(STSWorld.aliceSecretAccessKey)\"}'\n",
      to: "keys", mode: 0o700)
    vault.folder.write(STSWorld.webToken, to: "token")
    vault.config(
      TestVault.standardConfig + """

        [profile prog]
        credential_process = \(script)
        region = eu-west-1
        [profile center]
        sso_start_url = https://corp.awsapps.com/start
        sso_region = eu-west-1
        sso_account_id = 123456789012
        sso_role_name = Developer
        [profile ci]
        role_arn = \(IdentityTests.ciRole)
        web_identity_token_file = \(vault.folder.file("token"))
        region = eu-west-1
        """)
    for (profile, option) in [("prog", ["--read-only"]), ("center", ["--tag", "a=b"]), ("ci", ["--tag", "a=b"])] {
      let run = try await vault.run(words: ["exec"] + option + [profile, "--", "true"])
      #expect(run.end == .exit(78) && run.errors.contains("--role ARN --source \(profile)"), "\(run.end) \(run.errors)")
    }
    #expect(try await simulator.report().requests.isEmpty)
    _ = try await key(vault, "--read-only", "--role", STSWorld.devRole, "--source", "prog")
    #expect(policies(try #require(try await simulator.requests("AssumeRole").last)) == [Self.readOnly])
    _ = try await key(vault, "--read-only", "ci")
    #expect(policies(try #require(try await simulator.requests("AssumeRoleWithWebIdentity").last)) == [Self.readOnly])
  }

  @Test("that AWS refuses a narrowed session is not held against the profile's own")
  func failure() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await simulator.queue(.accessDenied, action: "AssumeRole")
    #expect(try await vault.run("exec", "--read-only", "app-dev", "--", "true").end == .exit(77))
    #expect(try await !vault.mustRun("list").contains("failing"))
    try await simulator.queue(.accessDenied, action: "AssumeRole")
    #expect(try await vault.run("exec", "app-dev", "--", "true").end == .exit(77))
    #expect(try await vault.mustRun("list").contains("failing"))
  }
}
