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
    #expect(
      names.starts(with: ["vault", "vault-exec", "vault-access-key", "vault-agent", "vault-audit", "vault-guard", "vault-iam"]))
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
    "make install puts all of it where DESTDIR, PREFIX and NAME say, open to all and changed by its owner alone whatever the umask; the agent beside the command answers; and make uninstall takes all of it away",
    arguments: [("000", "vault"), ("022", "awsv"), ("077", "vault")])
  func install(umask: String, name: String) async throws {
    let root = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = TemporaryDirectory()
    let words = ["-C", root.path, "DESTDIR=\(folder.path)", "PREFIX=/opt/v", "NAME=\(name)"]
    let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder.path]
    let made = try await Subprocess.run(
      "/bin/sh", ["-c", "umask \(umask) && exec make \"$@\" install", "sh"] + words, environment: environment)
    #expect(made.succeeded, "\(made.errors)")
    let wanted = [
      "bin/\(name)", "bin/\(name)d", "bin/\(name)-team", "lib/systemd/user/\(name).service", "lib/systemd/user/\(name).socket",
      "lib/systemd/user/\(name)-ship.service", "lib/systemd/user/\(name)-ship.timer", "share/man/man1/\(name).1",
      "share/man/man1/\(name)-exec.1", "share/man/man1/\(name)-audit.1", "share/man/man1/\(name)d.1",
      "share/man/man1/\(name)-team.1", "share/bash-completion/completions/\(name)", "share/zsh/site-functions/_\(name)",
      "share/fish/vendor_completions.d/\(name).fish", "share/doc/\(name)/SECURITY.md",
    ]
    for file in wanted {
      let size = try FileManager.default.attributesOfItem(atPath: folder.file("opt/v/\(file)"))[.size] as? Int
      #expect((size ?? 0) > 100, "\(file)")
      let mode = try FileManager.default.attributesOfItem(atPath: folder.file("opt/v/\(file)"))[.posixPermissions] as? Int
      #expect(mode == (file.hasPrefix("bin/") ? 0o755 : 0o644), "\(file) \(String(mode ?? 0, radix: 8))")
    }
    let text = { (file: String) in try String(contentsOfFile: folder.file("opt/v/\(file)"), encoding: .utf8) }
    #expect(try text("lib/systemd/user/\(name).service").contains("ExecStart=/opt/v/bin/\(name)d\n"))
    #expect(try text("lib/systemd/user/\(name)-ship.service").contains("ExecStart=/opt/v/bin/\(name) audit ship\n"))
    for file in wanted where !file.hasPrefix("bin/") { #expect(!(try text(file)).contains(/@[A-Z_]+@/), "\(file)") }
    let home = TemporaryDirectory()
    let own = environment.merging(["VAULT_HOME": home.file("vault"), "VAULT_KEYSTORE": "ephemeral"]) { $1 }
    let started = try await Subprocess.run(folder.file("opt/v/bin/\(name)"), ["agent", "start"], environment: own)
    #expect(started.succeeded, "\(started.errors)")
    let log = try await Subprocess.run(folder.file("opt/v/bin/\(name)"), ["agent", "stop"], environment: own)
    #expect(log.succeeded, "\(log.errors)")
    let gone = try await Subprocess.run("/usr/bin/make", words + ["uninstall"], environment: environment)
    #expect(gone.succeeded, "\(gone.errors)")
    let left = FileManager.default.enumerator(atPath: folder.file("opt/v"))?.compactMap { $0 as? String }.filter {
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: folder.file("opt/v/\($0)"), isDirectory: &isFolder) && !isFolder.boolValue
    }
    #expect(left == [])
  }

  @Test(
    "a name that is no plain word, or a folder that a unit could not name, is refused before anything is written",
    arguments: ["NAME=a/b", "NAME=-x", "NAME=a b", "PREFIX=opt", "PREFIX=/a|b"])
  func wrongNames(word: String) async throws {
    let root = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = TemporaryDirectory()
    let made = try await Subprocess.run(
      "/usr/bin/make", ["-C", root.path, "DESTDIR=\(folder.path)", word, "install"],
      environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder.path])
    #expect(!made.succeeded && made.errors.contains(word.prefix { $0 != "=" }))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
  }
}
