import Foundation
import TestSupport
import Testing

/// Questions that reach the person: at a terminal, at the desktop, or not at all.
@Suite(.endToEnd) struct PromptTests {
  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault { try await TestVault(simulator) }

  /// Runs `vault` at a pseudo-terminal of its own and types each line at the next prompt; prints what was shown, and the status.
  private static let terminal = """
    import os, pty, sys
    lines = sys.argv[1].split(",")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    shown = b""
    asked = 0
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if shown.count(b"MFA code for") > asked and shown.rstrip().endswith(b":"):
            os.write(terminal, (lines[min(asked, len(lines) - 1)]).encode() + (b"" if lines[min(asked, len(lines) - 1)] == chr(3) else b"\\n"))
            asked += 1
    status = os.waitpid(pid, 0)[1]
    print(asked, os.waitstatus_to_exitcode(status))
    sys.stderr.write(shown.decode())
    """

  private func type(_ lines: String, _ vault: TestVault, _ words: String...) async throws -> (
    asked: Int, status: Int, shown: String
  ) {
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.terminal, lines, try Programs.vault] + words, environment: vault.environment)
    let numbers = result.output.split(separator: " ").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    try #require(numbers.count == 2, "\(result.output) \(result.errors)")
    return (numbers[0], numbers[1], result.errors)
  }

  @Test("a code that was mistyped may be typed again; the third wrong one is the last")
  func mistyped() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let third = try await type("111111,222222,\(STSWorld.aliceMFACodes[0])", vault, "exec", "app-mfa", "--", "true")
    #expect(third.asked == 3 && third.status == 0, "\(third.shown)")
    try await vault.mustRun("forget", "--all")
    let wrong = try await type("111111", vault, "exec", "app-mfa", "--", "true")
    #expect(wrong.asked == 3 && wrong.status == 77 && wrong.shown.contains("MFA code was wrong"), "\(wrong.shown)")
    let failures = try await vault.rows("audit", "--action", "GetSessionToken", "--outcome", "refused")
    #expect(failures.count == 5)
  }

  @Test("a code with a digit too few is asked for again, before AWS hears of it")
  func tooShort() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let short = try await type("12345,\(STSWorld.aliceMFACodes[0])", vault, "exec", "app-mfa", "--", "true")
    #expect(short.asked == 2 && short.status == 0 && short.shown.contains("six digits"), "\(short.shown)")
    #expect(try await simulator.requests("GetSessionToken").count == 1)
  }

  @Test("Ctrl-C at a prompt ends the one that waits, and the next asks anew")
  func interrupted() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let interrupted = try await type("\u{3}", vault, "exec", "app-mfa", "--", "true")
    #expect(interrupted.asked == 1 && interrupted.status == -2, "\(interrupted.shown)")
    let next = try await type(STSWorld.aliceMFACodes[1], vault, "exec", "app-mfa", "--", "true")
    #expect(next.status == 0, "\(next.shown)")
  }

  @Test("where there is no terminal but a desktop, pinentry asks; where it is closed, nobody is there")
  func pinentry() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let folder = vault.folder.file("bin")
    mkdir(folder, 0o700)
    let program = vault.folder.write(
      """
      #!/bin/sh
      echo "OK Pleased to meet you"
      while read -r command rest; do
        echo "$command $rest" >> "$SAID"
        case $command in
          GETPIN) if [ -n "$CODE" ]; then echo "D $CODE"; echo OK; else echo "ERR 83886179 Operation cancelled <Pinentry>"; fi ;;
          BYE) echo OK; exit 0 ;;
          *) echo OK ;;
        esac
      done

      """, to: "bin/pinentry")
    chmod(program, 0o700)
    let desktop = ["DISPLAY": ":99", "PATH": "\(folder):/usr/bin:/bin", "SAID": vault.folder.file("said")]
    // In a session of its own there is no terminal to open, wherever the tests run.
    let run = { (code: String) in
      try await Subprocess.run(
        try Programs.onPath("setsid"), ["--wait", try Programs.vault, "exec", "app-mfa", "--", "true"],
        environment: vault.environment.merging(desktop.merging(["CODE": code]) { $1 }) { $1 })
    }
    let closed = try await run("")
    #expect(closed.end == .exit(77) && closed.errors.contains("without a terminal"), "\(closed.errors)")
    // A percent sign's escape stands for a digit as well as the digit itself.
    let given = try await run("%31" + STSWorld.aliceMFACodes[2].dropFirst())
    #expect(given.succeeded, "\(given.errors)")
    let said = try String(contentsOfFile: vault.folder.file("said"), encoding: .utf8)
    #expect(said.contains("SETDESC MFA code for app-mfa (\(STSWorld.aliceMFASerial))"))
  }

  @Test("an editor's credential_process, which takes no code, is told what to run in a terminal")
  func code() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let editor = try await vault.run("credentials", "app-mfa")
    #expect(editor.end == .exit(77) && !editor.errors.contains("--mfa-code"), "\(editor.errors)")
    #expect(editor.errors.contains("vault exec PROFILE -- true") && editor.errors.contains("pinentry"), "\(editor.errors)")
    let person = try await vault.run("exec", "app-mfa", "--", "true")
    #expect(person.end == .exit(77) && person.errors.contains("--mfa-code"), "\(person.errors)")
    try await vault.mustRun("exec", "--mfa-code", STSWorld.aliceMFACodes[0], "app-mfa", "--", "true")
    #expect(try await vault.mustRun("credentials", "app-mfa").contains("ASIA"))
  }

  @Test("a process that says its own name, a vault among them, has it said once")
  func names() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let keys = #"{"Version":1,"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"x","Expiration":"2099-01-01T00:00:00Z"}"#
    var config = TestVault.standardConfig
    mkdir(vault.folder.file("bin"), 0o700)
    for (name, word) in [("vault", "vault"), ("other", "helper")] {
      let program = vault.folder.write("#!/bin/sh\necho '\(word): careful' >&2\necho '\(keys)'\n", to: "bin/" + name, mode: 0o700)
      config += "\n[profile of-\(name)]\ncredential_process = \(program)\n"
    }
    vault.config(config)
    let own = try await vault.run("exec", "of-vault", "--", "true")
    #expect(own.errors == "vault: careful\n", "\(own.errors)")
    let other = try await vault.run("exec", "of-other", "--", "true")
    #expect(other.errors.contains("/other: helper: careful"), "\(other.errors)")
  }
}
