import Foundation
import TestSupport
import Testing

/// `vault iam generate` and `vault iam trust`: what they print is read by programs that are not ours, and applied to moto.
@Suite(.endToEnd) struct GenerateTests {
  private static let article = ["app-dev", "--policy", RoleSetupStage.policy, "--group", "MyApplicationDevGroup"]
  /// Names that mean something to a shell, to Terraform, to YAML, to CloudFormation or to the AWS CLI.
  private static let hostile = [
    "$(touch owned)", "`touch owned`", "o'brien", "'; touch owned; '", "\"q\\", "${HOME}", "$${x}", "%{if true}", "%%{y}", "*",
    "~",
    "file:///etc/passwd", "fileb://x", "http://127.0.0.1:9/x", "yes", "null", "0x1F", "1e3", "- a", "{{x}}", "#c", "a: b",
    "!Ref Role",
    "@a", "é☃\u{1F600}", "a\\nb", "--help", "{\"Ref\":\"Role\"}",
  ]
  private static let more = """

    [profile sent]
    role_arn = arn:aws:iam::123456789012:role/team/sent-role
    source_profile = MyApplicationDevProfile
    source_identity = alice
    session_tags = team=a
    duration_seconds = 3600

    [profile chained]
    role_arn = arn:aws:iam::123456789012:role/chained
    source_profile = app-dev

    [profile job]
    role_arn = arn:aws:iam::123456789012:role/job
    web_identity_token_source = GitHubActions

    """

  /// What a user may ask for: the words, and the name of the role that comes of them.
  static let asked: [(words: [String], role: String)] = [
    (article + ["--member", "alice", "--member", "bob"], "my-application-dev-role"), (article, "my-application-dev-role"),
    (
      ["app-dev"] + hostile.flatMap { ["--member=\($0)"] } + ["--group", "${a} %{b} 'c' \"d\" `e` \\ é"],
      "my-application-dev-role"
    ),
    (["sent", "--require-source-identity", "--source-address", "203.0.113.0/24", "--permission-set-session", "8h"], "sent-role"),
    (["chained", "--max-session", "2h"], "chained"), (["job", "--principal", "github:octo/repo:environment:a'b \"c\""], "job"),
    (["app-dev", "--principal", "arn:aws:iam::123456789012:user/alice", "--require-mfa"], "my-application-dev-role"),
    (["app-dev", "--environment", "production", "--service", "ec2"], "my-application-production-role"),
    (["app-dev", "--environment", "production"], "my-application-production-role"),
  ]

