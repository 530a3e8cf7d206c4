import Foundation
import Glibc
import TestSupport
import Testing

/// `vault exec` where people use it: under make, cron and nohup, in a shell with job control, inside itself.
@Suite(.endToEnd) struct DailyLifeTests {
  @Test("make -j runs its recipes at once with one call, and its job server still works under vault")
  func make() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let makefile = vault.folder.write(
      """
      JOBS := $(foreach n,1 2 3 4 5 6 7 8 9 10 11 12,job$(n))
      all: $(JOBS)
      $(JOBS): ; +@'\(try Programs.vault)' exec app-dev -- $(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) inner
      inner: ; @echo "$$AWS_ACCESS_KEY_ID"

      """, to: "Makefile")
    let run = try await Subprocess.run("/usr/bin/make", ["-j6", "-f", makefile], environment: vault.environment, timeout: 120)
    #expect(run.succeeded && !run.errors.contains("jobserver"), "\(run.errors)")
    let keys = run.output.split(separator: "\n")
    #expect(keys.count == 12 && Set(keys).count == 1 && keys[0].hasPrefix("ASIA"), "\(run.output)")
    #expect(try await simulator.requests("AssumeRole").count == 1)
  }

  @Test(
    "what is typed wrong leads to the help of its command",
    arguments: [
      (["exec", "--duration", "1s", "x"], "vault help exec"), (["audit", "--limit", "x"], "vault help audit"),
      (["list", "--nothing"], "hint: "), (["login", "--all"], "vault help login"), (["forget"], "hint: "),
      (["link"], "vault help link"),
    ])
  func usage(words: [String], hint: String) async throws {
    let result = try await TestVault().run(words: words)
    #expect(result.end == .exit(64) && result.errors.contains("hint: ") && result.errors.contains(hint), "\(result.errors)")
  }

  @Test("cron's bare environment is enough, and finds the agent that runs")
  func cron() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault()
    vault.credentials(TestVault.standardCredentials)
    vault.config(
      TestVault.standardConfig.replacing("[profile app-dev]", with: "[profile app-dev]\nendpoint_url = \(simulator.url)"))
    try await vault.mustRun("import")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let agent = vault.agentPID
    // crontab(5): HOME, LOGNAME, SHELL and PATH; the rest is the line's own.
    let bare = ["HOME": vault.home, "LOGNAME": "x", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "VAULT_HOME": vault.vaultHome]
    let run = try await Subprocess.run(
      "/usr/bin/setsid",
      ["--wait", "/bin/sh", "-c", "'\(try Programs.vault)' exec app-dev -- printenv AWS_ACCESS_KEY_ID </dev/null"],
      environment: bare)
    #expect(run.succeeded && run.output.hasPrefix("ASIA") && vault.agentPID == agent, "\(run.errors)")
  }

  @Test("under nohup a program outlives its terminal, and its credentials are renewed all the while")
  func nohup() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await TestVault(simulator)
    let program = """
      import botocore.session, time
      seen = []
      print("ready", flush=True)
      while len(seen) < 3:
          key = botocore.session.get_session().get_credentials().get_frozen_credentials().access_key
          if key not in seen: seen.append(key)
          time.sleep(0.1)
      print("three", flush=True)
      """
    let child = try RunningProgram(
      "/usr/bin/nohup", [Programs.vault, "exec", "--server", "app-dev", "--", try Programs.python, "-c", program],
      environment: vault.environment)
    while try await child.readLine() != "ready" {}
    child.signal(SIGHUP)
    #expect(try await child.readLine() == "three")
    #expect(try await child.wait().succeeded)
  }

  @Test("a vault exec inside another takes the inner profile, and nothing of the outer one stays")
  func nested() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let outer = try await vault.mustRun("exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID")
    let program = try Programs.vault
    let inner = try await vault.mustRun(
      "exec", "app-dev", "--", program, "exec", "partner", "--", "sh", "-c",
      "echo $AWS_ACCESS_KEY_ID; echo $VAULT_PROFILE $AWS_VAULT")
    let lines = inner.split(separator: "\n")
    #expect(lines.count == 2 && lines[0] != outer.dropLast() && lines[1] == "partner partner", "\(inner)")
    // A served program inside one with keys, and the other way about: an SDK finds one kind of credentials only.
    let kinds = "env | grep -c ^AWS_SECRET; env | grep -c ^AWS_CONTAINER"
    #expect(
      try await vault.mustRun("exec", "app-dev", "--", program, "exec", "--server", "partner", "--", "sh", "-c", kinds + "; true")
        == "0\n2\n")
    #expect(
      try await vault.mustRun("exec", "--server", "app-dev", "--", program, "exec", "partner", "--", "sh", "-c", kinds + "; true")
        == "1\n0\n")
  }

  @Test("a shell stops a command with Ctrl-Z, goes on with it, and ends it with Ctrl-C, as without vault")
  func jobControl() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let command = vault.folder.write(
      """
      import os, signal, time
      signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"again\\n"))
      signal.signal(signal.SIGINT, signal.SIG_DFL)
      os.write(1, b"runs\\n")
      while True: time.sleep(60)

      """, to: "command.py")
    let script = """
      import os, pty, select, sys
      pid, terminal = pty.fork()
      if pid == 0:
          os.execv("/bin/bash", ["bash", "--norc", "--noediting", "-i"])
      seen = b""
      def until(word):
          global seen
          while word not in seen:
              if not select.select([terminal], [], [], 20)[0]: sys.exit("no %r in %r" % (word, seen))
              seen += os.read(terminal, 4096)
          seen = seen[seen.index(word) + len(word):]
      def type(text): os.write(terminal, text.encode())
      type("PS1='ready> '\\n"); until(b"ready> "); until(b"ready> ")
      type("'%s' exec app-dev -- '%s' '%s'\\n" % (sys.argv[1], sys.executable, sys.argv[2])); until(b"\\nruns")
      type("\\x1a"); until(b"Stopped"); until(b"ready> ")
      type("fg\\n"); until(b"\\nagain")
      type("\\x03"); until(b"ready> ")
      type("echo status $?\\n"); until(b"\\nstatus 130")
      type("'%s' exec app-dev\\n" % sys.argv[1]); until(b"exit")
      type("echo in $VAULT_PROFILE\\n"); until(b"\\nin app-dev")
      type("exit 5\\n"); until(b"ready> ")
      type("echo status $?\\n"); until(b"\\nstatus 5")
      type("exit\\n")
      print("done")
      """
    let run = try await Subprocess.run(
      try Programs.python, ["-c", script, try Programs.vault, command],
      environment: vault.environment.merging(["SHELL": "/bin/bash"]) { $1 },
      timeout: 100)
    #expect(run.succeeded && run.output == "done\n", "\(run.output) \(run.errors)")
  }
}
