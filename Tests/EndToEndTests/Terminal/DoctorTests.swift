import Foundation
import TestSupport
import Testing

/// `vault doctor` and `vault config`.
@Suite(.endToEnd) struct DoctorTests {
  @Test("a sound vault is found sound; what is wrong is told with its remedy")
  func doctor() async throws {
    let fresh = TestVault()
    #expect(try await fresh.mustRun("doctor", "--offline").contains("there is no vault yet"))
    // It looks, and that is all: no vault, no key, no agent comes of it.
    for keystore in ["passphrase", "ephemeral"] {
      #expect(try await fresh.mustRun("doctor", environment: ["VAULT_KEYSTORE": keystore]).contains("there is no vault yet"))
      #expect(access(fresh.database, F_OK) != 0 && fresh.agentPID == nil)
    }
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let sound = try await vault.mustRun("doctor")
    #expect(sound.contains("ok    the agent responds") && sound.contains("chain intact") && !sound.contains("FAIL"), "\(sound)")
    vault.config(TestVault.standardConfig + "\n[profile astray]\nrole_arn = \(STSWorld.devRole)\nsource_profile = nobody\n")
    _ = try await vault.run("list", "--format", "json")
    let astray = try await vault.run("doctor")
    #expect(astray.end == .exit(78) && astray.output.contains("FAIL  profile astray"), "\(astray.output)")
    chmod(vault.vaultHome, 0o755)
    let open = try await vault.run("doctor", "--offline")
    #expect(open.end == .exit(78) && open.output.contains("chmod 700"), "\(open.output)")
    chmod(vault.vaultHome, 0o700)
    let other = try await vault.run("doctor", "--offline", environment: ["AWS_PROFILE": "x"])
    #expect(other.output.contains("note  AWS_PROFILE"))
  }

  @Test("a setting is shown with where it comes from, changed in one line of the person's file, and taken out again")
  func config() async throws {
    let vault = TestVault()
    let path = vault.folder.file("vault/config")
    let plain = ["VAULT_KEYSTORE": ""]
    #expect(try await vault.mustRun("config", environment: plain).contains("keystore\tsecret-service\tdefault"))
    #expect(try await vault.mustRun("config", "keystore").contains("passphrase\tVAULT_KEYSTORE"))
    try await vault.mustRun("config", "agent_life", "programs")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "[default]\nagent_life = programs\n")
    try "# mine\n[default]\n# about keys\nkeystore = passphrase # so\n\n[other]\nkeystore = x\n"
      .write(toFile: path, atomically: false, encoding: .utf8)
    try await vault.mustRun("config", "keystore", "secret-service")
    try await vault.mustRun("config", "agent_life", "login")
    #expect(
      try String(contentsOfFile: path, encoding: .utf8)
        == "# mine\n[default]\nagent_life = login\n# about keys\nkeystore = secret-service\n\n[other]\nkeystore = x\n")
    try await vault.mustRun("config", "--unset", "keystore")
    #expect(try String(contentsOfFile: path, encoding: .utf8).contains("keystore = secret") == false)
    #expect(try await vault.run("config", "keystore", "cloud").end == .exit(64))
    // In a file that is indented a new line must not become a part of another.
    try "[default]\n  agent_life = login\n".write(toFile: path, atomically: false, encoding: .utf8)
    try await vault.mustRun("config", "audit_failure", "deliver")
    #expect(
      try String(contentsOfFile: path, encoding: .utf8) == "[default]\n  audit_failure = deliver\n  agent_life = login\n")
    #expect(try await vault.mustRun("config", "agent_life").contains("login\t"))
    #expect(try await vault.run("config", "colour").end == .exit(64))
  }
}
