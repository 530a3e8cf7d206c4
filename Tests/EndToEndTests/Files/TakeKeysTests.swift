import Foundation
import TestSupport
import Testing

/// `vault import --take-keys`: plain access keys leave ~/.aws/credentials once the vault has them and they work.
@Suite(.endToEnd) struct TakeKeysTests {
  private static let file = "home/.aws/credentials"
  private static let text = """
    # everybody's
    [alice]
    region = eu-west-1
    aws_access_key_id = \(STSWorld.aliceAccessKeyId)
    # do not share
    aws_secret_access_key = \(STSWorld.aliceSecretAccessKey)

    [nobody]
    aws_access_key_id = AKIAIOSFODNN7NOBODYX
    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY

    """
  private static let rest = """
    # everybody's
    [alice]
    region = eu-west-1
    # do not share

    [nobody]
    aws_access_key_id = AKIAIOSFODNN7NOBODYX
    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY

    """

  private func stage(_ simulator: STSSimulatorProcess, _ text: String = text) -> TestVault {
    let vault = TestVault(environment: simulator.environment)
    vault.config(TestVault.standardConfig)
    vault.credentials(text)
    return vault
  }

  private func read(_ vault: TestVault, _ path: String = file) throws -> String {
    try String(contentsOfFile: vault.folder.file(path), encoding: .utf8)
  }

