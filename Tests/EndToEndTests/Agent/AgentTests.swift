import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel
import VaultWire

/// The agent's life, and how it is shared.
@Suite(.endToEnd) struct AgentTests {
  @Test("fifty programs that start at once on a cold vault make one call and get the same key")
  func singleFlight() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    try await simulator.set(STSSettings(latencyMs: 300))
    let keys = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<50 { group.addTask { try await vault.mustRun("exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID") } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(keys.count == 50 && Set(keys).count == 1)
    #expect(try await simulator.requests("AssumeRole").count == 1)
    #expect(try await vault.rows("audit", "--action", "Deliver").count == 50)
  }

  @Test("of many agents started at once one runs, and the others say so")
  func singleInstance() async throws {
    let vault = TestVault()
    try await vault.mustRun("agent", "start")
    let pid = try #require(vault.agentPID)
    let second = try await Subprocess.run(Programs.vaultd, environment: vault.environment, timeout: 20)
    #expect(second.end == .exit(75))
    #expect(second.errors.contains("another agent is running (pid \(pid))"))
    try await vault.mustRun("agent", "stop")
    #expect(vault.agentPID == nil)
    #expect(!FileManager.default.fileExists(atPath: vault.folder.file("vault/agent.sock")))
  }

  @Test("an agent that is killed as it starts is started once more, and not for ever")
  func killedAtStart() async throws {
    let vault = TestVault()
    try FileManager.default.createDirectory(atPath: vault.folder.file("bin"), withIntermediateDirectories: true)
    let client = try vault.folder.copy(Programs.vault, to: "bin/vault")
    func start(killing times: Int) async throws -> Subprocess.Result {
      try? FileManager.default.removeItem(atPath: vault.folder.file("bin/kills"))
      let script = """
        #!/bin/sh
        echo >> "${0%/*}/kills"
        [ "$(wc -l < "${0%/*}/kills")" -le \(times) ] && kill -KILL $$
        exec \(try Programs.vaultd) "$@"
        """
      vault.folder.write(script, to: "bin/vaultd")
      chmod(vault.folder.file("bin/vaultd"), 0o755)
      return try await Subprocess.run(client, ["agent", "start"], environment: vault.environment, timeout: 60)
    }
    let twice = try await start(killing: 2)
    #expect(twice.end == .exit(70) && twice.errors.contains("the agent exited before it was ready"), "\(twice.errors)")
    let once = try await start(killing: 1)
    #expect(once.succeeded && vault.agentPID != nil, "\(once.errors)")
  }

