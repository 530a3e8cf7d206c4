import Foundation
import TestSupport
import Testing

/// `vault` alone, in a home where there is no vault yet: three ways to a first command.
@Suite(.endToEnd) struct FirstStepsTests {
  /// What a machine without a desktop does not have, and what a person has not set yet.
  private static let noDesktop: Set<String> = ["VAULT_KEYSTORE", "VAULT_PASSPHRASE_FILE"]
  private static let passphrase: [(String, String)] = [
    ("passphrase instead? [y/N]", "y\n"), ("New passphrase for the vault", "too short\n"),
    ("New passphrase for the vault", "nine words that nobody guesses\n"), ("Again:", "nine words that anybody guesses\n"),
    ("New passphrase for the vault", "nine words that nobody guesses\n"), ("Again:", "nine words that nobody guesses\n"),
  ]

  /// The command that a dialogue ends with, without its program.
  private func next(_ dialogue: PseudoTerminal.Result) throws -> [String] {
    let line = try #require(
      dialogue.shown.split(whereSeparator: \.isNewline).last {
        $0.contains("next: vault exec ") || $0.contains("then: vault exec ")
      },
      "\(dialogue.shown)")
    return line.split(separator: " ").map(String.init).drop { $0 != "exec" }.prefix(2) + ["--", "true"]
  }

  @Test("the AWS files are taken over as they are")
  func files() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    let typed = try await TypedDialogue.run(
      vault, [], [("Number, or q", "7\n"), ("Number, or q", "\n"), ("Take these 2 keys", "n\n")])
    #expect(typed.status == 0 && typed.shown.contains("1  take over the 7 profiles in your AWS files"), "\(typed.shown)")
    #expect(typed.shown.contains("a number from 1 to 3"))
    #expect(try await vault.run(words: try next(typed)).succeeded)
    // With a vault, nobody is asked.
    let again = try await TypedDialogue.run(vault, [], [])
    #expect(!again.shown.contains("Where do you want to begin?"))
  }

  @Test("a start URL leads to a sign-in and profiles; where there are no files, they are not offered")
  func signIn() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let typed = try await TypedDialogue.run(
      vault, [],
      [
        ("Number, or q", "1\n"), ("Start URL", "corp\n"), ("Start URL", "corp.awsapps.com/start\n"), ("Region of", "us-east-1\n"),
        ("profiles to create", "\u{1}\r"),
      ])
    #expect(typed.status == 0 && !typed.shown.contains("take over"), "\(typed.shown)")
    #expect(try await vault.run(words: try next(typed)).succeeded)
  }

  @Test("an access key makes a profile; without a desktop, a passphrase is offered for it, and asked for again if it is mistyped")
  func accessKey() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let typed = try await TypedDialogue.run(
      vault, [],
      [
        ("Number, or q", "2\n"), ("Name of its profile", "main\n"), ("Access key id:", STSWorld.aliceAccessKeyId + "\n"),
        ("Secret access key:", STSWorld.aliceSecretAccessKey + "\n"),
      ] + Self.passphrase, without: Self.noDesktop)
    #expect(typed.status == 0 && typed.shown.contains("the access key main is stored"), "\(typed.shown)")
    #expect(!typed.shown.contains(STSWorld.aliceSecretAccessKey) && !typed.shown.contains("nine words"))
    #expect(typed.shown.contains("fewer than 12 characters") && typed.shown.contains("the two passphrases differ"))
    #expect(try next(typed)[1] == "main")
    try await vault.mustRun("exec", "main", "--", "true")
    #expect(try await vault.mustRun("master-key", "status").contains("passphrase"))
  }

  @Test("without a yes, and without a terminal, there is no passphrase and no vault")
  func declined() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.credentials(TestVault.standardCredentials)
    let typed = try await TypedDialogue.run(
      vault, ["import"], [("passphrase instead? [y/N]", "\n")], without: Self.noDesktop)
    #expect(typed.status == 69 && typed.shown.contains("VAULT_KEYSTORE=passphrase"), "\(typed.shown)")
    let script = try await Subprocess.run(
      try Programs.vault, ["import"], environment: vault.environment.filter { !Self.noDesktop.contains($0.key) })
    #expect(script.end == .exit(69) && script.errors.contains("VAULT_KEYSTORE=passphrase"), "\(script.errors)")
    #expect(!script.errors.contains("[y/N]"))
    #expect(try await vault.rows("master-key", "status").isEmpty)
  }

  @Test("nobody is asked without a terminal, and q leaves")
  func left() async throws {
    let vault = TestVault()
    let script = try await vault.run()
    #expect(script.end == .exit(64) && !script.errors.contains("Where do you want to begin?"))
    let typed = try await TypedDialogue.run(vault, [], [("Number, or q", "q\n")])
    #expect(typed.status == 0)
    #expect(!FileManager.default.fileExists(atPath: vault.database))
  }
}