  @Test func `the article's example comes out as its documents`() async throws {
    let stage = try await RoleSetupStage()
    let file = try await stage.generate("json", Self.article)
    #expect(
      try String(contentsOfFile: file, encoding: .utf8) == Repository.text("Tests/EndToEndTests/Fixtures/article/setup.json"))
    let trust = try await stage.vault.run("iam", "trust", "app-dev")
    let printed = try JSONSerialization.jsonObject(with: Data(trust.outputBytes)) as? NSDictionary
    let setup = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file))) as? [String: [String: Any]]
    #expect(printed == setup?["role"]?["trustPolicy"] as? NSDictionary)
    #expect(
      trust.errors
        == "vault: everyone with the permission set MyApplicationDevPermissions in account 123456789012 may assume my-application-dev-role\n"
    )
    // Without a profile there is nothing else to say it with, and it comes to the same.
    let words = [
      "--role-arn", "arn:aws:iam::123456789012:role/my-application-dev-role", "--permission-set", "MyApplicationDevPermissions",
      "--sso-region", "us-east-1",
    ]
    let alone = try await stage.generate("json", Array(Self.article.dropFirst()) + words)
    #expect(try String(contentsOfFile: alone, encoding: .utf8) == String(contentsOfFile: file, encoding: .utf8))
  }

  @Test func `four formats say the same, whoever is trusted and whatever the names are`() async throws {
    let stage = try await RoleSetupStage(more: Self.more)
    for (words, _) in Self.asked {
      let json = try await RoleSetupStage.read("json", stage.generate("json", words))
      for format in ["terraform", "cloudformation"] {
        #expect(try await RoleSetupStage.read(format, stage.generate(format, words)) == json, "\(format): \(words)")
      }
    }
  }

  @Test func `the script makes what the other formats say, even of names that are commands, and nothing the second time`()
    async throws
  {
    let stage = try await RoleSetupStage(more: Self.more)
    let names = [
      "$(touch owned)", "o'brien", "`touch owned`", "'; touch owned; '", "${HOME}", "file:///etc/passwd", "--help", "é\"\\",
    ]
    let hostile = ["app-dev", "--group", "@a 'b' $c `d` \"e\""] + names.map { "--member=\($0)" }
    let asked =
      [(words: hostile, role: "my-application-dev-role")]
      + Self.asked.filter { ["ec2", "--require-mfa", "8h", "2h"].contains($0.words.last) }
    #expect(asked.count == 5)
    for (words, role) in asked {
      let moto = try await MotoServer()
      try await moto.makeUsers(words == hostile ? names : [], iam: ["alice"])
      if words.first == "chained" {
        // The caller of a chained role has to be there.
        try await moto.aws(
          "iam", "create-role", "--role-name", "my-application-dev-role", "--assume-role-policy-document",
          #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#
        )
      }
      let script = try await stage.generate("script", words)
      let applied = try await moto.apply(script)
      #expect(applied.succeeded, "\(words)\n\(applied.output)\(applied.errors)")
      let json = try await RoleSetupStage.read("json", stage.generate("json", words))
      #expect(try await RoleSetupStage.read("moto", moto.url, role) == json, "\(words)")
      let again = try await moto.apply(script)
      #expect(again.succeeded && again.output == "nothing to change\n" && again.errors.isEmpty, "\(again.output)\(again.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: "owned"))
  }

  @Test func `the script is run twice and taken back, and leaves what it has not made`() async throws {
    let stage = try await RoleSetupStage()
    let moto = try await MotoServer()
    try await moto.makeUsers(["alice", "bob"])
    let before = try await RoleSetupStage.read("state", moto.url)
    let script = try await stage.generate("script", Self.article + ["--member", "alice"])
    let first = try await moto.apply(script)
    #expect(
      first.output == """
        made the role my-application-dev-role
        made the policy my-application-dev-role-application
        attached the policy my-application-dev-role-application to the role my-application-dev-role
        made the permission set MyApplicationDevPermissions
        made the group MyApplicationDevGroup
        added alice to the group MyApplicationDevGroup
        assigned the permission set MyApplicationDevPermissions in account 123456789012 to the group MyApplicationDevGroup

        """, "\(first.errors)")
    let made = try await RoleSetupStage.read("state", moto.url)
    #expect(try await moto.apply(script).output == "nothing to change\n")
    #expect(try await RoleSetupStage.read("state", moto.url) == made)

    // What somebody changed by hand is put right, and only that.
    let open = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#
    try await moto.aws("iam", "update-assume-role-policy", "--role-name", "my-application-dev-role", "--policy-document", open)
    #expect(try await moto.apply(script).output == "changed the trust policy of the role my-application-dev-role\n")
    #expect(try await RoleSetupStage.read("state", moto.url) == made)

    // Another policy and another member. The policy has five versions already, as many as it can: the oldest makes room.
    let arn = "arn:aws:iam::123456789012:policy/my-application-dev-role-application"
    for _ in 1...4 {
      let other = "file://\(RoleSetupStage.fixtures)/article/application-policy.json"
      try await moto.aws("iam", "create-policy-version", "--policy-arn", arn, "--policy-document", other)
    }
    let changed = try await stage.generate(
      "script", ["app-dev", "--group", "MyApplicationDevGroup", "--member", "alice", "--member", "bob"])
    #expect(
      try await moto.apply(changed).output == """
        changed the policy my-application-dev-role-application
        added bob to the group MyApplicationDevGroup

        """)
    let versions = try await moto.aws("iam", "list-policy-versions", "--policy-arn", arn, "--query", "length(Versions)")
    #expect(versions == "5\n")
    #expect(try await RoleSetupStage.read("state", moto.url) != made)
    let undone = try await moto.apply(script, "undo")
    #expect(
      undone.output == """
        removed the assignment of the permission set MyApplicationDevPermissions to the group MyApplicationDevGroup
        removed the group MyApplicationDevGroup
        removed the permission set MyApplicationDevPermissions
        removed the policy my-application-dev-role-application
        removed the role my-application-dev-role

        """, "\(undone.errors)")
    #expect(try await RoleSetupStage.read("state", moto.url) == before)
    #expect(try await moto.apply(script, "undo").output == "nothing to change\n")
  }

  @Test func `what others made is changed only when told to adopt it, and is never removed`() async throws {
    let stage = try await RoleSetupStage()
    let moto = try await MotoServer()
    try await moto.makeUsers(["alice"])
    let script = try await stage.generate("script", Self.article + ["--member", "alice"])
    let hand =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}"#
    try await moto.aws("iam", "create-role", "--role-name", "my-application-dev-role", "--assume-role-policy-document", hand)
    let refused = try await moto.apply(script)
    #expect(!refused.succeeded && refused.output.isEmpty)
    #expect(refused.errors.contains("the role my-application-dev-role was not made by this script and differs"))
    let adopted = try await moto.apply(script, "adopt")
    #expect(
      adopted.succeeded && adopted.output.hasPrefix("changed the trust policy of the role my-application-dev-role\n"),
      "\(adopted.errors)")
    let undone = try await moto.apply(script, "undo")
    #expect(undone.output.contains("kept the role my-application-dev-role, which this script has not made\n"), "\(undone.errors)")
    #expect(try await RoleSetupStage.read("state", moto.url).contains("my-application-dev-role"))
  }

  @Test func `the script stops before it makes anything in another account, or for a user who does not exist`() async throws {
    let stage = try await RoleSetupStage(more: Self.more)
    let moto = try await MotoServer()
    let before = try await RoleSetupStage.read("state", moto.url)
    let stranger = try await stage.generate("script", Self.article + ["--member", "nobody"])
    let unknown = try await moto.apply(stranger)
    #expect(!unknown.succeeded && unknown.errors == "setup: IAM Identity Center has no user nobody\n")
    let elsewhere = try await stage.generate(
      "script", ["--role-arn", "arn:aws:iam::999999999999:role/r", "--permission-set", "P", "--sso-region", "us-east-1"])
    let wrong = try await moto.apply(elsewhere)
    #expect(
      !wrong.succeeded
        && wrong.errors.contains("these credentials are of account 123456789012; the role belongs in account 999999999999"))
    #expect(try await moto.apply(stranger, "redo").errors.contains("usage:"))
    #expect(try await RoleSetupStage.read("state", moto.url) == before)
  }

  @Test(arguments: [
    ("SUCCEEDED\tNone", true, "assigned the permission set MyApplicationDevPermissions in account 123456789012"),
    (
      "FAILED\tthe account is suspended", false,
      "setup: IAM Identity Center: the account is suspended (describe-account-assignment"
    ),
  ])
  func `the script waits for what IAM Identity Center does later, and says why that failed`(
    answer: String, succeeds: Bool, words: String
  ) async throws {
    let stage = try await RoleSetupStage()
    let moto = try await MotoServer()
    let script = try await stage.generate("script", Self.article)
    // Moto answers at once, and AWS does not.
    let slow = """
      #!/bin/sh
      case "$*" in
      *create-account-assignment*) printf 'request-1\\tIN_PROGRESS\\n' ;;
      *describe-account-assignment-creation-status*request-1*) echo '\(answer)' ;;
      *) exec '\(try Programs.aws)' "$@" ;;
      esac

      """
    let folder = stage.vault.folder
    mkdir(folder.file("slow"), 0o700)
    folder.write(slow, to: "slow/aws", mode: 0o755)
    var environment = try moto.administrator()
    environment["PATH"] = folder.file("slow") + ":" + (environment["PATH"] ?? "")
    let applied = try await Subprocess.run("/bin/bash", [script], environment: environment, timeout: 300)
    #expect(applied.succeeded == succeeds, "\(applied.output)\(applied.errors)")
    #expect((applied.output + applied.errors).contains(words), "\(applied.output)\(applied.errors)")
  }

  @Test func `CloudFormation's linter has nothing to say, and moto deploys what it knows`() async throws {
    let stage = try await RoleSetupStage(more: Self.more)
    let linter = URL(fileURLWithPath: try Programs.python).deletingLastPathComponent().path + "/cfn-lint"
    var files: [String] = []
    for (words, _) in Self.asked { files.append(try await stage.generate("cloudformation", words)) }
    let linted = try await Subprocess.run(
      linter, files, environment: ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"], timeout: 300)
    #expect(linted.succeeded && linted.output.isEmpty, "\(linted.output)\(linted.errors)")
    for (index, (words, role)) in Self.asked.enumerated() where ["bob", "--require-mfa", "ec2"].contains(words.last) {
      let moto = try await MotoServer()
      try await moto.makeUsers([], iam: ["alice"])
      let deployed = try Self.object(await RoleSetupStage.read("deploy", moto.url, files[index]))
      let setup = try Self.object(await RoleSetupStage.read("json", stage.generate("json", words)))
      #expect(deployed["policies"] == setup["policies"])
      let roles = deployed["roles"] as? [String: NSDictionary]
      #expect(roles?[role]?["trust"] as? NSDictionary == (setup["role"] as? [String: Any])?["trust"] as? NSDictionary)
      #expect(roles?[role] != nil)
    }
  }

  private static func object(_ text: String) throws -> [String: NSObject] {
    try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: NSObject] ?? [:]
  }

  /// A file's text, the words of its error, and the status.
  static let bad: [(file: String, words: [String], status: Int32, error: String)] = [
    ("{\n  \"Version\": \"2012-10-17\",\n  oops\n}", [], 65, "policy.json:3:3: not JSON: a name in double quotes is expected"),
    ("", [], 65, "policy.json:1:1: not JSON"), ("[1, 2]", [], 65, "policy.json:1:1: an object in braces is expected"),
    ("{\"Version\":\"2012-10-17\",\n \"Statement\":[{\"Effect\":\"Maybe\"}]}", [], 65, "policy.json:2:25: Statement[0].Effect"),
    ("{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Principal\":\"*\"}}", [], 65, "Principal"),
    ("TOO LONG", [], 65, "a managed policy has at most 6144"), ("TOO MANY BYTES", [], 65, "the text is longer than 262144 bytes"),
    ("GOOD", ["--permission-set", "a b"], 64, "invalid name of the permission set: \"a b\""),
    ("GOOD", ["--permission-set", "a\u{1B}[2J"], 64, "invalid name of the permission set: \"a\\x1b[2J\""),
    ("GOOD", ["--permission-set", "abcdefghijklmnopqrstuvwxyz0123456"], 64, "33 characters; AWS accepts 32"),
    ("GOOD", ["--group", ""], 64, "invalid name of the group"),
    ("GOOD", ["--member", "a\nb"], 64, "invalid name of a member: \"a\\nb\""),
    ("GOOD", ["--format", "hcl"], 64, "no format \"hcl\""), ("GOOD", ["--principal", "*"], 64, "--principal: cannot read \"*\""),
    ("GOOD", ["--max-session", "13h"], 64, "is not a duration from 1h to 12h"), ("GOOD", ["--require-mfa"], 64, "--require-mfa"),
    ("GOOD", ["--require-source-identity"], 78, "the profile sends no source identity"),
    ("GOOD", ["--source-address", "10.0.0.0/40"], 64, "is not a network"),
    ("GOOD", ["--service", "ec2"], 64, "for --environment production"),
    ("GOOD", ["--environment", "staging"], 64, "neither dev nor production"),
    ("GOOD", ["--environment", "production", "--member", "alice"], 64, "for a permission set only"),
    ("GOOD", ["--principal", "210987654321"], 78, "has no external ID"),
    ("GOOD", ["--region", "eu west"], 64, "is not a region"), ("GOOD", ["--unknown"], 64, "unknown option"),
    (
      "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"{{resolve:ssm:x}}\"}}",
      ["--format", "cloudformation"], 65, "{{resolve:"
    ),
  ]

  @Test func `bad input is one clear error, and nothing is printed`() async throws {
    let stage = try await RoleSetupStage()
    let long =
      "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::"
      + String(repeating: "b", count: 6_144) + "\"}}"
    let texts = [
      "TOO LONG": long, "TOO MANY BYTES": String(repeating: " ", count: 300_000),
      "GOOD": try String(contentsOfFile: RoleSetupStage.policy, encoding: .utf8),
    ]
    for (text, words, status, error) in Self.bad {
      let file = stage.vault.folder.write(texts[text] ?? text, to: "policy.json")
      let result = try await stage.vault.run(words: ["iam", "generate", "app-dev", "--policy", file] + words)
      #expect(result.end == .exit(status), "\(words) \(text.prefix(60)): \(result.errors)")
      #expect(result.errors.contains(error), "\(words) \(text.prefix(60)): \(result.errors)")
      #expect(result.output.isEmpty && result.errors.split(separator: "\n").count <= 2)
      #expect(UnsafeCharacters.areMissing(in: result.errors))
    }
    for (words, status, error) in [
      (["app-dve"], 66, "no profile \"app-dve\""), ([], 64, "missing argument"),
      (["MyApplicationDevProfile"], 78, "assumes no role"),
      (["app-dev", "--policy", "absent.json"], 66, "no file absent.json"), (["--role-arn", "x"], 64, "not the ARN of a role"),
      (["--role-arn", "arn:aws:iam::123456789012:role/r"], 64, "nothing says who may assume the role"),
      (["--role-arn", "arn:aws:iam::123456789012:role/r", "--principal", "210987654321"], 64, "needs an external ID"),
    ] as [([String], Int32, String)] {
      let result = try await stage.vault.run(words: ["iam", "generate"] + words)
      #expect(result.end == .exit(status) && result.output.isEmpty, "\(words): \(result.errors)")
      #expect(result.errors.contains(error), "\(words): \(result.errors)")
    }
  }

  @Test func `an external ID that is made for another account is kept by the vault's own profile`() async throws {
    let stage = try await RoleSetupStage()
    try await stage.vault.mustRun(
      "add", "partner", "--role-arn", "arn:aws:iam::123456789012:role/partner", "--source", "MyApplicationDevProfile")
    let words = ["iam", "trust", "partner", "--principal", "210987654321"]
    let first = try await stage.vault.run(words: words)
    #expect(first.succeeded)
    let id = try #require(first.output.firstMatch(of: /"sts:ExternalId": "([0-9a-f]{32})"/)?.1)
    #expect(first.errors.contains("the profile partner now sends the external ID \(id)"))
    #expect(try await stage.vault.run(words: words).output == first.output)
    let shown = try await stage.vault.mustRun("show", "partner")
    #expect(shown.contains("external id \(id)"))
    // A refused command keeps none.
    try await stage.vault.mustRun(
      "add", "other", "--role-arn", "arn:aws:iam::123456789012:role/other", "--source", "MyApplicationDevProfile")
    let refused = try await stage.vault.run("iam", "trust", "other", "--principal", "210987654321", "--source-address", "x")
    #expect(refused.end == .exit(64))
    #expect(try await !stage.vault.mustRun("show", "other").contains("external id"))
  }

  @Test func `a policy comes from standard input too, and without one there is a skeleton that says so`() async throws {
    let stage = try await RoleSetupStage()
    let text = try String(contentsOfFile: RoleSetupStage.policy, encoding: .utf8)
    let piped = try await stage.vault.run("iam", "generate", "app-dev", "--policy", "-", input: text)
    #expect(piped.succeeded && piped.errors.isEmpty && piped.output.contains("my-application/dev/"))
    let skeleton = try await stage.vault.run("iam", "generate", environment: ["AWS_PROFILE": "app-dev"])
    #expect(skeleton.output.contains("arn:aws:ssm:us-east-1:123456789012:parameter/my-application-dev/*"))
    #expect(skeleton.errors.contains("is a skeleton"))
  }
}
