import Foundation
import TestSupport
import Testing

/// `vuse` in real shells, at a terminal.
@Suite(.endToEnd) struct ShellInitTests {
  /// A shell without the user's own settings, and how it loads `vuse`.
  struct Shell: Sendable, CustomTestStringConvertible {
    let words: [String], load: String
    var testDescription: String { words[0] }

    static let all = [
      Shell(words: ["bash", "--norc", "--noprofile", "-i"], load: #"eval "$(vault shell-init bash)""#),
      Shell(words: ["zsh", "-f", "-i"], load: #"autoload -Uz compinit && compinit -u; eval "$(vault shell-init zsh)""#),
      Shell(words: ["fish", "--no-config", "-i"], load: "vault shell-init fish | source"),
    ]
  }

  private func run(
    _ shell: Shell, _ vault: TestVault, _ steps: [PseudoTerminal.Step], _ environment: [String: String] = [:]
  ) async throws -> PseudoTerminal.Result {
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    return try await PseudoTerminal.run(
      [try Programs.onPath(shell.words[0])] + shell.words.dropFirst(), [.type(shell.load + "\r")] + steps + [.type("exit\r")],
      columns: 200,
      environment: vault.environment.merging([
        "PATH": "\(programs):/usr/local/bin:/usr/bin:/bin", "PYTHON": try Programs.python, "TERM": "xterm", "PS1": "> ",
      ]) { $1 }.merging(environment) { $1 }, directory: vault.home)
  }

  /// Types a command whose output ends with a word that is not typed as it is shown.
  private func command(_ line: String, shows text: String) -> [PseudoTerminal.Step] {
    [.type(line + "; echo don''e\r"), .wait(text), .wait("done")]
  }

  private static let whoAmI = #"$PYTHON -c "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])""#

  private func ended(_ vault: TestVault, _ count: Int) async throws -> [[String: Any]] {
    let deadline = Date().addingTimeInterval(30)
    while true {
      let rows = try await vault.rows("audit", "--action", "LeaseEnded")
      if rows.count >= count || Date() > deadline { return rows }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  @Test(
    "vuse switches the shell, serves it fresh credentials, goes back, restores what was before, and its end lets go",
    arguments: Shell.all)
  func switching(shell: Shell) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let steps: [PseudoTerminal.Step] =
      // Tab completes the name.
      [.type("vuse app-d\t\r"), .wait("replaced until `vuse --off`: AWS_PROFILE"), .wait("(app-dev ")]
      + command(Self.whoAmI, shows: "assumed-role/my-application-dev-role/")
      + command("printenv AWS_PROFILE AWS_ACCESS_KEY_ID; printenv AWS_REGION", shows: "eu-west-1")
      // A new session, without a new request for one by the shell.
      + command("vault rotate app-dev 2>/dev/null; \(Self.whoAmI)", shows: "assumed-role/my-application-dev-role/")
      + [.type("vuse app-chained --region eu-west-1\r"), .wait("(app-chained ")]
      + command(Self.whoAmI, shows: "assumed-role/my-application-chained-role/")
      + [.type("vuse -\r"), .wait("(app-dev ")]
      // A name that does not exist changes nothing.
      + [.type("vuse app-dve\r"), .wait("did you mean app-dev?")]
      + command(Self.whoAmI, shows: "assumed-role/my-application-dev-role/")
      + [.type("vuse --off\r")]
      + command("printenv AWS_PROFILE AWS_REGION AWS_VAULT AWS_CONTAINER_AUTHORIZATION_TOKEN", shows: "not-there")
      + [.type("vuse\r"), .wait("Enter takes"), .type("app-dev\r"), .wait("(app-dev ")]
    let result = try await run(shell, vault, steps, ["AWS_PROFILE": "not-there"])
    #expect(result.isRestored)
    // Four leases: one for each time the shell was switched.
    let rows = try await ended(vault, 4)
    #expect(rows.count == 4)
    let requesters = rows.compactMap { $0["requester"] as? [String: Any] }
    #expect(Set(requesters.compactMap { $0["pid"] as? Int }).count == 1)
    #expect(requesters.allSatisfy { ($0["program"] as? String)?.contains(shell.words[0]) == true }, "\(requesters)")
    #expect(result.shown.contains("\u{1B}[?1049l"))
  }

  @Test("the prompt can be left alone, and a name that attacks shells is text in all of them", arguments: Shell.all)
  func hostile(shell: Shell) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let name = "-a%n/b:c+d@e"
    vault.config(TestVault.standardConfig + "[profile \(name)]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n")
    try await vault.mustRun("import")
    let hostile = #"a$(touch pwned)`touch pwned`'%\b"#
    let shown = try await run(
      shell, vault,
      [.type("vuse\r"), .wait("Enter takes"), .type("%n\r"), .wait("(-a?n/b:c+d@e ")]
        + command("printenv VAULT_PROFILE", shows: name)
        + [.type("vuse app-dev\r"), .wait("(app-dev "), .type("vuse -\r"), .wait("(-a?n/b:c+d@e ")]
        // A name from elsewhere, as only a variable can hold it.
        + [.type("export AWS_VAULT=$NAME || set -gx AWS_VAULT $NAME\r"), .wait("(a??touch?pwned??touch?pwned????b) ")],
      ["NAME": hostile])
    #expect(shown.isRestored && !FileManager.default.fileExists(atPath: vault.home + "/pwned"))
    let plain = try await run(
      shell, vault, [.type("vuse app-dev\r")] + command("printenv VAULT_PROFILE", shows: "app-dev"), ["VUSE_PROMPT": "off"])
    #expect(!plain.shown.contains("(app-dev "))
  }

  @Test("a shell that is switched says that its jobs in the background are served no more", arguments: Shell.all)
  func jobs(shell: Shell) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let told = "vuse: jobs in the background get no more credentials"
    let shown = try await run(
      shell, vault,
      [.type("mkfifo end; cat end >/dev/null &\r"), .type("vuse app-dev\r"), .wait("(app-dev ")]
        + command("printenv VAULT_PROFILE", shows: "app-dev")
        + [.type("vuse app-chained\r"), .wait(told), .wait("(app-chained ")]
        + [.type("echo >end; wait\r"), .type("vuse app-dev\r"), .wait("(app-dev ")])
    #expect(shown.shown.components(separatedBy: told).count == 2, "\(shown.shown)")
  }

