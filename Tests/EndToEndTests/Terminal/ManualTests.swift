import Foundation
import TestSupport
import Testing

/// vault(1), the completions, and what `make install` puts where.
@Suite(.endToEnd) struct ManualTests {
  @Test("the manual page has every command and option of --help, and groff finds nothing wrong with it")
  func page() async throws {
    let page = try await Subprocess.run(try Programs.vault, ["--man"], environment: [:])
    let plain = page.output.replacing("\\-", with: "-").replacing("\\(dq", with: "\"")
    let overview = try await Subprocess.run(try Programs.vault, ["--help"], environment: [:]).output
    let commands = overview.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .map { $0.split(separator: " ").prefix { $0.allSatisfy { $0.isLowercase || $0 == "-" } } }
    #expect(commands.count > 40)
    for words in commands {
      // The first one or two words are its name; what follows may be the summary's.
      let name = words.count > 1 && plain.contains(".SS \"vault \(words[0]) \(words[1])") ? words.prefix(2) : words.prefix(1)
      #expect(plain.contains(".SS \"vault \(name.joined(separator: " "))"), "\(words)")
      let help = try await Subprocess.run(try Programs.vault, name.map(String.init) + ["--help"], environment: [:]).output
      for match in help.matches(of: /^ {2}.{4}--([a-z-]+)/.anchorsMatchLineEndings()) {
        #expect(plain.contains("--\(match.1)"), "\(name): \(match.1)")
      }
    }
    let checked = try await Subprocess.run(
      "/usr/bin/groff", ["-man", "-ww", "-z", "-Tutf8", "-Kutf8"], environment: ["PATH": "/usr/bin:/bin"], input: page.outputBytes
    )
    #expect(checked.succeeded && checked.errors.isEmpty, "\(checked.errors)")
  }

  @Test("docs/commands.md and the terminal pictures are what the programs print; `make docs` makes them again")
  func documentation() async throws {
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    let checked = try await Subprocess.run(
      try Programs.python, ["-B", Repository.root.appending(path: "scripts/docs.py").path, "--check"],
      environment: ["VAULT_PROGRAMS": programs, "PATH": "/usr/bin:/bin"], timeout: 120)
    #expect(checked.succeeded, "\(checked.errors)")
  }

  @Test(
    "make install puts programs, manual, completions and units where DESTDIR and PREFIX say, open to all and changed by their owner alone whatever the umask, and make uninstall takes all of it away",
    arguments: ["000", "022", "077"])
  func install(umask: String) async throws {
    let root = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = TemporaryDirectory()
    let words = ["-C", root.path, "DESTDIR=\(folder.path)", "PREFIX=/opt/v"]
    let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder.path]
    let made = try await Subprocess.run(
      "/bin/sh", ["-c", "umask \(umask) && exec make \"$@\" install", "sh"] + words, environment: environment)
    #expect(made.succeeded, "\(made.errors)")
    let wanted = [
      "bin/vault", "bin/vaultd", "bin/vault-team", "lib/systemd/user/vault.service", "lib/systemd/user/vault.socket",
      "lib/systemd/user/vault-ship.service", "lib/systemd/user/vault-ship.timer", "share/man/man1/vault.1",
      "share/bash-completion/completions/vault", "share/zsh/site-functions/_vault", "share/fish/vendor_completions.d/vault.fish",
    ]
    for file in wanted {
      let size = try FileManager.default.attributesOfItem(atPath: folder.file("opt/v/\(file)"))[.size] as? Int
      #expect((size ?? 0) > 100, "\(file)")
      let mode = try FileManager.default.attributesOfItem(atPath: folder.file("opt/v/\(file)"))[.posixPermissions] as? Int
      #expect(mode == (file.hasPrefix("bin/") ? 0o755 : 0o644), "\(file) \(String(mode ?? 0, radix: 8))")
    }
    #expect(
      try String(contentsOfFile: folder.file("opt/v/lib/systemd/user/vault.service"), encoding: .utf8).contains(
        "/opt/v/bin/vaultd"))
    let gone = try await Subprocess.run("/usr/bin/make", words + ["uninstall"], environment: environment)
    #expect(gone.succeeded, "\(gone.errors)")
    for file in wanted { #expect(!FileManager.default.fileExists(atPath: folder.file("opt/v/\(file)")), "\(file)") }
  }
}
