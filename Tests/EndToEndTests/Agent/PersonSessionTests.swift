import Foundation
import Glibc
import TestSupport
import Testing

/// What belongs to a person's session is taken from who asks, and not from who happened to start the agent.
@Suite(.endToEnd) struct PersonSessionTests {
  private func vault(_ simulator: STSSimulatorProcess) -> TestVault {
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url, "VAULT_KEYSTORE": "secret-service"])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    return vault
  }

  @Test(
    "an agent that was started without a session bus, or with one that is gone, finds the keyring by the bus of who asks",
    arguments: ["", "unix:path=/nonexistent", "unix:abstract=vault-test-nobody"])
  func bus(first: String) async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = vault(simulator)
    let without = ["DBUS_SESSION_BUS_ADDRESS": first]
    let with = ["DBUS_SESSION_BUS_ADDRESS": keyring.busAddress]
    let refused = try await vault.run("import", environment: without)
    #expect(refused.end == .exit(69) && refused.errors.contains("no D-Bus session bus"), "\(refused.errors)")
    #expect(
      refused.errors.contains(first.isEmpty ? "no bus at the requester's DBUS_SESSION_BUS_ADDRESS" : first), "\(refused.errors)")
    #expect(refused.errors.contains("in a shell of a desktop session"), "\(refused.errors)")
    let agent = try #require(vault.agentPID)
    try await vault.mustRun("import", environment: with)
    #expect(try keyring.items("application", "vault", kind: "master-key").count == 1)
    // A shell that has none, such as cron's, uses what was found.
    try await vault.mustRun("lock", environment: without)
    try await vault.mustRun("unlock", environment: without)
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: without)
    #expect(vault.agentPID == agent)
  }

  @Test("an asker's bus that is not a Unix socket of the same user is not connected to")
  func foreignBus() async throws {
    let simulator = try await STSSimulatorProcess()
    let listener = try LoopbackListener()
    let vault = vault(simulator)
    for address in ["tcp:host=127.0.0.1,port=\(listener.port)", "unixexec:path=/bin/touch,argv1=\(vault.folder.file("ran"))"] {
      let refused = try await vault.run("import", environment: ["DBUS_SESSION_BUS_ADDRESS": address])
      #expect(refused.end == .exit(69) && refused.errors.contains("is not the address of a Unix socket"), "\(refused.errors)")
    }
    var waiting = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 0) == 0)
    #expect(access(vault.folder.file("ran"), F_OK) != 0)
  }

  @Test(
    "an asker's bus on which another user listens is not connected to",
    .enabled(if: geteuid() == 0, "only root can become another user"))
  func otherUser() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = vault(simulator)
    mkdir(vault.folder.file("bus"), 0o777)
    for path in [vault.folder.path, vault.folder.file("bus")] { chmod(path, 0o777) }
    let path = vault.folder.file("bus/socket")
    let script =
      "import socket; s = socket.socket(socket.AF_UNIX); s.bind('\(path)'); s.listen(); print('up', flush=True); "
      + "\nwhile True: print(len(s.accept()[0].recv(100)), flush=True)"
    let foreign = try RunningProgram(
      "/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script],
      environment: ["PATH": "/usr/bin:/bin"])
    #expect(try await foreign.readLine() == "up")
    chmod(path, 0o666)
    let refused = try await vault.run("import", environment: ["DBUS_SESSION_BUS_ADDRESS": "unix:path=\(path)"])
    #expect(refused.end == .exit(69) && refused.errors.contains("belongs to another user"), "\(refused.errors)")
    #expect(try await foreign.readLine() == "0")
  }
}