  @Test("a shell within a shell goes back to what it inherited")
  func nested() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let inner =
      #"bash -c 'eval "$(vault shell-init bash)"; vuse app-chained; echo in:$VAULT_PROFILE; vuse --off; echo out:$VAULT_PROFILE'"#
    let result = try await run(
      Shell.all[0], vault,
      [
        .type("vuse app-dev\r"), .wait("(app-dev "), .type(inner + "\r"),
        .wait("in place of app-dev, which `vuse --off` restores"),
      ]
        + [.wait("in:app-chained"), .wait("out:app-dev"), .wait("(app-dev ")]
        + command(Self.whoAmI, shows: "assumed-role/my-application-dev-role/"))
    #expect(result.isRestored)
    #expect(try await ended(vault, 2).count == 2)
  }

  @Test("a universal variable of fish, which no shell can hide, stays as it is, and the user is told")
  func universal() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let script = """
      set -Ux AWS_PROFILE theirs
      vault shell-init fish | source
      vuse app-dev; printenv VAULT_PROFILE; set -qU AWS_PROFILE; and echo kept
      vuse --off; printenv AWS_PROFILE; set -qg AWS_PROFILE; or echo uncovered
      """
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    let run = try await Subprocess.run(
      try Programs.onPath("fish"), ["-c", script],
      environment: vault.environment.merging(["PATH": "\(programs):/usr/bin:/bin"]) { $1 })
    #expect(run.output == "app-dev\nkept\ntheirs\nuncovered\n", "\(run.output)")
    #expect(run.errors.contains("AWS_PROFILE is a universal variable, and stays set"), "\(run.errors)")
    let end = try await vault.mustRun("env", "--until", "app-dev")
    let left = try #require(Double(end.trimmingCharacters(in: .newlines))) - Date().timeIntervalSince1970
    #expect((3_000...3_600).contains(left))
    #expect(try await vault.mustRun("env", "--until", "app-mfa") == "0\n")
  }

  @Test("the prompt shows the time left of a narrowed session, also once it was renewed", arguments: Shell.all)
  func narrowed(shell: Shell) async throws {
    let simulator = try await STSSimulatorProcess()
    // Shorter than a quarter of an hour, so that the prompt asks; renewed after half of it.
    try await simulator.set(STSSettings(lifetimeSeconds: 840))
    let vault = try await TestVault(unasked: simulator)
    let result = try await run(
      shell, vault,
      [.type("vuse --read-only app-dev\r"), .wait("(app-dev 1"), .wait("m) ")]
        + command("printenv VAULT_PROFILE", shows: "app-dev"))
    #expect(result.isRestored && !result.shown.contains("expired"), "\(result.shown)")
    let session = try #require(try await vault.rows("sessions").first { $0["profile"] as? String == "app-dev" })
    let id = try #require(session["id"] as? String)
    #expect(session["scope"] is [String: Any])
    // The profile's own session is another one, and none yet.
    #expect(try await vault.mustRun("env", "--until", "app-dev") == "0\n")
    let first = try #require(Int(try await vault.mustRun("env", "--until", id).dropLast()))
    try await simulator.set(STSSettings(lifetimeSeconds: 3_600))
    try await vault.mustRun("exec", "--refresh", "--read-only", "app-dev", "--", "true")
    let next = try #require(Int(try await vault.mustRun("env", "--until", id).dropLast()))
    #expect(next > first + 2_000)
    try await vault.mustRun("revoke", "app-dev")
    #expect(try await vault.mustRun("env", "--until", id) == "0\n")
  }

  @Test("a process is served only to a shell in which it runs, in its session")
  func others() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let program = try Programs.vault
    func attempt(_ script: String) async throws -> Subprocess.Result {
      try await Subprocess.run("/bin/bash", ["-c", script, program], environment: vault.environment)
    }
    let own = try await attempt(#""$0" env app-dev --for-pid $$ --format sh; true"#)
    #expect(
      own.output.contains("export AWS_CONTAINER_AUTHORIZATION_TOKEN='") && !own.output.contains("AWS_SECRET"), "\(own.errors)")
    for script in [
      #""$0" env app-dev --for-pid 1 --format sh"#,
      #"sleep 60 & "$0" env app-dev --for-pid $! --format sh; status=$?; kill $!; exit $status"#,
      #"setsid -w "$0" env app-dev --for-pid $$ --format sh"#,
      #""$0" env app-dev --for-pid 999999999 --format sh"#,
    ] {
      let refused = try await attempt(script)
      #expect(
        refused.end == .exit(77) && refused.output.isEmpty && refused.errors.contains("does not run in process"),
        "\(script) \(refused.errors)")
    }
    let usage = try await attempt(#""$0" env app-dev --for-pid x"#)
    #expect(usage.end == .exit(64))
    #expect(try await ended(vault, 1).count == 1)
    // The row is the shell's, with what is above it.
    let given = try #require(try await vault.rows("audit", "--action", "Deliver").first?["requester"] as? [String: Any])
    let parents = given["parents"] as? [[String: Any]] ?? []
    #expect((given["executable"] as? String)?.hasSuffix("/bash") == true, "\(given)")
    #expect(
      parents.first?["pid"] as? Int == Int(getpid()) && parents.first?["executable"] as? String == given["parent"] as? String)
  }
}
