import Foundation
import Glibc
import TestSupport
import Testing

/// Which vault a client means, and where its agent is found.
@Suite(.endToEnd) struct WhichVaultTests {
  /// Vaults in the XDG folders of some home, with one runtime folder for all, as a snap or `sudo -E` has it.
  private func xdg(_ vault: TestVault, _ home: String) -> [String: String] {
    mkdir(vault.folder.file("run"), 0o700)
    mkdir(vault.folder.file(home), 0o700)
    return [
      "VAULT_HOME": "", "HOME": vault.folder.file(home), "XDG_RUNTIME_DIR": vault.folder.file("run"),
      // Its settings are where a VAULT_HOME has them, with the endpoints that are trusted.
      "XDG_CONFIG_HOME": vault.folder.path,
    ]
  }

  private func pid(_ vault: TestVault, _ environment: [String: String]) async throws -> Int? {
    let status = try await vault.run("agent", "status", "--format", "json", environment: environment)
    let object = try JSONSerialization.jsonObject(with: Data(status.outputBytes)) as? [String: Any]
    return object?["pid"] as? Int
  }

  @Test("a client under another HOME or XDG_DATA_HOME is told that the agent keeps another vault, and nothing is done to that")
  func otherHome() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    let first = xdg(vault, "first")
    mkdir(vault.folder.file("first/.aws"), 0o700)
    vault.folder.write(TestVault.standardConfig, to: "first/.aws/config")
    vault.folder.write(TestVault.standardCredentials, to: "first/.aws/credentials")
    try await vault.mustRun("import", environment: first)
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: first)
    let agent = try await pid(vault, first)
    #expect(agent != nil)
    let data = vault.folder.file("elsewhere")
    for other in [xdg(vault, "second"), first.merging(["XDG_DATA_HOME": data]) { $1 }] {
      for words in [["forget", "--all"], ["lock"], ["agent", "stop"], ["agent", "status"], ["exec", "app-dev", "--", "true"]] {
        let refused = try await vault.run(words: words, environment: other)
        #expect(refused.end == .exit(78), "\(words) \(refused.errors)")
        #expect(
          refused.errors.contains("serves the vault in \(vault.folder.file("first/.local/share/vault"))"), "\(refused.errors)")
        #expect(refused.errors.contains("VAULT_HOME"))
      }
    }
    // The other one may be there already; and the first one's folder may be told under another name.
    mkdir(data, 0o700)
    mkdir(data + "/vault", 0o700)
    #expect(try await vault.run("lock", environment: first.merging(["XDG_DATA_HOME": data]) { $1 }).end == .exit(78))
    symlink(vault.folder.file("first"), vault.folder.file("same"))
    try await vault.mustRun(
      "exec", "app-dev", "--", "true", environment: first.merging(["HOME": vault.folder.file("same")]) { $1 })
    #expect(try await pid(vault, first) == agent)
    #expect(try await simulator.requests("AssumeRole").count == 1)
    try await vault.mustRun("agent", "stop", environment: first)
  }

  @Test("an agent of another vault does not take the socket of one that listens there")
  func socketTaken() async throws {
    let vault = TestVault()
    let first = xdg(vault, "first")
    try await vault.mustRun("agent", "start", environment: first)
    let agent = try await pid(vault, first)
    let second = try await Subprocess.run(
      Programs.vaultd, environment: vault.environment.merging(xdg(vault, "second")) { $1 }, timeout: 20)
    #expect(second.end == .exit(75) && second.errors.contains("another vault's agent listens"), "\(second.errors)")
    #expect(try await pid(vault, first) == agent)
    try await vault.mustRun("agent", "stop", environment: first)
  }

  @Test(
    "a runtime folder of another user's, as sudo -E leaves it, is not used, and nothing is made in it",
    .enabled(if: geteuid() == 0, "only root can become another user"))
  func foreignRuntime() async throws {
    let vault = TestVault()
    let environment = xdg(vault, "first")
    chmod(vault.folder.file("run"), 0o700)
    chown(vault.folder.file("run"), 65_534, 65_534)
    try await vault.mustRun("agent", "start", environment: environment)
    #expect(try FileManager.default.contentsOfDirectory(atPath: vault.folder.file("run")).isEmpty)
    try await vault.mustRun("agent", "stop", environment: environment)
  }

  @Test(
    "a socket, or its whole folder, that was removed under the agent is back with the next command", arguments: [false, true])
  func lostSocket(wholeFolder: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    let environment = xdg(vault, "first")
    mkdir(vault.folder.file("first/.aws"), 0o700)
    vault.folder.write(TestVault.standardConfig, to: "first/.aws/config")
    vault.folder.write(TestVault.standardCredentials, to: "first/.aws/credentials")
    try await vault.mustRun("import", environment: environment)
    let agent = try await pid(vault, environment)
    let folder = vault.folder.file("run/vault")
    for words in [["exec", "app-dev", "--", "true"], ["agent", "status"], ["exec", "app-dev", "--", "true"]] {
      try FileManager.default.removeItem(atPath: wholeFolder ? folder : folder + "/agent.sock")
      let clock = ContinuousClock()
      let began = clock.now
      let result = try await vault.run(words: words, environment: environment)
      #expect(result.succeeded && clock.now - began < .seconds(5), "\(words) \(result.errors)")
      #expect(try await pid(vault, environment) == agent)
    }
    try FileManager.default.removeItem(atPath: folder)
    let stopped = try await vault.run("agent", "stop", environment: environment)
    #expect(stopped.errors == "vault: the agent has stopped\n", "\(stopped.errors)")
    #expect(try await pid(vault, environment) == nil)
  }

  @Test("a client that is told no runtime folder, or another one, finds the agent that runs")
  func otherRuntime() async throws {
    let vault = TestVault()
    let environment = xdg(vault, "first")
    try await vault.mustRun("agent", "start", environment: environment)
    let agent = try await pid(vault, environment)
    mkdir(vault.folder.file("run2"), 0o700)
    let other = environment.merging(["XDG_RUNTIME_DIR": vault.folder.file("run2")]) { $1 }
    let clock = ContinuousClock()
    let began = clock.now
    #expect(try await pid(vault, other) == agent)
    #expect(try await vault.run("agent", "start", environment: other).errors == "vault: the agent is already running\n")
    #expect(clock.now - began < .seconds(5))
    try await vault.mustRun("agent", "stop", environment: other)
  }

  @Test("a runtime folder with too long a path is told by its own variable")
  func longRuntime() async throws {
    let vault = TestVault()
    let run = vault.folder.file("run-" + String(repeating: "x", count: 100))
    mkdir(run, 0o700)
    let environment = xdg(vault, "first").merging(["XDG_RUNTIME_DIR": run]) { $1 }
    let result = try await vault.run("lock", environment: environment)
    #expect(result.end == .exit(78) && result.errors.contains("shorter XDG_RUNTIME_DIR"), "\(result.errors)")
  }

  @Test("a file system that has no locks is named, and not an agent that does not run")
  func noLocks() async throws {
    let vault = TestVault()
    mkdir(vault.vaultHome, 0o700)
    let agent = try await Subprocess.run(
      "/usr/bin/strace", ["-f", "-qq", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK", Programs.vaultd],
      environment: vault.environment, timeout: 30)
    #expect(agent.end == .exit(74) && agent.errors.contains("cannot lock"), "\(agent.errors)")
    #expect(agent.errors.contains("No locks available") && !agent.errors.contains("another agent"), "\(agent.errors)")
  }
}