  @Test("a key that AWS accepts from the vault leaves the file, one that it refuses stays; the backup has both and is private")
  func taken() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = stage(simulator)
    chmod(vault.folder.file(Self.file), 0o644)
    let result = try await vault.run("import", "--take-keys")
    #expect(result.end == .exit(77) && result.errors.contains("1 key stays in the files"), "\(result.errors)")
    #expect(result.errors.contains("alice: removed ~/.aws/credentials:4,6") && !result.errors.contains("--take-keys"))
    #expect(result.errors.contains("nobody: its key stays at ~/.aws/credentials:9,10: "))
    #expect(try read(vault) == Self.rest)
    let backup = Self.file + ".with-keys"
    #expect(try read(vault, backup) == Self.text)
    #expect(try FileManager.default.attributesOfItem(atPath: vault.folder.file(backup))[.posixPermissions] as? Int == 0o600)
    #expect(result.errors.contains("rm ") && result.errors.contains(".aws/credentials.with-keys"))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let rows = try await vault.rows("audit", "--action", "PlainKeyRemoved")
    #expect(rows.count == 1 && rows[0]["accessKeyId"] as? String == STSWorld.aliceAccessKeyId, "\(rows)")
    #expect(!result.errors.contains(STSWorld.aliceSecretAccessKey) && !result.output.contains(STSWorld.aliceSecretAccessKey))
    #expect(try await vault.run("audit", "verify").succeeded)
    // Nothing is left of the copies that an edit makes.
    #expect(
      Set(try FileManager.default.contentsOfDirectory(atPath: vault.folder.file("home/.aws"))) == [
        "config", "credentials", "credentials.with-keys",
      ])
  }

  @Test("while AWS cannot be reached, nothing is proven, and the file stays as it is, without a backup")
  func unreachable() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = stage(simulator)
    try await simulator.stop()
    let result = try await vault.run("import", "--take-keys")
    #expect(result.end == .exit(77), "\(result.errors)")
    #expect(try read(vault) == Self.text)
    #expect(!FileManager.default.fileExists(atPath: vault.folder.file(Self.file + ".with-keys")))
  }

  @Test("with --link, the AWS CLI goes on with the profile, through the vault")
  func linked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = stage(simulator, TestVault.standardCredentials)
    try await vault.mustRun("import", "--take-keys", "--link")
    let text = try read(vault)
    #expect(text.contains("[alice]\ncredential_process = \"") && text.contains("\" credentials alice\n"), "\(text)")
    #expect(!text.contains("aws_secret_access_key"))
    let caller = try await Subprocess.run(
      try Programs.aws, ["sts", "get-caller-identity", "--profile", "app-dev", "--region", "us-east-1"],
      environment: vault.environment)
    #expect(caller.succeeded && caller.output.contains("assumed-role"), "\(caller.errors)")
    try await vault.mustRun("exec", "alice", "--", "true")
    #expect(try await vault.run("import", "--take-keys").errors.contains("the files have no plain access keys"))
  }

  @Test("what another program writes meanwhile is not lost")
  func concurrent() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = stage(simulator, TestVault.standardCredentials)
    // As the AWS CLI does it: reads the file, writes it anew in place, again and again.
    let writer = """
      import sys
      for number in range(400):
          with open(sys.argv[1], "r+b") as file:
              text = file.read()
              file.write(b"[p%d]\\nregion = r%d\\n" % (number, number))
      """
    async let written = Subprocess.run(
      try Programs.python, ["-c", writer, vault.folder.file(Self.file)], environment: [:])
    let result = try await vault.run("import", "--take-keys")
    #expect(try await written.succeeded)
    let text = try read(vault)
    for number in 0..<400 { #expect(text.contains("[p\(number)]\nregion = r\(number)\n"), "\(number): \(result.errors)") }
    if result.succeeded { #expect(!text.contains("aws_secret_access_key")) }
  }

  @Test("at a terminal, the keys and their lines are named, and nothing happens without a yes")
  func asked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = stage(simulator, TestVault.standardCredentials)
    let no = try await TypedDialogue.run(vault, ["import"], [("Take these 2 keys out", "\n")])
    #expect(no.status == 0 && no.shown.contains("~/.aws/credentials:2,3: \(STSWorld.aliceAccessKeyId)"), "\(no.shown)")
    #expect(no.shown.contains("the files stay as they are") && no.shown.contains("next: vault exec app-chained"))
    #expect(try read(vault) == TestVault.standardCredentials)
    let yes = try await TypedDialogue.run(
      vault, ["import"], [("Take these 2 keys out", "y\n"), ("Leave a credential_process", "n\n")])
    #expect(yes.status == 0 && yes.shown.contains("bob: removed ~/.aws/credentials:6,7"), "\(yes.shown)")
    #expect(try read(vault) == "[alice]\n\n[bob]\n")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let usage = try await vault.run("import", "--link")
    #expect(usage.end == .exit(64) && usage.errors.contains("--link requires --take-keys"))
  }

  @Test("`import` names the profiles that cannot be used, with the reason of `show`, and what to type next")
  func unusable() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = stage(simulator, TestVault.standardCredentials)
    vault.config(
      TestVault.standardConfig
        + "[profile lost]\nrole_arn = \(STSWorld.devRole)\nsource_profile = nowhere\n[profile half]\nsso_account_id = 1\n")
    let dry = try await vault.run("import", "--dry-run")
    #expect(dry.errors.contains("9 profiles would be imported; 2 of them cannot be used"), "\(dry.errors)")
    #expect(dry.errors.contains("\"lost\" cannot be used: ") && dry.errors.contains("no profile \"nowhere\""))
    let json = try #require(try await vault.json("import", "--dry-run") as? [String: Any])
    let entries = try #require(json["unusable"] as? [[String: Any]])
    #expect(Set(entries.compactMap { $0["profile"] as? String }) == ["lost", "half"], "\(entries)")
    #expect(entries.allSatisfy { $0["why"] is String && $0["hint"] is String })
    let result = try await vault.run("import")
    #expect(result.succeeded && result.errors.contains("; 2 of them cannot be used"), "\(result.errors)")
    let shown = try await vault.run("show", "lost")
    let why = try #require(shown.errors.split(separator: "\n").first?.dropFirst("vault: ".count))
    #expect(result.errors.contains("\"lost\" cannot be used: \(why)"), "\(shown.errors)")
    #expect(result.errors.contains("next: vault exec app-chained"))
  }
}
