import Foundation
import TestSupport
import Testing

/// The recipes of docs/shells.md for other programs, as they stand there.
@Suite(.endToEnd) struct RecipeTests {
  /// The indented block of the page that begins with a line, without its indentation.
  private func block(_ first: String) throws -> String {
    let page = try String(contentsOf: Repository.root.appending(path: "docs/shells.md"), encoding: .utf8)
    let lines = page.components(separatedBy: "\n")
    let start = try #require(lines.firstIndex { $0.hasPrefix("    " + first) })
    return lines[start...].prefix { $0.hasPrefix("    ") }.map { $0.dropFirst(4) + "\n" }.joined()
  }

  private func environment(_ vault: TestVault) throws -> [String: String] {
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    return vault.environment.merging(["PATH": "\(programs):/usr/local/bin:/usr/bin:/bin"]) { $1 }
  }

  @Test("direnv loads a profile's credentials with `use vault`")
  func direnv() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for folder in [".config", ".config/direnv", "project"] { mkdir(vault.home + "/" + folder, 0o700) }
    vault.folder.write(try block("use_vault()"), to: "home/.config/direnv/direnvrc")
    vault.folder.write(try block("use vault"), to: "home/project/.envrc")
    let project = vault.home + "/project"
    func run(_ words: String...) async throws -> Subprocess.Result {
      try await Subprocess.run(try Programs.onPath("direnv"), words, environment: try environment(vault), directory: project)
    }
    #expect(try await run("exec", project, "true").succeeded == false)
    #expect(try await run("allow", project).succeeded)
    let loaded = try await run("exec", project, "printenv", "AWS_VAULT", "AWS_SESSION_TOKEN")
    #expect(loaded.output.hasPrefix("app-dev\n") && loaded.output.count > 60, "\(loaded.errors)")
    let shell = try await Subprocess.run(
      "/bin/bash",
      [
        "-c",
        #"eval "$(direnv export bash)"; echo "$VAULT_PROFILE"; cd /; eval "$(direnv export bash)"; echo "${VAULT_PROFILE-none}""#,
      ],
      environment: try environment(vault), directory: project)
    #expect(shell.output == "app-dev\nnone\n", "\(shell.errors)")
  }

  @Test("the script that mise sources leaves the variables in a bash script's environment")
  func mise() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    vault.folder.write(try block("eval \"$(vault env --min-remaining"), to: "home/aws.sh")
    let sourced = try await Subprocess.run(
      "/bin/bash", ["-c", ". ./aws.sh; env"], environment: try environment(vault), directory: vault.home)
    #expect(sourced.succeeded && sourced.output.contains("AWS_VAULT=app-dev\n") && sourced.output.contains("AWS_SESSION_TOKEN="))
  }
}
