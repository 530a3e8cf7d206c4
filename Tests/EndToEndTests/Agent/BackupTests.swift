import Foundation
import Glibc
import TestSupport
import Testing

/// A copy of the master key, and what it is for.
@Suite(.endToEnd) struct BackupTests {
  private static let words = "nine words that nobody would think of in order"

  private func vault(_ keyring: KeyringSession, _ simulator: STSSimulatorProcess) async throws -> TestVault {
    let vault = try await TestVault(
      simulator, environment: ["VAULT_KEYSTORE": "secret-service", "DBUS_SESSION_BUS_ADDRESS": keyring.busAddress])
    try await vault.mustRun(
      "access-key", "add", "spare", input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n")
    vault.folder.write(Self.words + "\n", to: "words")
    chmod(vault.folder.file("words"), 0o600)
    return vault
  }

  @Test("a keyring that lost the key gets it back from a copy, and everything that was sealed opens")
  func keyringReset() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    let (copy, words) = (vault.folder.file("key.backup"), vault.folder.file("words"))
    try await vault.mustRun("master-key", "backup", copy, "--passphrase-file", words)
    var status = stat()
    #expect(stat(copy, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let again = try await vault.run("master-key", "backup", copy, "--passphrase-file", words)
    #expect(again.end == .exit(73) && again.errors.contains("already exists"), "\(again.end) \(again.errors)")
    let needless = try await vault.run("master-key", "restore", copy, "--passphrase-file", words)
    #expect(needless.end == .exit(65) && needless.errors.contains("nothing to restore"), "\(needless.end) \(needless.errors)")

    try await vault.mustRun("agent", "stop")
    for item in try keyring.items("application", "vault") { try keyring.delete(item: item) }
    let lost = try await vault.run("exec", "app-dev", "--", "true")
    #expect(lost.end == .exit(78) && lost.errors.contains("vault master-key restore"), "\(lost.errors)")
    vault.folder.write("another one altogether\n", to: "wrong")
    chmod(vault.folder.file("wrong"), 0o600)
    let wrong = try await vault.run("master-key", "restore", copy, "--passphrase-file", vault.folder.file("wrong"))
    #expect(wrong.end == .exit(77) && wrong.errors.contains("wrong passphrase"), "\(wrong.end) \(wrong.errors)")
    #expect(try keyring.items("application", "vault").isEmpty)

    let restored = try await vault.run("master-key", "restore", copy, "--passphrase-file", words)
    #expect(restored.succeeded && restored.errors.contains("audit log"), "\(restored.errors)")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("agent", "stop")
    try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true")
    #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
    let rows = try await vault.rows("audit").compactMap { $0["action"] as? String }
    #expect(rows.filter { $0 == "KeyBackedUp" }.count == 2 && rows.contains("AuditAccepted") && rows.contains("KeyRestored"))
    #expect(try keyring.items("application", "vault", kind: "master-key").count == 1)
  }

  @Test("a copy moves a vault from the keyring to a passphrase, for a machine without a desktop")
  func otherStore() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(keyring, simulator)
    let (copy, words) = (vault.folder.file("key.backup"), vault.folder.file("words"))
    try await vault.mustRun("master-key", "backup", copy, "--passphrase-file", words)
    try await vault.mustRun("agent", "stop")
    let headless = ["VAULT_KEYSTORE": "passphrase", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"]
    let moved = try await vault.run("master-key", "restore", copy, "--passphrase-file", words, environment: headless)
    #expect(moved.succeeded, "\(moved.errors)")
    try await vault.mustRun("agent", "stop", environment: headless)
    let run = try await vault.run("exec", "app-dev", "--", "true", environment: headless)
    #expect(run.succeeded, "\(run.errors)")
    let status = try await vault.mustRun("master-key", "status", environment: headless)
    #expect(status.contains("active\tpassphrase"), "\(status)")
    #expect(try await vault.mustRun("audit", "verify", environment: headless).contains("chain intact"))
  }

  @Test("what is no copy of this vault's present key is refused, and changes nothing")
  func refused() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let other = try await TestVault(simulator)
    let words = vault.folder.file("passphrase")
    let (copy, foreign) = (vault.folder.file("key.backup"), other.folder.file("key.backup"))
    try await vault.mustRun("master-key", "backup", copy, "--passphrase-file", words)
    try await other.mustRun("master-key", "backup", foreign, "--passphrase-file", words)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: copy))
    var flipped = bytes
    flipped[100] ^= 1
    for (name, content) in [("flipped", flipped), ("cut", bytes.dropLast()), ("empty", Data()), ("text", Data("key".utf8))] {
      let path = vault.folder.file(name)
      try content.write(to: URL(fileURLWithPath: path))
      chmod(path, 0o600)
      let result = try await vault.run("master-key", "restore", path, "--passphrase-file", words)
      #expect(result.end == .exit(65) && result.errors.contains(name), "\(name): \(result.end) \(result.errors)")
    }
    let strange = try await vault.run("master-key", "restore", foreign, "--passphrase-file", words)
    #expect(strange.end == .exit(65) && strange.errors.contains("another vault"), "\(strange.errors)")
    try await vault.mustRun("master-key", "rotate")
    let outdated = try await vault.run("master-key", "restore", copy, "--passphrase-file", words)
    #expect(outdated.end == .exit(65) && outdated.errors.contains("the vault is sealed under"), "\(outdated.errors)")
    chmod(copy, 0o644)
    #expect(try await vault.run("master-key", "restore", copy, "--passphrase-file", words).end == .exit(77))
    #expect(try await vault.run("master-key", "restore", "/nonexistent/copy").end == .exit(66))
    #expect(try await vault.run("master-key", "backup").end == .exit(64))
    vault.folder.write("short\n", to: "short")
    chmod(vault.folder.file("short"), 0o600)
    let weak = try await vault.run(
      "master-key", "backup", vault.folder.file("weak"), "--passphrase-file", vault.folder.file("short"))
    #expect(weak.end == .exit(65) && access(vault.folder.file("weak"), F_OK) != 0, "\(weak.errors)")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
  }
}
