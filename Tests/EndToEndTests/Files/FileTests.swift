import Foundation
import TestSupport
import Testing
import VaultModel

/// The files as people have them, by the real programs.
@Suite(.endToEnd) struct FileTests {
  private static let keys =
    "aws_access_key_id = \(STSWorld.aliceAccessKeyId)\naws_secret_access_key = \(STSWorld.aliceSecretAccessKey)\n"

  @Test("a profile of any name that the AWS CLI takes is used by it and shown safely, in every form")
  func names() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let hidden = "x\u{E0041}\u{FFF9}"
    vault.config("[profile 本番]\n  region = eu-west-1\n  output = json\n[profile \(hidden)]\nregion = eu-west-1\n")
    vault.credentials("[本番]\n\(Self.keys)[\(hidden)]\n\(Self.keys)")
    let imported = try await vault.run("import")
    #expect(imported.succeeded && imported.errors.contains("an invisible character (U+E0041)"), "\(imported.errors)")
    #expect(try await vault.mustRun("list", "--names") == "x\\u{e0041}\\u{fff9}\n本番\n")
    #expect(try await vault.mustRun("exec", "本番", "--", "printenv", "VAULT_PROFILE", "AWS_REGION") == "本番\neu-west-1\n")
    try await vault.mustRun("exec", hidden, "--", "true")
    for words in [["list"], ["audit"]] {
      let json = try #require(try? await vault.mustRun(words[0], "--format", "json"))
      #expect(json.contains("x\\udb40\\udc41\\ufff9") && !json.contains("\u{E0041}") && !json.contains("\u{FFF9}"))
      let rows = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
      #expect(Set(rows.compactMap { $0["profile"] as? String }) == ["本番", hidden])
    }
  }

  @Test(
    "a key that is none is not taken from a file, as it is not from a hand, and nobody is told that its text can go",
    arguments: ["\"\(STSWorld.aliceAccessKeyId)\"", "<your-access-key-id>", "AKIA"])
  func noKey(id: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.credentials("[home]\naws_access_key_id = \(id)\naws_secret_access_key = \(STSWorld.aliceSecretAccessKey)\n")
    let imported = try await vault.run("import")
    #expect(
      imported.succeeded && imported.errors.contains("~/.aws/credentials:3: the access key of \"home\" is invalid"),
      "\(imported.errors)")
    #expect(!imported.errors.contains("you can delete"))
    #expect(try await vault.rows("access-key", "list").isEmpty)
    #expect(
      try await vault.run("access-key", "add", "other", input: "\(id)\n\(STSWorld.aliceSecretAccessKey)\n").end == .exit(65))
  }

  @Test("a secret with a blank in it leaves the other profiles of its file alone, and is named with its line, by a dry run too")
  func blankInSecret() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.credentials(
      "[torn]\naws_access_key_id = \(STSWorld.bobAccessKeyId)\naws_secret_access_key = two words\n[alice]\n\(Self.keys)")
    let said = "~/.aws/credentials:3: aws_secret_access_key is not a valid secret"
    let tried = try await vault.run("import", "--dry-run")
    #expect(
      tried.succeeded && tried.errors.contains(said) && !(tried.output + tried.errors).contains("two words"), "\(tried.errors)")
    let imported = try await vault.run("import")
    #expect(imported.succeeded && imported.errors.contains(said), "\(imported.errors)")
    try await vault.mustRun("exec", "alice", "--", "true")
    let torn = try await vault.run("exec", "torn", "--", "true")
    #expect(torn.end == .exit(78) && torn.errors.contains("hint: "), "\(torn.end) \(torn.errors)")
    #expect(try await vault.rows("access-key", "list").count == 1)
  }

  @Test("a dry run names a key that is none, as the import does")
  func dryRunKey() async throws {
    let vault = TestVault()
    vault.credentials("[home]\naws_access_key_id = <your-key>\naws_secret_access_key = \(STSWorld.aliceSecretAccessKey)\n")
    let said = "~/.aws/credentials:3: the access key of \"home\" is invalid"
    for words in [["import", "--dry-run"], ["import"]] {
      let result = try await vault.run(words: words)
      #expect(result.succeeded && result.errors.contains(said), "\(words) \(result.errors)")
    }
    #expect(try await vault.mustRun("import", "--dry-run", "--format", "json").contains("is invalid"))
  }

  @Test("what is kept by hand may have any name that a file's profile may", arguments: ["本番", "größe 2", "a$b'c", "x,y"])
  func namesByHand(name: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let key = name + " key"
    try await vault.mustRun("access-key", "add", key, input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n")
    try await vault.mustRun("add", name, "--role-arn", STSWorld.devRole, "--source", key, "--region", "us-east-1")
    #expect(try await vault.mustRun("exec", name, "--", "printenv", "VAULT_PROFILE") == name + "\n")
    #expect(try await vault.run("add", "a\u{7}b", "--role-arn", STSWorld.devRole, "--source", key).end == .exit(65))
  }

  @Test("a key of what stands in for AWS is sealed, however short")
  func standIn() async throws {
    let vault = TestVault()
    vault.credentials("[local]\naws_access_key_id = test\naws_secret_access_key = test\n")
    try await vault.mustRun("import")
    #expect(try await vault.rows("access-key", "list").first?["accessKeyId"] as? String == "test")
  }

  @Test("the account that a process names is passed on, from the cache too, and a role's is its own")
  func account() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let answer =
      #"{"Version":1,"AccessKeyId":"\#(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\#(STSWorld.aliceSecretAccessKey)","SessionToken":"","AccountId":"210987654321","Expiration":"2099-01-01T00:00:00Z"}"#
    vault.folder.write(answer, to: "answer")
    vault.config(
      """
      [profile p]
      region = us-east-1
      credential_process = cat \(vault.folder.file("answer"))
      [profile role]
      role_arn = \(STSWorld.devRole)
      source_profile = p

      """)
    try await vault.mustRun("import")
    for _ in 0..<2 {
      let printed = try await vault.mustRun("credentials", "p")
      let credentials = try #require(try JSONSerialization.jsonObject(with: Data(printed.utf8)) as? [String: Any])
      #expect(credentials["AccountId"] as? String == "210987654321" && credentials["SessionToken"] == nil)
      let end = try #require((credentials["Expiration"] as? String).flatMap { Timestamp(iso8601: $0) })
      #expect((129_000...129_600).contains(end.since(SystemClock().now()) / 1_000))
    }
    #expect(try await vault.rows("audit", "--action", "CredentialProcess").count == 1)
    let account = ["AWS_ACCOUNT_ID": "000000000000"]
    #expect(try await vault.mustRun("exec", "p", "--", "printenv", "AWS_ACCOUNT_ID", environment: account) == "210987654321\n")
    #expect(try await vault.mustRun("exec", "role", "--", "printenv", "AWS_ACCOUNT_ID", environment: account) == "123456789012\n")
    #expect(try await vault.mustRun("env", "role", "--format", "sh").contains("AWS_ACCOUNT_ID='123456789012'"))
    let served = try await vault.mustRun(
      "exec", "--server", "role", "--", "sh", "-c",
      "curl -s -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" $AWS_CONTAINER_CREDENTIALS_FULL_URI")
    #expect(served.contains(#""AccountId":"123456789012""#))
  }

  @Test("a variable that names no file is told, and /dev/null is none")
  func namedFiles() async throws {
    let vault = TestVault()
    vault.credentials("[home]\n\(Self.keys)")
    let gone = try await vault.run("import", environment: ["AWS_CONFIG_FILE": "/nowhere/config"])
    #expect(
      gone.succeeded && gone.errors.contains("AWS_CONFIG_FILE names /nowhere/config, which does not exist"), "\(gone.errors)")
    let none = try await vault.run("import", environment: ["AWS_CONFIG_FILE": "/dev/null"])
    #expect(none.succeeded && !none.errors.contains("/dev/null") && !none.errors.contains("names"), "\(none.errors)")
    let nothing = ["AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"]
    #expect(try await vault.run("import", environment: nothing).end == .exit(66))
  }

  @Test("[default] with settings only is no fault, and config names the key store of the vault that is there")
  func settingsOnly() async throws {
    let vault = TestVault()
    vault.config("[default]\nregion = eu-west-1\n[profile other]\nregion = eu-west-1\n")
    try await vault.mustRun("import")
    let list = try await vault.mustRun("list")
    #expect(list.contains("default\tsettings\t") && list.contains("other\tbroken\t"), "\(list)")
    let doctor = try await vault.run("doctor")
    #expect(!doctor.output.contains("profile default") && doctor.output.contains("profile other"), "\(doctor.output)")
    #expect(try await vault.mustRun("config", environment: ["VAULT_KEYSTORE": ""]).contains("keystore\tpassphrase\tthe vault"))
    let used = try await vault.run("exec", "default", "--", "true")
    #expect(used.end == .exit(78) && used.errors.contains("has settings only, no credentials"), "\(used.errors)")
  }
}