  @Test("the agent has its executor's thread, the endpoint's and those of the pool for blocking work, and no others")
  func threads() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    vault.folder.write("#!/bin/sh\nsleep 2\nexit 1\n", to: "slow.sh")
    chmod(vault.folder.file("slow.sh"), 0o700)
    vault.config(TestVault.standardConfig + "\n[profile slow]\ncredential_process = \(vault.folder.file("slow.sh"))\n")
    let pid = try #require(vault.agentPID)
    func names() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").compactMap {
        try? String(contentsOfFile: "/proc/\(pid)/task/\($0)/comm", encoding: .utf8).trimmingCharacters(in: .newlines)
      }.sorted()
    }
    // A program that is served, a request that waits for a program, calls to AWS, and a passphrase.
    let served = try RunningProgram(
      Programs.vault, ["exec", "--server", "app-dev", "--", "sh", "-c", "echo served; read line"], environment: vault.environment)
    #expect(try await served.readLine() == "served")
    let waiting = try RunningProgram(Programs.vault, ["exec", "slow", "--", "true"], environment: vault.environment)
    try await vault.mustRun("lock")
    try await vault.mustRun("unlock")
    try await vault.mustRun("exec", "app-chained", "--", "true")
    // Named by the pool, by libmicrohttpd, and by the program.
    let kinds = try names()
    #expect(Set(kinds) == ["MHD-single", "blocking", "vaultd"], "\(kinds)")
    #expect(kinds.count { $0 == "vaultd" } == 1 && kinds.count { $0 == "MHD-single" } == 1, "\(kinds)")
    served.send("\n")
    #expect(try await served.wait(timeout: 30).succeeded)
    #expect(try await !waiting.wait(timeout: 30).succeeded)
    // The endpoint's ends with its last program, the pool's after five seconds without work.
    for _ in 0..<300 where try names() != ["vaultd"] { try await Task.sleep(for: .milliseconds(100)) }
    #expect(try names() == ["vaultd"])
  }

  @Test("the agent cannot be traced, its memory not read, and it writes no core")
  func untraceable() async throws {
    let vault = TestVault()
    try await vault.mustRun("agent", "start")
    let pid = try #require(vault.agentPID)
    let limits = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
    #expect(limits.contains(/Max core file size +0 +0/))
    // The kernel gives the files of a process that is not dumpable to root (proc(5)).
    let owner = try FileManager.default.attributesOfItem(atPath: "/proc/\(pid)/mem")[.ownerAccountID] as? NSNumber
    #expect(owner?.intValue == 0)
    if geteuid() != 0 { #expect(open("/proc/\(pid)/mem", O_RDONLY) < 0) }
  }

  @Test(
    "a client of another version gets a clear word, and may still stop the agent",
    arguments: [UInt16(0), UInt16(protocolVersion + 1)])
  func otherVersion(version: UInt16) async throws {
    let vault = TestVault()
    try await vault.mustRun("agent", "start")
    let channel = try #require(Channel.connect(to: vault.folder.file("vault/agent.sock")))
    try channel.send(try IssueRequest { $0.profile = "app-dev" }.frame(from: ClientContext(), version: version))
    let reply = try #require(try channel.receive())
    #expect(reply.kind == .failure)
    #expect(Failure(reply).message.contains("\(version > protocolVersion ? "newer" : "older") than the running agent"))
    let stop = try #require(Channel.connect(to: vault.folder.file("vault/agent.sock")))
    try stop.send(try SimpleRequest.stop.frame(from: ClientContext(), version: version))
    #expect(try stop.receive()?.kind == .done)
  }

  @Test("an agent of another version gets no request but to stop")
  func otherAgent() async throws {
    let vault = TestVault()
    let script = """
      import os, socket, struct, sys
      os.makedirs(os.path.dirname(sys.argv[1]), 0o700, exist_ok=True)
      listener = socket.socket(socket.AF_UNIX)
      listener.bind(sys.argv[1])
      listener.listen()
      print("listening", flush=True)
      for _ in range(2):
          s = listener.accept()[0]
          s.recv(65536)
          s.sendall(struct.pack("<IHH", 4, 1, 101))
          s.close()
      """
    let agent = try RunningProgram(
      "/usr/bin/python3", ["-I", "-c", script, vault.folder.file("vault/agent.sock")], environment: ["PATH": "/usr/bin:/bin"])
    #expect(try await agent.readLine() == "listening")
    let status = try await vault.run("agent", "status")
    #expect(status.end == .exit(78) && status.errors.contains("uses protocol version 1"), "\(status.errors)")
    let stopped = try await vault.run("agent", "stop")
    #expect(stopped.succeeded && stopped.errors.contains("the agent has stopped"), "\(stopped.errors)")
  }

  @Test("what is no message ends the connection, and the agent goes on")
  func garbage() async throws {
    let vault = TestVault()
    try await vault.mustRun("agent", "start")
    for bytes in [
      [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF, 1], [4, 0, 0, 0, 1, 0, 0xFF, 0xFF], Array("GET / HTTP/1.1\r\n\r\n".utf8),
    ] as [[UInt8]] {
      let channel = try #require(Channel.connect(to: vault.folder.file("vault/agent.sock")))
      let frame = WireBuffer()
      bytes.withUnsafeBytes { frame.append($0) }
      try channel.send(frame)
      let reply = try? channel.receive(within: 5_000)
      #expect(reply?.kind == nil || reply?.kind == .failure)
    }
    #expect(try await vault.run("agent", "status").output.contains("pid"))
  }

  @Test(
    "another user gets no byte, even where the socket's mode was loosened",
    .enabled(if: geteuid() == 0, "only root can become another user"))
  func otherUser() async throws {
    let vault = TestVault()
    try await vault.mustRun("agent", "start")
    for path in [vault.folder.path, vault.vaultHome] { chmod(path, 0o755) }
    chmod(vault.folder.file("vault/agent.sock"), 0o666)
    let script =
      "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\(vault.folder.file("vault/agent.sock"))'); s.send(b'\\x04\\0\\0\\0\\x01\\0\\x0d\\0'); print(len(s.recv(100)))"
    let result = try await Subprocess.run(
      "/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script],
      environment: ["PATH": "/usr/bin:/bin"])
    #expect(result.output.contains("0") || result.errors.contains("ConnectionResetError") || result.errors.contains("BrokenPipe"))
    #expect(!result.output.contains("1"))
  }

  @Test(
    "a socket on which another user listens is told nothing",
    .enabled(if: geteuid() == 0, "only root can become another user"))
  func foreignAgent() async throws {
    let vault = TestVault()
    mkdir(vault.vaultHome, 0o777)
    for path in [vault.folder.path, vault.vaultHome] { chmod(path, 0o777) }
    let script = """
      import socket
      s = socket.socket(socket.AF_UNIX)
      s.bind("\(vault.folder.file("vault/agent.sock"))")
      s.listen()
      print("listens", flush=True)
      while True:
          print(len(s.accept()[0].recv(1000)), flush=True)
      """
    let foreign = try RunningProgram(
      "/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script],
      environment: ["PATH": "/usr/bin:/bin"])
    #expect(try await foreign.readLine() == "listens")
    chmod(vault.folder.file("vault/agent.sock"), 0o666)
    let key = "AKIAIOSFODNN7EXAMPLE\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
    for words in [["access-key", "add", "x"], ["agent", "status"], ["exec", "app-dev", "--", "true"]] {
      let result = try await vault.run(words: words, input: key)
      #expect(result.end == .exit(77) && result.errors.contains("another user listens at"), "\(result.errors)")
      #expect(try await foreign.readLine() == "0")
    }
  }

  @Test("the client needs no shared library")
  func staticClient() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Programs.vault))
    // ELF-64: the program headers' table is told at 0x20, the number of its rows at 0x38; type 3 is PT_INTERP, type 2 PT_DYNAMIC.
    func word(_ offset: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }
    let start = word(0x20, 8)
    let types = (0..<word(0x38, 2)).map { word(start + $0 * word(0x36, 2), 4) }
    #expect(!types.contains(3) && !types.contains(2))
  }

  @Test("a locked vault hands nothing out, also after a restart, until it is unlocked")
  func locked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("lock")
    vault.killAgent()
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(77) && refused.errors.contains("vault unlock"))
    try await vault.mustRun("unlock")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 1)
  }

  @Test("the master key is changed, everything still opens, and the old key is gone")
  func masterKey() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let before = try #require(try await vault.rows("master-key", "status").first)
    try await vault.mustRun("master-key", "rotate")
    vault.killAgent()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 1)
    let keys = try await vault.rows("master-key", "status")
    #expect(keys.map { $0["state"] as? String } == ["retired", "active"])
    let files = try FileManager.default.contentsOfDirectory(atPath: vault.vaultHome).filter { $0.hasPrefix("master-key-") }
    #expect(files == ["master-key-\(keys[1]["keyId"] as? String ?? "")"])
    #expect(keys[0]["keyId"] as? String == before["keyId"] as? String)
  }

  @Test("an agent that takes the connection and answers no more, as one that was just killed, does not run: another is started")
  func dying() async throws {
    let vault = TestVault()
    mkdir(vault.vaultHome, 0o700)
    let script = """
      import os, socket, sys
      os.umask(0o177)
      listener = socket.socket(socket.AF_UNIX)
      listener.bind(sys.argv[1])
      listener.listen()
      print("up", flush=True)
      listener.accept()[0].close()
      """
    let dying = try RunningProgram(try Programs.python, ["-c", script, vault.vaultHome + "/agent.sock"], environment: [:])
    #expect(try await dying.readLine() == "up")
    let started = try await vault.run("agent", "start")
    #expect(started.succeeded && started.errors == "vault: the agent is running\n", "\(started.errors)")
    #expect(vault.agentPID != nil)
    #expect(try await vault.run("agent", "start").errors == "vault: the agent is already running\n")
    try await dying.wait(timeout: 10)
  }
}
