import Foundation
import Glibc
import TestSupport
import Testing

/// The agent under a service manager, by the manager's side of the protocols alone (sd_listen_fds(3), sd_notify(3)).
@Suite(.endToEnd) struct ServiceManagerTests {
  /// Listens, passes the socket on as systemd does, and prints what the agent notifies; then a request, a stop, and whether the socket is there.
  private static let manager = """
    import os, socket, subprocess, sys
    home, vaultd, vault = sys.argv[1:4]
    os.makedirs(home, 0o700, exist_ok=True)
    path = home + "/agent.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(64)
    notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notes.bind(home + "/notify")
    notes.settimeout(30)
    pid = os.fork()
    if pid == 0:
        # The descriptor is 3 by the protocol; it may be 3 already.
        if listener.fileno() != 3:
            os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        environment = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", NOTIFY_SOCKET=home + "/notify")
        os.execve(vaultd, [vaultd], environment)
    print(notes.recv(4096).decode().split("\\n")[0])
    print(subprocess.run([vault, "import"], capture_output=True).returncode)
    print(subprocess.run([vault, "exec", "app-dev", "--", "true"], capture_output=True).returncode)
    print(subprocess.run([vault, "agent", "stop"], capture_output=True).returncode)
    print(notes.recv(4096).decode())
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.path.exists(path))
    """

  @Test("the agent takes the socket that it is given, says when it is ready and when it stops, and leaves the socket where it is")
  func activation() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.manager, vault.vaultHome, try Programs.vaultd, try Programs.vault],
      environment: vault.environment)
    #expect(
      result.output.split(separator: "\n") == ["READY=1", "0", "0", "0", "STOPPING=1", "0 True"],
      "\(result.output) \(result.errors)")
  }

  @Test("systemd's own socket activation starts the agent at the first command, and again after it was stopped")
  func socketActivate() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    mkdir(vault.vaultHome, 0o700)
    let path = vault.vaultHome + "/agent.sock"
    let passed = vault.environment.keys.flatMap { ["-E", $0] }
    for _ in 0..<2 {
      let manager = try RunningProgram(
        "/usr/bin/systemd-socket-activate", ["-l", path] + passed + [try Programs.vaultd], environment: vault.environment)
      let deadline = Date().addingTimeInterval(20)
      while !isListening(path), Date() < deadline { try await Task.sleep(for: .milliseconds(10)) }
      #expect(vault.agentPID == nil)
      try await vault.mustRun("import")
      // It became the agent: it holds the lock, and nobody else was started.
      #expect(vault.agentPID == manager.pid)
      try await vault.mustRun("exec", "app-dev", "--", "true")
      try await vault.mustRun("agent", "stop")
      #expect(try await manager.wait(timeout: 20).succeeded)
      // systemd listens on; its stand-in here does not.
      unlink(path)
    }
  }

  @Test("the units name the installed program, and systemd finds nothing to complain about where it is there to be asked")
  func units() async throws {
    let folder = TemporaryDirectory()
    let words = { (text: String) in text.replacing("@NAME@", with: "vault").replacing("@COMPANIONS@", with: "vault") }
    let service = words(try Repository.text("packaging/systemd/vault.service"))
    // verify(1) wants a program that is there.
    folder.write(service.replacing("@PREFIX@/bin/vaultd", with: "/bin/true"), to: "vault.service")
    let socket = words(try Repository.text("packaging/systemd/vault.socket"))
    folder.write(socket, to: "vault.socket")
    #expect(service.contains("ExecStart=@PREFIX@/bin/vaultd") && service.contains("Type=notify"))
    let analyze = try Programs.onPath("systemd-analyze")
    for name in ["vault-ship.service", "vault-ship.timer"] {
      let unit = words(try Repository.text("packaging/systemd/\(name)"))
      folder.write(unit.replacing("@PREFIX@/bin/vault ", with: "/bin/true "), to: name)
    }
    let result = try await Subprocess.run(
      analyze,
      ["--user", "--man=no", "verify"]
        + ["vault.service", "vault.socket", "vault-ship.service", "vault-ship.timer"].map { folder.file($0) },
      environment: ["XDG_RUNTIME_DIR": folder.path, "HOME": folder.path, "PATH": "/usr/bin:/bin"])
    #expect(!result.errors.contains("vault.") && !result.errors.contains("vault-ship"), "\(result.errors)")
  }

  /// Whether a process has called listen(2) at a path, which follows bind(2): the flag of `/proc/net/unix` (unix(7)).
  private func isListening(_ path: String) -> Bool {
    ((try? String(contentsOfFile: "/proc/net/unix", encoding: .utf8)) ?? "").split(separator: "\n").contains {
      $0.hasSuffix(" " + path) && $0.contains(" 00010000 ")
    }
  }
}
