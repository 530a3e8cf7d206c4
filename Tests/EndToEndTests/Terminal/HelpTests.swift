import Foundation
import TestSupport
import Testing

/// `vault` alone, `vault help`, and what the client says under another name.
@Suite(.endToEnd) struct HelpTests {
  /// Runs the program with each of the lists of words at a terminal of so many columns; prints what was shown, as JSON.
  private static let terminal = """
    import fcntl, json, os, pty, struct, sys, termios
    lists = json.load(sys.stdin)
    texts = []
    for words in lists:
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
            os.execv(sys.argv[2], sys.argv[2:] + words)
        shown = b""
        while True:
            try: piece = os.read(terminal, 65536)
            except OSError: break
            if not piece: break
            shown += piece
        os.waitpid(pid, 0)
        texts.append(shown.decode().replace("\\r\\n", "\\n"))
    json.dump(texts, sys.stdout)
    """

  private func show(
    _ lists: [[String]], columns: Int, environment: [String: String] = ["HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
  ) async throws -> [[String]] {
    let run = try await Subprocess.run(
      try Programs.python, ["-c", Self.terminal, String(columns), try Programs.vault],
      environment: environment, input: Array(try JSONEncoder().encode(lists)), timeout: 300)
    try #require(run.succeeded, "\(run.errors)")
    return try JSONDecoder().decode([String].self, from: Data(run.outputBytes)).map { $0.components(separatedBy: "\n") }
  }

  private func output(_ words: String...) async throws -> String { try await output(of: words) }

  /// The names of all commands, as the overview lists them.
  private func commands() async throws -> [[String]] {
    let names = try await output("help").split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }.map {
      line in
      let name = line.dropFirst(2)
      return name[..<(name.firstRange(of: "  ")?.lowerBound ?? name.endIndex)].split(separator: " ").map { String($0) }
    }
    try #require(names.count > 50 && names.contains(["exec"]) && names.contains(["access-key", "add"]))
    return names
  }

