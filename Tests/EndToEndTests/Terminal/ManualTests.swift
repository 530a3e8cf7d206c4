import Foundation
import TestSupport
import Testing

/// vault(1), the completions, and what `make install` puts where.
@Suite(.endToEnd) struct ManualTests {
  @Test("the manual pages have every command with its options and examples, and groff finds nothing wrong with them")
  func pages() async throws {
    func output(_ words: [String]) async throws -> String {
      try await Subprocess.run(try Programs.vault, words, environment: [:]).output
    }
    let names = try await output(["--man", "--list"]).split(separator: "\n").map { String($0) }
    #expect(names.starts(with: ["vault", "vault-exec", "vault-access-key", "vault-agent", "vault-audit", "vault-iam"]))
    var pages: [String: String] = [:]
    for name in names {
      let page = try await output(["--man", name])
      let checked = try await Subprocess.run(
        "/usr/bin/groff", ["-man", "-ww", "-z", "-Tutf8", "-Kutf8"], environment: ["PATH": "/usr/bin:/bin"], input: page)
      #expect(checked.succeeded && checked.errors.isEmpty, "\(name): \(checked.errors)")
      #expect(page.contains(".SH NAME\n") && page.contains(".SH EXAMPLES\n"), "\(name)")
      pages[name] = page.replacing("\\-", with: "-").replacing("\\(dq", with: "\"").replacing("\\(ti", with: "~")
    }
    for (short, name) in [([], "vault"), (["audit"], "vault-audit")] {
      let (one, other) = (try await output(["--man"] + short), try await output(["--man", name]))
      #expect(one == other)
    }
    let unknown = try await Subprocess.run(try Programs.vault, ["--man", "x"], environment: [:])
    #expect(unknown.end == .exit(64))
    let commands = try await output(["help"]).split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
      .map { line in line.dropFirst(2).split(separator: " ").prefix { $0.allSatisfy { $0.isLowercase || $0 == "-" } } }
    #expect(commands.count > 50)
    for words in commands {
      // The first one or two words are its name; what follows may be the summary's.
      let group = pages["vault-\(words[0])"] != nil && words[0] != "exec"
      let isPair = words.count > 1 && group && pages["vault-\(words[0])"]!.contains(".SS \"vault \(words[0]) \(words[1])")
      let name = words.prefix(isPair ? 2 : 1)
      let page = try #require(pages["vault-\(words[0])"] ?? pages["vault"])
      #expect(page.contains(".SS \"vault \(name.joined(separator: " "))"), "\(words)")
      let help = try await output(name.map(String.init) + ["--help"])
      for match in help.matches(of: /^ {2}.{4}--([a-z-]+)/.anchorsMatchLineEndings()) {
        #expect(page.contains("--\(match.1)"), "\(name): \(match.1)")
      }
    }
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
