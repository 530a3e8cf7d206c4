import Foundation
import TestSupport
import Testing

/// What the environment says of the profile, the region and the shell, and what the vault leaves in it.
@Suite(.endToEnd, .sharesFixtures) struct EnvironmentTests {
  private func run(_ vault: TestVault, _ shell: [String], environment: [String: String] = [:]) async throws -> Subprocess.Result {
    try await Subprocess.run(
      shell[0].contains("/") ? shell[0] : try Programs.onPath(shell[0]), Array(shell.dropFirst()),
      environment: vault.environment.merging(environment) { $1 }, timeout: 60)
  }

  @Test("AWS_PROFILE names the profile where none is given")
  func named() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: simulator.environment)
    let named = ["AWS_PROFILE": "app-dev"]
    for words in [["exec", "--"], ["exec", "--region", "eu-west-1", "--"]] {
      let result = try await vault.run(words: words + ["printenv", "VAULT_PROFILE"], environment: named)
      #expect(result.output == "app-dev\n", "\(words): \(result.errors)")
    }
    for words in [["env"], ["credentials"], ["show"], ["console", "--print"], ["rotate"]] {
      let result = try await vault.run(words: words, environment: named)
      #expect(result.succeeded, "\(words): \(result.errors)")
      #expect(try await vault.run(words: words).end == .exit(64), "\(words)")
    }
    // A name that is given counts, and without the variable the profile may stand behind the dashes.
    #expect(try await vault.mustRun("exec", "alice", "--", "printenv", "VAULT_PROFILE", environment: named) == "alice\n")
    #expect(try await vault.mustRun("exec", "--", "app-dev", "printenv", "VAULT_PROFILE") == "app-dev\n")
    let login = try await vault.run("login", environment: named)
    #expect(login.end == .exit(78) && login.errors.contains("app-dev"), "\(login.errors)")
  }

  @Test(
    "a region that one profile brought does not reach the next, in the shell or in a command within a command; one's own stays")
  func region() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let program = try Programs.vault
    let show = #"; echo "${AWS_REGION-none} ${AWS_DEFAULT_REGION-none}""#
    func shell(_ text: String, _ environment: [String: String] = [:]) async throws -> String {
      let result = try await run(vault, ["sh", "-c", text.replacing("VAULT", with: program)], environment: environment)
      return result.output + result.errors
    }
    let both = #"eval "$(VAULT env app-dev)"; eval "$(VAULT env partner)""#
    #expect(try await shell(both + show) == "none none\n")
    #expect(try await simulator.requests("AssumeRole").map(\.region) == ["eu-west-1", "us-east-1"])
    #expect(try await shell(#"eval "$(VAULT env app-dev)""# + show) == "eu-west-1 eu-west-1\n")
    #expect(try await shell("VAULT exec app-dev -- VAULT exec partner -- sh -c '" + show.dropFirst(2) + "'") == "none none\n")
    // What a person has set is a person's: also where it is what the profile says.
    let own = ["AWS_REGION": "eu-west-1"]
    #expect(try await shell(both + show, own) == "eu-west-1 eu-west-1\n")
    let later = #"eval "$(VAULT env app-dev)"; AWS_REGION=eu-central-1; eval "$(VAULT env partner)""#
    #expect(try await shell(later + show) == "eu-central-1 eu-central-1\n")
  }

  @Test(
    "env prints what the shell understands that runs it, whatever the login shell is, and the old keys go",
    arguments: [
      ("sh", #"eval "$(VAULT env app-dev)"; echo "$AWS_ACCESS_KEY_ID ${AWS_SECURITY_TOKEN-none}""#),
      ("bash", #"eval "$(VAULT env app-dev)"; echo "$AWS_ACCESS_KEY_ID ${AWS_SECURITY_TOKEN-none}""#),
      ("fish", #"eval (VAULT env app-dev); echo "$AWS_ACCESS_KEY_ID "(set -q AWS_SECURITY_TOKEN; and echo old; or echo none)"#),
    ])
  func shells(shell: String, script: String) async throws {
    let vault = try await SimulatedVault.shared().vault
    let key = try await vault.mustRun("exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID").dropLast()
    for login in ["/usr/bin/fish", "/bin/bash", ""] {
      let old = ["SHELL": login, "AWS_ACCESS_KEY_ID": "OLD", "AWS_SECURITY_TOKEN": "OLD"]
      let result = try await run(vault, [shell, "-c", script.replacing("VAULT", with: try Programs.vault)], environment: old)
      #expect(result.output == "\(key) none\n", "\(login): \(result.output) \(result.errors)")
    }
  }

  @Test("a shell is known by its program, also under another name of its process, and PowerShell too")
  func programs() async throws {
    let vault = try await SimulatedVault.shared().vault
    let shell = vault.folder.file("pwsh")
    try FileManager.default.copyItem(atPath: "/usr/bin/dash", toPath: shell)
    let text = "\(try Programs.vault) env app-dev; true"
    #expect(try await run(vault, [shell, "-c", text]).output.hasPrefix("$Env:VAULT_PROFILE = "))
    #expect(try await run(vault, ["/bin/sh", "-c", text], environment: ["SHELL": shell]).output.hasPrefix("export "))
  }

  // MARK: options and MFA without an effect

  @Test(
    "MFA of the source alone is no role's, as in the SDKs: shown so, called so, and a code that is given is said to have no effect"
  )
  func sourceMFA() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(
      "[profile alice]\nmfa_serial = \(STSWorld.aliceMFASerial)\n[profile app]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n"
    )
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    let shown = try await vault.mustRun("show", "app")
    #expect(!shown.split(separator: "\n\n")[0].contains("MFA"), "\(shown)")
    let result = try await vault.run("exec", "app", "--mfa-code", STSWorld.aliceMFACodes[0], "--", "true")
    #expect(
      result.succeeded
        && result.errors == "vault: app: these options have no effect: --mfa-code (it has no mfa_serial of its own)\n",
      "\(result.errors)")
    let call = try #require(try await simulator.requests().first)
    #expect(call.action == "AssumeRole" && call.parameters["SerialNumber"] == nil)
    #expect(try await vault.mustRun("show", "alice").contains("MFA \(STSWorld.aliceMFASerial)"))
  }

  @Test("options that change nothing are said in one line")
  func withoutEffect() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let answer =
      #"{"Version":1,"AccessKeyId":"\#(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\#(STSWorld.aliceSecretAccessKey)"}"#
    vault.config("[profile tool]\ncredential_process = cat \(vault.folder.write(answer, to: "answer"))\n")
    try await vault.mustRun("import")
    let result = try await vault.run(
      "exec", "tool", "--duration", "2h", "--session-name", "me-2", "--mfa-code", "123456", "--no-session", "--", "true")
    #expect(result.succeeded)
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    for option in ["--duration", "--session-name", "--mfa-code", "--no-session"] { #expect(result.errors.contains(option)) }
    #expect(try await vault.run("exec", "tool", "--", "true").errors.isEmpty)
  }
}
