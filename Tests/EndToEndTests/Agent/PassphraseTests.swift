import Foundation
import TestSupport
import Testing

/// The passphrase on its way from the person to the agent, and to nobody else.
@Suite(.endToEnd) struct PassphraseTests {
  /// A vault whose agent has ended, so that the passphrase is asked for next; no file holds it.
  private func closedVault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    return vault
  }
  private let noFile = ["VAULT_PASSPHRASE_FILE": ""]

  /// Runs a shell that has the passphrase behind descriptor 3.
  private func shell(_ vault: TestVault, _ script: String) async throws -> Subprocess.Result {
    let words = ["-c", script + " 3<\(vault.folder.file("passphrase"))", "sh", try Programs.vault]
    return try await Subprocess.run(
      "/bin/sh", words,
      environment: vault.environment.merging(noFile) { $1 }.merging(["VAULT_PASSPHRASE_FD": "3"]) { $1 }, timeout: 60)
  }

  @Test("the command never has the descriptor, whether the passphrase was asked for or not")
  func notInherited() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    for _ in 0..<2 {
      let result = try await shell(vault, "\"$1\" exec alice -- sh -c '! (cat <&3) 2>/dev/null'")
      #expect(result.succeeded && result.output == "", "\(result.errors)")
    }
  }

  @Test(
    "a descriptor that is not open is told so, whatever file would have had its number", arguments: ["3", "4", "5", "x", "-1"])
  func notOpen(number: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    let result = try await vault.run(
      "exec", "alice", "--", "true", environment: noFile.merging(["VAULT_PASSPHRASE_FD": number]) { $1 }, timeout: 60)
    #expect(result.end == .exit(64))
    #expect(result.errors.contains("VAULT_PASSPHRASE_FD is \"\(number)\", not the number of an open descriptor"))
  }

  @Test("a passphrase file that is not there is told so, with the status of a file that is missing")
  func noSuchFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    let result = try await vault.run("exec", "alice", "--", "true", environment: ["VAULT_PASSPHRASE_FILE": "/nonexistent/words"])
    #expect(result.end == .exit(66) && result.errors.contains("no file /nonexistent/words"), "\(result.end) \(result.errors)")
  }

  @Test(
    "what `docs/headless.md` shows for a job without a person works in bash, and the command has neither descriptor nor passphrase"
  )
  func recipe() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    let page = try Repository.text("docs/headless.md")
    let line = try #require(page.split(separator: "\n").first { $0.contains("VAULT_PASSPHRASE_FD=3 vault exec") })
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    let look = """
      for name in /proc/self/fd/*; do
        case $(readlink $name) in pipe:*|*/passphrase*|/tmp/*) [ ${name##*/} -le 2 ] || echo "$name is open" ;; esac
      done
      cat <&3 2>/dev/null; printenv AWS_ACCESS_KEY_ID
      """
    vault.folder.write("#!/bin/bash\n" + look, to: "deploy", mode: 0o700)
    let result = try await Subprocess.run(
      "/bin/bash", ["-c", String(line)],
      environment: vault.environment.merging(noFile) { $1 }
        .merging(["PASSPHRASE": "correct horse battery staple", "PATH": programs + ":/usr/bin:/bin"]) { $1 },
      directory: vault.folder.path, timeout: 60)
    #expect(result.succeeded && result.output.hasPrefix("ASIA"), "\(result.output) \(result.errors)")
  }

  @Test("a passphrase file is found from the folder in which it was named, by the agent that is started, too")
  func relativeFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    for words in [["exec", "alice", "--", "true"], ["lock"], ["unlock"]] {
      let result = try await Subprocess.run(
        try Programs.vault, words, environment: vault.environment.merging(["VAULT_PASSPHRASE_FILE": "passphrase"]) { $1 },
        directory: vault.folder.path, timeout: 60)
      #expect(result.succeeded, "\(words) \(result.errors)")
    }
    // The agent knows the file by its whole name from then on.
    try await vault.mustRun("lock", environment: noFile)
    let other = try await Subprocess.run(
      try Programs.vault, ["unlock"], environment: vault.environment.filter { $0.key != "VAULT_PASSPHRASE_FILE" }, directory: "/",
      timeout: 60)
    #expect(other.succeeded, "\(other.errors)")
  }

  @Test("an agent that was started with a file that is not there takes a good descriptor afterwards")
  func badFileFirst() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    #expect(
      try await vault.run("exec", "alice", "--", "true", environment: ["VAULT_PASSPHRASE_FILE": "/nonexistent/words"]).end
        == .exit(66))
    #expect(vault.agentPID != nil)
    let script = "exec env -u VAULT_PASSPHRASE_FILE \"$1\" exec alice -- true"
    let result = try await shell(vault, script)
    #expect(result.succeeded, "\(result.errors)")
  }

  @Test("an agent that was started with a bad file says which one to a terminal that has none, and takes what is typed there")
  func badFileThenTerminal() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    let bad = ["VAULT_PASSPHRASE_FILE": "/nonexistent/words"]
    #expect(try await vault.run("exec", "alice", "--", "true", environment: bad).end == .exit(66))
    let script = """
      import os, pty, sys
      pid, terminal = pty.fork()
      if pid == 0:
          os.execvp(sys.argv[1], [sys.argv[1], "exec", "alice", "--", "true"])
      shown = b""
      while not shown.endswith(b"Vault passphrase: "):
          shown += os.read(terminal, 4096)
      os.write(terminal, open(sys.argv[2], "rb").read())
      try:
          while True:
              shown += os.read(terminal, 4096)
      except OSError:
          pass
      print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode())
      """
    let result = try await Subprocess.run(
      try Programs.python, ["-c", script, try Programs.vault, vault.folder.file("passphrase")],
      environment: vault.environment.filter { $0.key != "VAULT_PASSPHRASE_FILE" }, timeout: 60)
    #expect(result.output.hasPrefix("0 ") && result.output.contains("/nonexistent/words"), "\(result.output) \(result.errors)")
    // Where nobody is there, it is said all the same.
    try await vault.mustRun("lock")
    let alone = try await Subprocess.run(
      try Programs.onPath("setsid"), ["--wait", try Programs.vault, "unlock"],
      environment: vault.environment.filter { $0.key != "VAULT_PASSPHRASE_FILE" }, timeout: 60)
    #expect(alone.end == .exit(77) && alone.errors.contains("/nonexistent/words"), "\(alone.end) \(alone.errors)")
  }

  @Test("what was locked while the passphrase was typed stays locked")
  func lockedMeanwhile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await closedVault(simulator)
    let script = """
      import os, pty, subprocess, sys
      pid, terminal = pty.fork()
      if pid == 0:
          os.execvp(sys.argv[1], [sys.argv[1], "exec", "alice", "--", "true"])
      shown = b""
      while not shown.endswith(b"Vault passphrase: "):
          shown += os.read(terminal, 4096)
      subprocess.run([sys.argv[1], "lock"], check=True, stdin=subprocess.DEVNULL)
      os.write(terminal, open(sys.argv[2], "rb").read())
      try:
          while True:
              shown += os.read(terminal, 4096)
      except OSError:
          pass
      print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode())
      """
    let result = try await Subprocess.run(
      try Programs.python, ["-c", script, try Programs.vault, vault.folder.file("passphrase")],
      environment: vault.environment.merging(noFile) { $1 })
    #expect(result.output.hasPrefix("77 ") && result.output.contains("the vault is locked"), "\(result.output) \(result.errors)")
    #expect(try await vault.run("agent", "status").output.contains("unlocked: no"))
    #expect(try await vault.run("exec", "alice", "--", "true").end == .exit(77))
    try await vault.mustRun("unlock")
    try await vault.mustRun("exec", "alice", "--", "true")
  }
}