  @Test("vault alone says where to begin, in at most 20 lines, and so it does in a narrow terminal", arguments: [60, 80, 200])
  func alone(columns: Int) async throws {
    // In a home without a vault it asks instead.
    let vault = TestVault()
    vault.config(TestVault.standardConfig)
    try await vault.mustRun("import")
    let lines = try await show([[]], columns: columns, environment: vault.environment)[0].dropLast()
    #expect(lines.count <= 20 && lines.allSatisfy { $0.unicodeScalars.count <= columns }, "\(lines.joined(separator: "\n"))")
    for name in ["exec", "access-key", "login", "audit", "iam"] { #expect(lines.contains { $0.contains(name) }) }
    let piped = try await Subprocess.run(try Programs.vault, [], environment: [:])
    #expect(piped.end == .exit(64) && piped.output.isEmpty && piped.errors.split(separator: "\n").count <= 20)
  }

  @Test("no help is wider than the terminal", arguments: [60, 80])
  func width(columns: Int) async throws {
    let names = try await commands()
    let groups = Set(names.filter { $0.count == 2 }.map { [$0[0]] })
    let lists = [["help"], ["--help"]] + (names + groups).flatMap { [["help"] + $0, $0 + ["--help"]] }
    for (words, lines) in zip(lists, try await show(lists, columns: columns)) {
      #expect(lines.count > 5, "\(words)")
      for line in lines { #expect(line.unicodeScalars.count <= columns, "\(words): \(line)") }
    }
  }

  @Test("help X is X --help, for commands of one and of two words and for groups; what is none is refused")
  func forms() async throws {
    for words in [["exec"], ["audit", "export"], ["access-key"], ["help"], ["completion"]] {
      let help = try await Subprocess.run(try Programs.vault, ["help"] + words, environment: [:])
      let own = try await output(of: words + ["--help"])
      #expect(help.succeeded && help.output == own, "\(words)")
    }
    #expect(try await output("help", "access-key").contains("access-key rotate"))
    #expect(try await output("help", "audit").contains("audit reconcile"))
    let (long, word) = (try await output("--help"), try await output("help"))
    #expect(long == word)
    let (version, option) = (try await output("version"), try await output("--version"))
    #expect(version == option && version.hasPrefix("vault "))
    for words in [["help", "exce"], ["help", "exec", "x"], ["help", "access-key", "x"], ["version", "x"]] {
      let refused = try await Subprocess.run(try Programs.vault, words, environment: [:])
      #expect(
        refused.end == .exit(64) && refused.output.isEmpty && refused.errors.contains("hint: "), "\(words): \(refused.errors)")
    }
    // It counts among the options of exec, not among the words of its command or as an option's value.
    #expect(try await output("exec", "-d", "1h", "x", "--help").hasPrefix("usage: vault exec"))
    let value = try await Subprocess.run(
      try Programs.vault, ["add", "x", "--set", "--help"], environment: ["HOME": "/nonexistent"])
    #expect(!value.succeeded && value.output.isEmpty)
  }

  private func output(of words: [String]) async throws -> String {
    try await Subprocess.run(try Programs.vault, words, environment: [:]).output
  }

  @Test("each command has at least two examples, and each is a command line that it accepts")
  func examples() async throws {
    let folder = TemporaryDirectory()
    mkdir(folder.file("bin"), 0o700)
    mkdir(folder.file("work"), 0o700)
    // Notes its words instead of acting on them.
    folder.write("#!/bin/bash\nprintf '%s\\x1f' \"$@\" >>\"$NOTED\"\nprintf '\\x1e' >>\"$NOTED\"\n", to: "bin/vault")
    for other in ["aws", "systemctl", "tail"] { folder.write("#!/bin/bash\n", to: "bin/\(other)") }
    for name in ["vault", "aws", "systemctl", "tail"] { chmod(folder.file("bin/\(name)"), 0o755) }
    for name in try await commands() {
      let help = try await output(of: ["help"] + name).components(separatedBy: "\nIts subcommands:")[0]
      let shown = try #require(help.firstRange(of: "\nExamples:\n")).upperBound
      let blocks = help[shown...].components(separatedBy: "\n\n").map { block in
        block.split(separator: "\n").filter { !$0.hasPrefix("  #") }.map { $0.dropFirst(2) }.joined(separator: "\n")
      }.filter { !$0.isEmpty }
      #expect(blocks.count >= 2 && Set(blocks).count == blocks.count, "\(name)")
      for block in blocks {
        let noted = folder.file("noted")
        unlink(noted)
        _ = try await Subprocess.run(
          "/bin/bash", ["-c", block], environment: ["PATH": folder.file("bin"), "NOTED": noted, "HOME": folder.path],
          directory: folder.file("work"))
        let calls = try String(contentsOfFile: noted, encoding: .utf8).split(separator: "\u{1E}").map {
          $0.split(separator: "\u{1F}", omittingEmptySubsequences: false).dropLast().map { String($0) }
        }
        #expect(calls.contains { $0.starts(with: name) }, "\(block)")
        for call in calls {
          // Whatever precedes --help is read as it is when the command runs.
          let ours = call.prefix { $0 != "--" } + ["--help"] + call.drop { $0 != "--" }
          let read = try await Subprocess.run(try Programs.vault, Array(ours), environment: [:])
          #expect(read.succeeded && read.output.hasPrefix("usage: vault \(call[0])"), "\(call): \(read.errors)")
        }
      }
    }
  }

  @Test("words of HashiCorp Vault are answered in one line that says which program this is and where the other may be")
  func otherVault() async throws {
    let folder = TemporaryDirectory()
    folder.write("#!/bin/sh\n", to: "vault")
    chmod(folder.file("vault"), 0o755)
    for words in [
      ["kv", "get", "secret/x"], ["read", "secret/x"], ["write", "secret/x", "a=b"], ["secrets", "list"], ["operator", "unseal"],
      ["login", "-method=oidc"], ["login", "-method", "userpass"],
    ] {
      let alone = try await Subprocess.run(try Programs.vault, words, environment: ["HOME": folder.path, "PATH": "/none"])
      #expect(
        alone.end == .exit(64) && alone.output.isEmpty && alone.errors.split(separator: "\n").count == 1,
        "\(words): \(alone.errors)")
      #expect(alone.errors.contains("the credential vault for AWS, not HashiCorp Vault") && alone.errors.contains("full path"))
      let both = try await Subprocess.run(
        try Programs.vault, words,
        environment: [
          "HOME": folder.path,
          "PATH": "\(URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path):\(folder.path)",
        ])
      #expect(both.end == .exit(64) && both.errors.hasSuffix("that one may be \(folder.file("vault"))\n"), "\(both.errors)")
    }
  }

