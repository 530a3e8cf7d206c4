import Foundation
import TestSupport
import Testing

/// The main job with the key in a real gnome-keyring, and what its weather does to it.
@Suite(.endToEnd) struct KeyringTests {
  private func vault(_ keyring: KeyringSession, _ simulator: STSSimulatorProcess) async throws -> TestVault {
    try await TestVault(
      simulator, environment: ["VAULT_KEYSTORE": "secret-service", "DBUS_SESSION_BUS_ADDRESS": keyring.busAddress])
  }

  @Test("the keyring is asked once in an agent's life: with it gone, the agent goes on")
  func askedOnce() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    #expect(try keyring.items("application", "vault", kind: "master-key").count == 1)
    try keyring.kill()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true")
  }

  @Test("a keyring that comes back locked is refused and told, never taken for an empty one; unlocked, the vault opens again")
  func locked() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    vault.killAgent()
    try keyring.kill()
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(77), "\(refused.errors)")
    #expect(refused.errors.contains("keyring"))
    #expect(try await vault.rows("master-key", "status").count == 1)
    try keyring.start(password: "demo")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try keyring.items("application", "vault", kind: "master-key").count == 1)
  }

  @Test("a key that was deleted from the keyring is told as missing, and none is made in its place")
  func deleted() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    vault.killAgent()
    for item in try keyring.items("application", "vault") { try keyring.delete(item: item) }
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(78) && refused.errors.contains("is missing"), "\(refused.errors)")
    #expect(try keyring.items("application", "vault").isEmpty)
  }

  @Test(
    "a copied folder that a person goes on with on the same keyring makes the original refuse, and say the way out, which is one")
  func copied() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    try await vault.mustRun("agent", "stop")
    let copy = vault.folder.file("copy")
    try FileManager.default.copyItem(atPath: vault.vaultHome, toPath: copy)
    for words in [["audit", "accept"], ["exec", "app-dev", "--", "true"], ["agent", "stop"]] {
      let used = try await vault.run(words: words, environment: ["VAULT_HOME": copy])
      #expect(used.succeeded, "\(used.errors)")
    }
    try FileManager.default.removeItem(atPath: copy)
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(74) && refused.errors.contains("vault audit accept"), "\(refused.errors)")
    try await vault.mustRun("audit", "accept")
    try await vault.mustRun("exec", "app-dev", "--", "true")
  }

  @Test(
    "without a bus or a service the vault says which, and how to do without; it never takes the weaker store by itself",
    arguments: [true, false])
  func absent(hasBus: Bool) async throws {
    let keyring = try KeyringSession(.none)
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: [
      "AWS_ENDPOINT_URL_STS": simulator.url, "VAULT_KEYSTORE": "",
      "DBUS_SESSION_BUS_ADDRESS": hasBus ? keyring.busAddress : "unix:path=/nonexistent",
    ])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    let refused = try await vault.run("import")
    #expect(refused.end == .exit(69) && refused.errors.contains("VAULT_KEYSTORE=passphrase"), "\(refused.errors)")
    #expect(try await vault.rows("master-key", "status").isEmpty)
    #expect(try await vault.rows("list").isEmpty)
  }

  @Test("of many who change the master key at once each has its turn, and the key that counts is kept")
  func rotatedAtOnce() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<6 { group.addTask { try await vault.mustRun("master-key", "rotate") } }
      try await group.waitForAll()
    }
    #expect(try keyring.items("application", "vault", kind: "master-key").count == 1)
    #expect(
      try await vault.rows("master-key", "status").map { $0["state"] as? String }.sorted { $0! < $1! } == ["active"]
        + Array(repeating: "retired", count: 6))
    vault.killAgent()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 1)
  }

  @Test("the master key is changed in the keyring, where one item is left")
  func rotated() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("master-key", "rotate")
    #expect(try keyring.items("application", "vault", kind: "master-key").count == 1)
    vault.killAgent()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await simulator.requests("AssumeRole").count == 1)
  }

  @Test(
    "with a keyring's prompt that nobody answers, the vault is locked and the agent stopped without waiting for it",
    arguments: [["lock"], ["agent", "stop"]])
  func unanswered(words: [String]) async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"), prompter: .silent)
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    try await vault.mustRun("agent", "stop")
    try keyring.lock()
    let asks = try RunningProgram(Programs.vault, ["unlock"], environment: vault.environment)
    try keyring.waitUntilAsked()
    let agent = try #require(vault.agentPID)
    let start = ContinuousClock.now
    // Who still waits for an answer starts another agent; that one is not what was to end.
    let result = try await vault.run(words: words)
    #expect(result.succeeded, "\(result.errors)")
    #expect(ContinuousClock.now - start < .seconds(8))
    #expect((vault.agentPID == agent) == (words == ["lock"]))
    asks.terminate()
  }
}
