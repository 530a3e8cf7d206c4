import Foundation
import TestSupport
import Testing

/// Clients that say nothing, and an agent that says nothing.
@Suite(.endToEnd, .tags(.slow)) struct SilenceTests {
  /// Connects so often, says so much each time, and then says how many of them the agent has kept whenever it is asked.
  private static let holding = """
    import os, select, socket, sys
    path, count, said = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
    def connect():
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        try: s.sendall(said)
        except BrokenPipeError: pass
        return s
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    held = [connect() for _ in range(count)]
    print("held", flush=True)
    def is_kept(s):
        poll = select.poll()
        poll.register(s, 0)
        return not poll.poll(0)
    for _ in sys.stdin:
        kept = [is_kept(s) for s in held]
        print(sum(kept), kept[-1], flush=True)
    """

  private func hold(_ count: Int, _ vault: TestVault, saying bytes: String) async throws -> RunningProgram {
    let program = try RunningProgram(
      "/usr/bin/python3", ["-I", "-c", Self.holding, vault.folder.file("vault/agent.sock"), "\(count)", bytes],
      environment: ["PATH": "/usr/bin:/bin"])
    #expect(try await program.readLine() == "held")
    return program
  }

  @Test(
    "a thousand connections that say nothing, or half of something, keep nobody out, and end; who has asked goes on",
    arguments: ["", "0a000000"])
  func silent(saying: String) async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.approves = false
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await SignInTests.vault(simulator)
    // Somebody waits at a page to sign in.
    let login = try RunningProgram(Programs.vault, ["login", "--device", "corp"], environment: vault.environment)
    while try await simulator.requests("CreateToken").isEmpty { try await Task.sleep(for: .milliseconds(10)) }
    let holder = try await hold(1_000, vault, saying: saying)
    for _ in 0..<10 {
      let began = Date()
      try await vault.mustRun("agent", "status")
      #expect(Date().timeIntervalSince(began) < 2)
    }
    // The oldest went: 256 may stay, and who came last was one of them.
    holder.send("\n")
    #expect(try await holder.readLine() == "255 True")
    // Their time is ten seconds.
    try await Task.sleep(for: .seconds(12))
    holder.send("\n")
    #expect(try await holder.readLine() == "0 False")
    #expect(login.isRunning)
    try await simulator.signIn(.approve)
    #expect(try await login.wait(timeout: 30).succeeded, "\(login.errors)")
  }

  @Test("an agent that was stopped is told of within seconds, with 75, also where its queue is full; it goes on afterwards")
  func stopped() async throws {
    let vault = TestVault()
    vault.config("[profile none]\ncredential_process = /bin/false\n")
    try await vault.mustRun("import")
    let agent = try #require(vault.agentPID)
    kill(agent, SIGSTOP)
    for words in [["exec", "none", "--", "true"], ["agent", "status"], ["agent", "stop"]] {
      let began = Date()
      let result = try await vault.run(words: words)
      #expect(result.end == .exit(75), "\(words): \(result.errors)")
      #expect(
        result.errors
          == "vault: the agent (process \(agent)) is stopped and does not respond\nhint: `kill -CONT \(agent)` resumes it\n")
      #expect(Date().timeIntervalSince(began) < 12)
    }
    // The queue is longer than this; what does not fit waits in connect(2).
    let holder = try RunningProgram(
      "/usr/bin/python3", ["-I", "-c", Self.holding, vault.folder.file("vault/agent.sock"), "1000", ""],
      environment: ["PATH": "/usr/bin:/bin"])
    try await Task.sleep(for: .seconds(1))
    let full = try await vault.run("agent", "status")
    #expect(full.end == .exit(75) && full.errors.contains("(process \(agent)) is stopped"), "\(full.errors)")
    kill(agent, SIGCONT)
    #expect(try await holder.readLine() == "held")
    #expect(try await vault.mustRun("agent", "status").contains("pid: \(agent)"))
  }

  @Test("a command that was stopped while it started the agent is not waited for for ever")
  func startLock() async throws {
    let vault = TestVault()
    vault.config("[profile none]\nregion = us-east-1\n")
    try await vault.mustRun("import")
    try await vault.mustRun("agent", "stop")
    let holder = try RunningProgram(
      "/usr/bin/flock", [vault.folder.file("vault/start.lock"), "sh", "-c", "echo held; exec sleep 90"],
      environment: ["PATH": "/usr/bin:/bin"])
    #expect(try await holder.readLine() == "held")
    let result = try await vault.run("exec", "none", "--", "true")
    #expect(result.end == .exit(75) && result.errors.contains("another command has been starting the agent"), "\(result.errors)")
    holder.kill()
    try await vault.mustRun("agent", "start")
  }

  @Test("a wait that is long and nobody's fault is not cut off")
  func longWait() async throws {
    let vault = TestVault()
    let slow = vault.folder.write(
      """
      #!/bin/sh
      sleep 40
      echo '{"Version": 1, "AccessKeyId": "ASIAEXAMPLE000000001", "SecretAccessKey": "secret-of-the-test", "SessionToken": "t"}'

      """, to: "slow.sh")
    chmod(slow, 0o700)
    vault.config("[profile slow]\ncredential_process = \(slow)\n")
    try await vault.mustRun("import")
    let began = Date()
    let result = try await vault.run("exec", "slow", "--", "true")
    #expect(result.succeeded && Date().timeIntervalSince(began) > 39, "\(result.errors)")
  }

  @Test("with its standard descriptors closed a command works, starts the agent, and its program finds nothing of ours there")
  func closedDescriptors() async throws {
    let vault = TestVault()
    let quick = vault.folder.write(
      "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"ASIAEXAMPLE000000001\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\"}'\n",
      to: "quick.sh")
    chmod(quick, 0o700)
    vault.config("[profile quick]\ncredential_process = \(quick)\n")
    try await vault.mustRun("import")
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
      try await vault.mustRun("agent", "stop")
      let seen = vault.folder.file("seen")
      unlink(seen)
      let run = try await Subprocess.run(
        "/bin/sh", ["-c", "exec '\(try Programs.vault)' exec quick -- sh -c 'ls -l /proc/$$/fd > \(seen)' \(closed)"],
        environment: vault.environment)
      #expect(run.succeeded, "\(closed): \(run.end) \(run.errors)")
      let files = (try? String(contentsOfFile: seen, encoding: .utf8)) ?? ""
      #expect(!files.isEmpty && !files.contains("agent.sock") && !files.contains("vault.db"), "\(closed): \(files)")
      if closed.count > 6 {
        for number in 0...2 where number != 1 { #expect(files.contains("\(number) -> /dev/null"), "\(files)") }
        #expect(!files.contains("socket:"), "\(files)")
      }
      let agent = try #require(vault.agentPID)
      let standard = (0...2).map { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(agent)/fd/\($0)")) ?? "" }
      #expect(
        standard[0] == "/dev/null" && standard[1].hasSuffix("/agent.log") && standard[2] == standard[1], "\(closed): \(standard)")
    }
    #expect(try await vault.run("audit", "verify").succeeded)
  }
}
