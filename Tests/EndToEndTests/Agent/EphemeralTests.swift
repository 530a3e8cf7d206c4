import Foundation
import TestSupport
import Testing

/// A vault whose master key is in its agent's memory alone.
@Suite(.endToEnd) struct EphemeralTests {
  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    try await TestVault(simulator, environment: ["VAULT_KEYSTORE": "ephemeral", "VAULT_PASSPHRASE_FILE": ""])
  }

  @Test("it works without a passphrase while its agent lives, says what is the matter afterwards, and can be begun anew")
  func life() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let key = try await vault.mustRun("exec", "app-dev", "--", "printenv", "AWS_ACCESS_KEY_ID")
    #expect(key.hasPrefix("ASIA"))
    let files = try FileManager.default.contentsOfDirectory(atPath: vault.vaultHome)
    #expect(!files.contains { $0.hasPrefix("master-key") || $0 == "audit-head" }, "\(files)")
    #expect(try await vault.mustRun("master-key", "status").contains("ephemeral"))
    #expect(try await vault.run("audit", "verify").succeeded)
    try await vault.mustRun("agent", "stop")
    let gone = try await vault.run("exec", "app-dev", "--", "true")
    #expect(gone.end == .exit(78) && gone.errors.contains("memory of an agent that has ended"), "\(gone.errors)")
    #expect(gone.errors.contains("start over"))
    // Neither another choice nor a second try makes a new key over what cannot be read.
    let other = try await vault.run(
      "exec", "app-dev", "--", "true",
      environment: ["VAULT_KEYSTORE": "passphrase", "VAULT_PASSPHRASE_FILE": vault.folder.file("passphrase")])
    #expect(other.end == .exit(78) && other.errors.contains("memory of an agent"), "\(other.errors)")
    // What was done stays to be read.
    #expect(try await vault.mustRun("audit").contains("AssumeRole"))
    #expect(try await vault.rows("list").contains { $0["profile"] as? String == "app-dev" })
    try await vault.mustRun("agent", "stop")
    try FileManager.default.removeItem(atPath: vault.vaultHome)
    vault.trust()
    try await vault.mustRun("import")
    try await vault.mustRun("exec", "app-dev", "--", "true")
  }

  @Test("it is never chosen by itself, nor for a vault without a folder of its own, nor over one that is to last")
  func chosen() async throws {
    let simulator = try await STSSimulatorProcess()
    let usual = TestVault(environment: simulator.environment)
    usual.config(TestVault.standardConfig)
    usual.credentials(TestVault.standardCredentials)
    let runtime = usual.folder.file("run")
    mkdir(runtime, 0o700)
    let homeless = ["VAULT_HOME": "", "VAULT_KEYSTORE": "ephemeral", "XDG_RUNTIME_DIR": runtime]
    let refused = try await usual.run("import", environment: homeless)
    #expect(refused.end == .exit(78) && refused.errors.contains("VAULT_HOME"), "\(refused.errors)")
    _ = try await usual.run("agent", "stop", environment: homeless)
    let lasting = try await TestVault(simulator)
    let rotated = try await lasting.run("master-key", "rotate", environment: ["VAULT_KEYSTORE": "ephemeral"])
    #expect(rotated.end == .exit(78) && rotated.errors.contains("permanent"), "\(rotated.errors)")
    try await lasting.mustRun("exec", "app-dev", "--", "true")
    lasting.killAgent()
    try await lasting.mustRun("exec", "app-dev", "--", "true")
  }

  @Test("it becomes a vault that lasts by a change of its key, while its agent lives")
  func lasting() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let passphrase = ["VAULT_KEYSTORE": "passphrase", "VAULT_PASSPHRASE_FILE": vault.folder.file("passphrase")]
    let rotated = try await vault.run("master-key", "rotate", environment: passphrase)
    #expect(rotated.succeeded, "\(rotated.errors)")
    vault.killAgent()
    let again = try await vault.run("exec", "app-dev", "--", "true", environment: passphrase)
    #expect(again.succeeded, "\(again.errors)")
    #expect(try await vault.run("audit", "verify").succeeded)
  }
}
