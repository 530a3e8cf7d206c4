import Foundation
import TestSupport
import Testing

/// What Tab completes in the shells themselves.
@Suite(.endToEnd, .sharesFixtures) struct CompletionTests {
  /// What is typed before Tab, and the command line after it.
  private static let lines: [(typed: String, completed: String)] = [
    // The first of a new shell.
    ("vault exec app-c", "vault exec app-chained "), ("vault ex", "vault exec "),
    ("vault env app-c", "vault env app-chained "), ("vault credentials app-c", "vault credentials app-chained "),
    ("vault console app-c", "vault console app-chained "), ("vault link app-dev app-c", "vault link app-dev app-chained "),
    ("vault unlink app-c", "vault unlink app-chained "), ("vault rotate app-c", "vault rotate app-chained "),
    ("vault show app-c", "vault show app-chained "), ("vault sessions app-c", "vault sessions app-chained "),
    ("vault login app-c", "vault login app-chained "), ("vault login corp-", "vault login corp-sso "),
    ("vault logout corp-", "vault logout corp-sso "), ("vault access-key rotate ali", "vault access-key rotate alice "),
    ("vault exec --duration 1h app-c", "vault exec --duration 1h app-chained "),
    ("vault exec -d1h app-c", "vault exec -d1h app-chained "), ("vault exec -- app-c", "vault exec -- app-chained "),
    ("vault add new --source app-c", "vault add new --source app-chained "),
    ("vault add new --source=app-c", "vault add new --source=app-chained "),
    ("vault audit --profile app-c", "vault audit --profile app-chained "),
    ("vault iam check app-dev --with app-c", "vault iam check app-dev --with app-chained "),
    ("vault iam tru", "vault iam trust "), ("vault iam trust app-c", "vault iam trust app-chained "),
    ("vault audit ver", "vault audit verify "), ("vault audit export --who", "vault audit export --whole "),
    ("vault audit export --format oc", "vault audit export --format ocsf "),
    ("vault audit export --format=oc", "vault audit export --format=ocsf "),
    ("vault exec --dur", "vault exec --duration "), ("vault audit --outcome ref", "vault audit --outcome refused "),
    ("vault exec -r eu-nor", "vault exec -r eu-north-1 "), ("vault config lock_a", "vault config lock_after "),
    ("vault help access-key rem", "vault help access-key remove "), ("vault completion z", "vault completion zsh "),
    ("vault audit reconcile /etc/hostn", "vault audit reconcile /etc/hostname "),
    ("vault iam generate --policy /etc/hostn", "vault iam generate --policy /etc/hostname "),
    ("vault iam generate --policy=/etc/hostn", "vault iam generate --policy=/etc/hostname "),
    ("vault console --browser printen", "vault console --browser printenv "),
    // The command of exec.
    ("vault exec app-dev printen", "vault exec app-dev printenv "),
    ("vault exec app-dev -- printen", "vault exec app-dev -- printenv "),
    ("vault exec -- printen", "vault exec -- printenv "), ("vault exec -- cat /etc/hostn", "vault exec -- cat /etc/hostname "),
    ("vault exec app-dev -- /usr/bin/printen", "vault exec app-dev -- /usr/bin/printenv "),
    ("vault exec app-dev -- cat /etc/hostn", "vault exec app-dev -- cat /etc/hostname "),
    ("vault exec app-dev -- vault exec app-c", "vault exec app-dev -- vault exec app-chained "),
    ("vault exec team:dev-of-all -- vault iam tru", "vault exec team:dev-of-all -- vault iam trust "),
    // Names that a shell reads as something else.
    ("vault exec team:dev-of-", "vault exec team:dev-of-all "), ("vault show team:dev-of:", "vault show team:dev-of:all-in "),
    ("vault add new --source=team:dev-of-", "vault add new --source=team:dev-of-all "),
    ("vault show x", #"vault show x\$\(id\>pwned\) "#), ("vault show q", #"vault show q\ two\ words "#),
    (#"vault show "q"#, #"vault show "q two words" "#),
  ]

  /// What only some shells have a completion for.
  private static func more(_ shell: TabKey.Shell) -> [(typed: String, completed: String)] {
    switch shell {
    case .bash:
      return [
        // The first word is the third of the line; the owner's function sees the second of its own.
        ("vault exec app-dev -- owned su", "vault exec app-dev -- owned su-1-owned-8-8 "),
        ("vault exec app-dev owned su", "vault exec app-dev owned su-1-owned-8-8 "),
        (#"vault show "x"#, #"vault show "x"#),
      ] + program
    case .bashWithCompletion, .bashInstalled:
      return [("vault exec app-dev -- git checko", "vault exec app-dev -- git checkout ")] + program
    case .zsh, .zshBeforeCompinit, .zshInstalled:
      return [("vault exec app-dev -- git check-at", "vault exec app-dev -- git check-attr ")]
    case .fish, .fishInstalled: return [("vault exec app-dev -- git checko", "vault exec app-dev -- git checkout ")]
    }
  }

  /// A program that completes, as `aws_completer` does: it is given the line of the command alone.
  private static let program = [
    ("vault exec app-dev -- owner su", "vault exec app-dev -- owner two words-owner-su-owner-owner su-8 ")
  ]

  private static func vault() async throws -> TestVault {
    try await SimulatedVault.shared {
      let simulator = try await STSSimulatorProcess()
      let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
      var config = TestVault.standardConfig
      for name in ["team:dev-of-all", "team:dev-of:all-in", "x$(id>pwned)", "'q two words'", "$home-dev"] {
        config += "\n[profile \(name)]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n"
      }
      config += "\n[sso-session corp-sso]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n"
      vault.config(config)
      vault.credentials(TestVault.standardCredentials)
      try await vault.mustRun("import")
      return SimulatedVault(simulator: simulator, vault: vault)
    }.vault
  }

  private static func programs() throws -> String { URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path }

  @Test(
    "Tab completes commands, options and every kind of value, then the command of exec as that shell does, and runs no name",
    arguments: TabKey.Shell.allCases)
  func tab(shell: TabKey.Shell) async throws {
    let lines = Self.lines + Self.more(shell)
    let answers = try await TabKey.press(
      lines.map { $0.typed + "\t" }, in: shell, of: try await Self.vault(), path: try Self.programs())
    for (line, answer) in zip(lines, answers) { #expect(answer.line == line.completed, "\(line.typed)") }
  }

  @Test("zsh and fish show what options and commands mean", arguments: [TabKey.Shell.zsh, .fish])
  func meanings(shell: TabKey.Shell) async throws {
    let answers = try await TabKey.press(
      ["vault exec --\t\t", "vault \t\t", "vault access-key \t\t"], in: shell, of: try await Self.vault(),
      path: try Self.programs())
    #expect(answers[0].shown.contains("the reason, recorded in the audit log"), "\(answers[0].shown)")
    #expect(answers[1].shown.contains("sign in to IAM Identity Center"), "\(answers[1].shown)")
    #expect(answers[2].shown.contains("remove an access key from the vault"), "\(answers[2].shown)")
  }

  @Test("under another name, the scripts complete that name", arguments: [TabKey.Shell.bash, .zsh, .zshInstalled, .fish])
  func renamed(shell: TabKey.Shell) async throws {
    let folder = TemporaryDirectory()
    symlink(try Programs.vault, folder.file("my.vault-2"))
    let answers = try await TabKey.press(
      ["my.vault-2 exec app-c\t", "my.vault-2 exec app-dev printen\t"], in: shell, of: try await Self.vault(), name: "my.vault-2",
      path: folder.path)
    #expect(answers.map(\.line) == ["my.vault-2 exec app-chained ", "my.vault-2 exec app-dev printenv "])
  }

  @Test(
    "Tab after vuse completes a name, also one that begins with what the shell escapes",
    arguments: [TabKey.Shell.bash, .zsh, .fish])
  func vuse(shell: TabKey.Shell) async throws {
    let load = shell == .fish ? "vault shell-init fish | source" : "eval \"$(vault shell-init \(shell.program))\""
    let answers = try await TabKey.press(
      ["vuse app-c\t", "vuse \\$\t", "vuse x\t", "vuse x\\$\t", "vuse q\t"], in: shell, of: try await Self.vault(),
      path: try Self.programs(), more: load + "\n")
    let names = ["app-chained", #"\$home-dev"#, #"x\$\(id\>pwned\)"#, #"x\$\(id\>pwned\)"#, #"q\ two\ words"#]
    #expect(answers.map(\.line) == names.map { "vuse \($0) " })
  }

  @Test("names are read without an agent and without the key store")
  func quiet() async throws {
    let vault = TestVault()
    vault.config(
      TestVault.standardConfig + "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n")
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    try await vault.mustRun("agent", "stop")
    for (words, name) in [(["exec", ""], "app-dev"), (["logout", ""], "corp"), (["access-key", "remove", ""], "alice")] {
      let answer = try await vault.run(
        words: ["--complete", "fish", "vault"] + words, environment: ["VAULT_PASSPHRASE_FILE": "/none"])
      #expect(answer.succeeded && answer.errors.isEmpty && answer.output.split(separator: "\n").contains { $0 == name })
    }
    #expect(try await vault.run("agent", "status").output.contains("no agent is running"))
  }
}
