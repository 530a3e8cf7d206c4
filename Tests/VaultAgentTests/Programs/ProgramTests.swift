import Foundation
import TestSupport
import Testing
import VaultModel
import VaultSecrets
import VaultWire

@testable import VaultAgent

@Suite struct CommandWordsTests {
  private static let lines = [
    "program", "program one two", "  program\tone  two ", "'a b' c", #""a b" c"#, #"a\ b c"#, #""a\"b" 'c\d'"#, #""a\\b\c""#,
    "a'b'c\"d\"", "a ''", "x \"\" y", "a\nb", "a #b", "é 'ü'", #"a"b c"d'e f'g"#, "/opt/my\\ tool --profile 'x y'",
  ]

  @Test("a command line is split as Python's shlex splits it, which the SDKs use")
  func likeShlex() async throws {
    let program = "import json, shlex, sys; print(json.dumps([shlex.split(l) for l in json.load(sys.stdin)]))"
    let input = try JSONSerialization.data(withJSONObject: Self.lines)
    let result = try await Subprocess.run(try Programs.python, ["-c", program], environment: [:], input: Array(input))
    let expected = try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [[String]])
    for (line, words) in zip(Self.lines, expected) {
      let split = try ShellWords.split(line)
      #expect(split == words, "\(line)")
    }
  }

  @Test("what is no command line is refused", arguments: ["'open", "\"open", "a \\", "", "   ", "'' x"])
  func malformed(line: String) {
    #expect(throws: ShellWords.Malformed.self) { try ShellWords.split(line) }
  }
}

@Suite struct ProgramRunnerTests {
  private func run(
    _ command: String, limit: Double = 30, by runner: ProgramRunner? = nil, for prompter: any Prompter = NonInteractivePrompter()
  ) async throws -> String {
    try await (runner ?? ProgramRunner(limit: limit)).run(command, setting: "credential_process", for: prompter).withBytes {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// Somebody with an environment.
  private struct PersonWithEnvironment: Prompter {
    let environment: [String]
    func ask(_ question: Question) async throws -> SecretBytes {
      SecretBytes(environment.map { $0 + "\0" }.joined())
    }
    func notice(_ text: String) {}
    func progress(_ text: String) {}
    func show(_ page: Page) {}
  }

  @Test("a program runs in the environment of who asks, without credentials, and unasked in that of who asked for it last")
  func asker() async throws {
    let folder = TemporaryDirectory()
    for (name, word) in [("one", "1"), ("two", "2")] {
      mkdir(folder.file(name), 0o700)
      chmod(folder.write("#!/bin/sh\necho \(word) \"$WHO$AWS_SESSION_TOKEN\"\n", to: "\(name)/helper"), 0o700)
    }
    let runner = ProgramRunner()
    func asker(_ name: String) -> PersonWithEnvironment {
      PersonWithEnvironment(environment: [
        "AWS_SESSION_TOKEN=x", "PATH=relative:\(folder.file(name)):/usr/bin:/bin", "WHO=\(name)",
      ])
    }
    #expect(try await run("helper", by: runner, for: asker("one")) == "1 one\n")
    #expect(try await run("helper", by: runner, for: asker("two")) == "2 two\n")
    #expect(try await run("helper", by: runner) == "2 two\n")
    // Another command was asked for by nobody: it has what the agent has.
    await #expect(throws: ProgramError.cannotStart(program: "helper", setting: "credential_process", code: ENOENT)) {
      try await run("helper --other", by: runner)
    }
  }

  @Test("a program that hangs is ended in its time, and so are its children")
  func hangs() async throws {
    let folder = TemporaryDirectory()
    let mark = folder.file("pid")
    await #expect(throws: ProgramError.deferred(program: "sh", seconds: 0)) {
      try await run("sh -c 'sleep 1000 & echo $! > \(mark); wait'", limit: 0.5)
    }
    let child = try #require(
      pid_t(try String(contentsOfFile: mark, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)))
    // The session's processes were killed at once; init reaps the orphan when it comes to it.
    for _ in 0..<200 where kill(child, 0) == 0 && !isZombie(child) { usleep(10_000) }
    #expect(kill(child, 0) != 0 || isZombie(child))
  }

  private func isZombie(_ pid: pid_t) -> Bool {
    (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.contains(") Z ") ?? true
  }

  @Test("what a program leaves behind in the background is not waited for")
  func background() async throws {
    #expect(try await run("sh -c 'sleep 1000 & echo done'") == "done\n")
  }

  @Test("a program has nothing on its standard input, no terminal, and only its own descriptors")
  func surroundings() async throws {
    #expect(try await run("sh -c 'cat; ls /proc/self/fd | tr \"\\n\" \" \"'") == "0 1 2 3 ")
    #expect(try await run("sh -c 'tty || true'") == "not a tty\n")
  }

  @Test("a program gets no credentials and no profile that the agent happened to be started with")
  func environment() async throws {
    setenv("AWS_SESSION_TOKEN", "another shell's", 1)
    setenv("AWS_PROFILE", "another", 1)
    defer { for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE"] { unsetenv(name) } }
    #expect(try await run("sh -c 'echo \"$AWS_SESSION_TOKEN$AWS_PROFILE\"; test -n \"$PATH\"'") == "\n")
  }

  @Test("a flood is cut off")
  func flood() async throws {
    await #expect(throws: ProgramError.flooded(program: "yes")) { try await run("yes") }
  }

  @Test("how a program ended is told", arguments: [("sh -c 'exit 3'", ProgramError.failed(program: "sh", status: 3))])
  func ends(command: String, error: ProgramError) async throws {
    await #expect(throws: error) { try await run(command) }
    await #expect(throws: ProgramError.killed(program: "sh", signal: 9)) { try await run("sh -c 'kill -9 $$'") }
    await #expect(throws: ProgramError.cannotStart(program: "/nowhere/x", setting: "credential_process", code: ENOENT)) {
      try await run("/nowhere/x")
    }
  }
}

@Suite struct TimedCodeTests {
  /// RFC 6238, appendix B: SHA-1 rows, the last six of eight digits.
  @Test(
    "codes are those of RFC 6238",
    arguments: [
      (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"), (2_000_000_000, "279037"),
      (20_000_000_000, "353130"),
    ])
  func vectors(seconds: Int64, code: String) throws {
    let made = try TOTP.code(secret: SecretBytes("12345678901234567890"), at: Timestamp(seconds: seconds))
    #expect(made.equals(SecretBytes(code)))
  }

  @Test("a secret is read as AWS shows it, in any case and with blanks")
  func base32() throws {
    for text in ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezd gnbv gy3t qojq gezd gnbv gy3t qojq"] {
      #expect(try TOTP.secret(base32: SecretBytes(text)).equals(SecretBytes("12345678901234567890")))
    }
    for text in ["", "GEZD", "GEZDGNBVGY3TQOJ!GEZDGNBVGY3TQOJQ", String(repeating: "A", count: 400)] {
      #expect(throws: TimedCodeError.malformed) { try TOTP.secret(base32: SecretBytes(text)) }
    }
  }
}
