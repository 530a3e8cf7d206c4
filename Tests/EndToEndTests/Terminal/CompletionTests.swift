import Foundation
import TestSupport
import Testing

/// What `vault completion` gives the shells, asked of the shells themselves.
@Suite(.endToEnd, .sharesFixtures) struct CompletionTests {
  /// Command lines to be completed, with what must be among what the shell offers; `|` stands where bash parts a word.
  static let lines: [(typed: String, offered: String)] = [
    ("vault ex", "exec"), ("vault exec app-c", "app-chained"), ("vault env app-c", "app-chained"),
    ("vault credentials app-c", "app-chained"), ("vault console app-c", "app-chained"), ("vault login app-c", "app-chained"),
    ("vault link app-dev app-c", "app-chained"), ("vault unlink app-c", "app-chained"), ("vault show app-c", "app-chained"),
    ("vault exec --duration 1h app-c", "app-chained"), ("vault exec -- app-c", "app-chained"),
    ("vault add new --source app-c", "app-chained"), ("vault add new --source|=|app-c", "app-chained"),
    ("vault exec app-dev printen", "printenv"), ("vault exec app-dev -- printen", "printenv"),
    ("vault exec --dur", "--duration"), ("vault audit ver", "verify"), ("vault audit export --who", "--whole"),
    ("vault iam tru", "trust"), ("vault iam trust app-c", "app-chained"),
    ("vault iam generate --member app-x app-c", "app-chained"),
    ("vault exec team|:|dev-of-", "dev-of-all"), ("vault exec team|:|dev-of|:|al", "all-in"),
  ]

  private static func vault() async throws -> TestVault {
    try await SimulatedVault.shared {
      let simulator = try await STSSimulatorProcess()
      let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
      var config = TestVault.standardConfig
      for name in ["team:dev-of-all", "team:dev-of:all-in", "x$(id>pwned)"] {
        config += "\n[profile \(name)]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n"
      }
      vault.config(config)
      vault.credentials(TestVault.standardCredentials)
      try await vault.mustRun("import")
      return SimulatedVault(simulator: simulator, vault: vault)
    }.vault
  }

  private func ask(_ shell: String, _ script: String, _ words: [String]) async throws -> [String] {
    let vault = try await Self.vault()
    let path = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path + ":/usr/bin:/bin"
    let run = try await Subprocess.run(
      try Programs.onPath(shell), ["-c", script, shell] + words, environment: vault.environment.merging(["PATH": path]) { $1 },
      directory: vault.folder.path, timeout: 120)
    #expect(access(vault.folder.file("pwned"), F_OK) != 0, "a profile's name was run")
    let answers = run.output.split(separator: "\u{1E}", omittingEmptySubsequences: false).map(String.init)
    #expect(answers.count == words.count + 1, "\(run.output) \(run.errors)")
    return answers
  }

  @Test("bash completes profiles wherever one can stand, also such with colons, and runs none of their names")
  func bash() async throws {
    let script = #"""
      source <(vault completion bash)
      for line; do
        read -ra COMP_WORDS <<<"${line//|/ }"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
        _vault vault
        printf '%s\n' "${COMPREPLY[@]}"
        printf '\x1e'
      done
      """#
    let lines = Self.lines + [("vault show x", "x")]
    for (line, answer) in zip(lines, try await ask("bash", script, lines.map(\.typed))) {
      #expect(answer.split(separator: "\n").contains { $0.hasPrefix(line.offered) }, "\(line): \(answer)")
    }
  }

  @Test("fish completes the same")
  func fish() async throws {
    let script = #"""
      vault completion fish | source
      for line in $argv[2..]
        complete -C (string replace -a '|' '' -- $line)
        printf '\x1e'
      end
      """#
    for (line, answer) in zip(Self.lines, try await ask("fish", script, Self.lines.map(\.typed))) {
      #expect(answer.contains(line.offered), "\(line): \(answer)")
    }
  }

  @Test("zsh completes the same, also where nobody has loaded its completion before")
  func zsh() async throws {
    let script = #"""
      zmodload zsh/zpty
      zpty z zsh -f -i
      zpty -w z "PS1='>'; ZLE_REMOVE_SUFFIX_CHARS=; setopt no_always_last_prompt; stty columns 300"
      zpty -w z 'source <(vault completion zsh)'
      zpty -w z "bindkey '^I' complete-word; zstyle ':completion:*' list-prompt ''; echo be''gins"
      zpty -r -m z x '*begins*'
      for line; do
        zpty -n -w z "${line//|/}"$'\t'
        zpty -n -w z $' \x01#\n'
        zpty -w z "echo en''ds"
        zpty -r -m z x '*ends*'
        print -rn -- "$x"$'\x1e'
      done
      """#
    let lines = Self.lines
    for (line, answer) in zip(lines, try await ask("zsh", script, lines.map(\.typed))) {
      #expect(answer.contains(line.offered), "\(line): \(answer)")
    }
  }
}