  @Test("under another name, every help, hint and message has that name, and no other word changes")
  func renamed() async throws {
    let vault = TestVault()
    mkdir(vault.folder.file("bin"), 0o700)
    for (name, program) in [("awsv", try Programs.vault), ("vaultd", try Programs.vaultd)] {
      try FileManager.default.copyItem(atPath: program, toPath: vault.folder.file("bin/\(name)"))
    }
    let awsv = vault.folder.file("bin/awsv")
    func run(_ words: String...) async throws -> Subprocess.Result {
      try await Subprocess.run(awsv, words, environment: vault.environment, timeout: 120)
    }
    // Of the client, of its modules, and of the agent.
    for (words, message) in [
      (["list"], "awsv: no profiles yet; `awsv import` imports those of ~/.aws/config\n"),
      (["exec"], "awsv: missing argument: PROFILE\nhint: awsv exec PROFILE -- COMMAND\n"),
      (["audit", "archive"], "awsv: missing option: --before\nhint: awsv audit archive --before 90d\n"),
      (["lsit"], "awsv: unknown command: \"lsit\"\nhint: did you mean list?\n"),
      (["show"], "awsv: missing argument: profile\nhint: `awsv help show`\n"),
      (
        ["exec", "app-dve", "--", "true"],
        "awsv: no profile \"app-dve\"\nhint: `awsv import` imports the profiles of ~/.aws/config\n"
      ),
      (["login", "corp"], "awsv: no sso-session or profile \"corp\"\nhint: `awsv list` shows the profiles\n"),
      (["add", "x", "--set", "aws_secret_access_key=1"], "hint: `awsv access-key add NAME` asks for it\n"),
      (["status"], "awsv: no vault credentials in this environment; `awsv exec PROFILE` starts a shell with some\n"),
      (["iam", "why"], "hint: `awsv iam why -` explains an error that you paste\n"),
    ] {
      let result = try await Subprocess.run(awsv, words, environment: vault.environment, timeout: 120)
      #expect(result.errors.hasSuffix(message), "\(words): \(result.errors)")
    }
    let empty = try await PseudoTerminal.run([awsv, "show"], [], columns: 200, environment: vault.environment)
    #expect(empty.status == 66 && empty.shown.contains("hint: `awsv import` or `awsv login URL` makes some"), "\(empty.shown)")
    vault.config("[profile files]\nregion = eu-west-1\n")
    vault.credentials(
      "[files]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = \(String(repeating: "s", count: 40))\n")
    let imported = try await run("import")
    #expect(imported.errors.contains("awsv: next: awsv exec files"), "\(imported.errors)")
    let stopped = try await run("agent", "stop")
    #expect(stopped.errors == "awsv: the agent has stopped\n")
    let names = try await commands()
    for words in [[], ["help"]] + names.map({ ["help"] + $0 }) {
      let other = try await Subprocess.run(awsv, words, environment: [:])
      #expect((other.output + other.errors).contains("usage: awsv"), "\(words)")
      #expect(!(other.output + other.errors).contains("`vault "), "\(words)")
      for line in (other.output + other.errors).split(separator: "\n") where line.contains(#/^ *(usage: )?vault /#) {
        Issue.record("\(words): \(line)")
      }
    }
    let page = try await run("--man", "access-key")
    #expect(page.output.contains("awsv\\-access\\-key") && !page.output.contains("vault access"))
    #expect(try await run("--man", "--list").output.split(separator: "\n").allSatisfy { $0.hasPrefix("awsv") })
  }

  @Test("a name that is no plain word is not repeated", arguments: ["a b", "$(id)", "-x", "é", ".x", "a`b"])
  func strangeName(name: String) async throws {
    let folder = TemporaryDirectory()
    symlink(try Programs.vault, folder.file(name))
    let shown = try await Subprocess.run("/bin/sh", ["-c", "exec \"$0\"", folder.file(name)], environment: [:])
    #expect(shown.errors.hasPrefix("usage: vault COMMAND"), "\(shown.errors)")
  }
}
