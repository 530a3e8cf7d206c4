import Foundation
import TestSupport
import Testing

/// Tables on a terminal, longer and shorter than it.
@Suite(.endToEnd, .sharesFixtures) struct PagerTests {
  /// Runs `vault` at a pseudo-terminal of so many rows and types what is given; prints the status, and what was shown to standard error.
  private static let terminal = """
    import fcntl, os, pty, struct, sys, termios
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", int(sys.argv[1]), int(os.environ.pop("COLUMNS_OF_IT")), 0, 0))
        os.execvp(sys.argv[3], sys.argv[3:])
    shown = b""
    typed = False
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if not typed and len(shown) > 200:
            os.write(terminal, sys.argv[2].encode())
            typed = True
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    sys.stderr.write(shown.decode())
    """

  private func show(
    _ vault: TestVault, rows: Int, columns: Int = 200, _ words: [String],
    _ environment: [String: String] = ["VAULT_PAGER": "sed 's/^/PAGED /'"],
    typing: String = ""
  ) async throws -> (status: Int?, lines: [String]) {
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.terminal, String(rows), typing, try Programs.vault] + words,
      environment: vault.environment.merging(environment) { $1 }.merging(["COLUMNS_OF_IT": String(columns)]) { $1 })
    let lines = result.errors.split(whereSeparator: \.isNewline).map(String.init)
    return (Int(result.output.trimmingCharacters(in: .whitespacesAndNewlines)), lines)
  }

  @Test("a table that is longer than the terminal goes through the pager, a short one and a pipe do not")
  func length() async throws {
    let log = try await GeneratedLog.shared(rows: 2_000)
    let vault = log.vault
    for words in [["audit", "--limit", "100"], ["audit", "stats"], ["sessions", "--all"], ["list"]] {
      let paged = try await show(vault, rows: 5, words)
      #expect(paged.status == 0 && paged.lines.count > 5 && paged.lines.allSatisfy { $0.hasPrefix("PAGED ") }, "\(words)")
      let long = try await show(vault, rows: 5_000, words)
      #expect(
        long.status == 0 && !long.lines.contains { $0.hasPrefix("PAGED") }
          && long.lines.count == paged.lines.filter { $0 != "PAGED " }.count)
      for off in [
        ["VAULT_PAGER": ""], ["VAULT_PAGER": "cat"], ["PAGER": "cat"], ["VAULT_PAGER": "cat", "PAGER": "sed s/^/PAGED/"],
      ] {
        #expect(try await show(vault, rows: 5, words, off).lines == long.lines, "\(words) \(off)")
      }
      #expect(try await show(vault, rows: 5, words + ["--no-pager"]).lines == long.lines)
      let pipe = try await vault.run(words: words, environment: ["VAULT_PAGER": "sed s/^/PAGED/"])
      #expect(pipe.succeeded && !pipe.output.contains("PAGED"))
    }
    let json = try await show(vault, rows: 5, ["audit", "--limit", "20", "--format", "jsonl"])
    #expect(json.lines.count == 20 && json.lines.allSatisfy { $0.hasPrefix("{") })
    #expect(
      try await show(vault, rows: 5, ["audit", "--limit", "100"], ["PAGER": "sed 's/^/PAGED /'"]).lines.first?.hasPrefix("PAGED")
        == true)
  }

  @Test("rows are counted as the screen has them, where a line takes several")
  func wrapped() async throws {
    let log = try await GeneratedLog.shared(rows: 2_000)
    // 24 lines with titles; in full, each is wider than 40 columns, none than 300.
    for (columns, isPaged) in [(40, true), (300, false)] {
      let shown = try await show(log.vault, rows: 40, columns: columns, ["audit", "--limit", "23", "--wide"])
      #expect(shown.status == 0 && shown.lines.count == 24, "\(shown.lines.count)")
      #expect(shown.lines.allSatisfy { $0.hasPrefix("PAGED ") == isPaged }, "\(columns)")
    }
  }

  @Test("a pager that ends early, is not there, or is less, leaves the status and the rows as they are")
  func endings() async throws {
    let log = try await GeneratedLog.shared(rows: 2_000)
    let vault = log.vault
    let early = try await show(vault, rows: 5, ["audit"], ["VAULT_PAGER": "head -n 3"])
    #expect(early.status == 0 && early.lines.count == 3)
    let missing = try await show(vault, rows: 5, ["audit", "--limit", "50"], ["VAULT_PAGER": "/no/such/pager"])
    #expect(missing.status == 0 && missing.lines.count > 50)
    let less = try await show(vault, rows: 8, ["audit"], ["TERM": "xterm"], typing: "q")
    #expect(less.status == 0 && less.lines.count < 40 && less.lines.contains { $0.contains("ACTION") })
    let given = try await show(vault, rows: 5, ["audit"], ["VAULT_PAGER": "echo LESS=$LESS; cat >/dev/null", "LESS": "S"])
    #expect(given.lines == ["LESS=S"])
    let standard = try await show(vault, rows: 5, ["audit"], ["VAULT_PAGER": "echo LESS=$LESS; cat >/dev/null"])
    #expect(standard.lines == ["LESS=FRSX"])
  }

  /// Runs `vault audit --follow` at a pseudo-terminal, and three times a command whose rows it then must show; prints what was shown.
  private static let follower = """
    import os, pty, signal, subprocess, sys
    vault = sys.argv[1]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(vault, [vault, "audit", "--follow", "--action", "Deliver"])
    shown = b""
    for number in range(4):
        while shown.count(b"reason-") < number or b"TIME" not in shown:
            shown += os.read(terminal, 65536)
        if number < 3:
            subprocess.run([vault, "exec", "app-dev", "--reason", f"reason-{number}", "--", "true"], check=True)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    sys.stderr.write(shown.decode())
    """

  @Test("a log that is followed has its titles once, however often nothing came")
  func following() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.follower, try Programs.vault], environment: vault.environment, timeout: 60)
    #expect(result.succeeded)
    let lines = result.errors.split(whereSeparator: \.isNewline)
    #expect(lines.filter { $0.contains("TIME") }.count == 1 && lines.count == 4, "\(result.errors)")
  }
}
