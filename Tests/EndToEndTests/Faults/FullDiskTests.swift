import Foundation
import TestSupport
import Testing

/// Deliveries while the vault's disk takes nothing, by the real programs on a real disk that is full.
@Suite(.endToEnd) struct FullDiskTests {
  /// A vault with one session in hand, whose disk is full from then on until `body` makes room.
  private func onFullDisk(
    _ rule: String, _ body: (TestVault, _ makeRoom: () -> Void) async throws -> Void
  ) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    mkdir(vault.vaultHome, 0o700)
    let mounted = try await Subprocess.run(
      "/usr/bin/mount", ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", vault.vaultHome],
      environment: ["PATH": "/usr/bin:/bin"])
    try #require(mounted.succeeded, "\(mounted.errors)")
    vault.trust()
    do {
      vault.config(TestVault.standardConfig)
      vault.credentials(TestVault.standardCredentials)
      try await vault.mustRun("import")
      try await vault.mustRun("config", "audit_failure", rule)
      try await vault.mustRun("exec", "app-dev", "--", "true")
      let room = open(vault.vaultHome + "/room", O_WRONLY | O_CREAT, 0o600)
      let block = [UInt8](repeating: 0, count: 4_096)
      while write(room, block, block.count) > 0 {}
      close(room)
      try await body(vault) { unlink(vault.vaultHome + "/room") }
      #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
    } catch {
      Issue.record(error)
    }
    _ = try await vault.run("agent", "stop")
    _ = try await Subprocess.run("/usr/bin/umount", ["-l", vault.vaultHome], environment: ["PATH": "/usr/bin:/bin"])
  }

  private func deliveries(_ vault: TestVault) async throws -> Int { try await vault.rows("audit", "--action", "Deliver").count }

  @Test(
    "a full disk refuses every session, and goes on as before once there is room",
    .enabled(if: geteuid() == 0, "only root can mount"))
  func refuse() async throws {
    try await onFullDisk("refuse") { vault, makeRoom in
      let before = try await deliveries(vault)
      var given = 0
      // What is left of the write-ahead log's last page still takes a row.
      for _ in 0..<40 {
        let result = try await vault.run("exec", "app-dev", "--", "true")
        if result.succeeded { given += 1 } else { #expect(result.end == .exit(74) && result.errors.contains("the disk is full")) }
      }
      #expect(given < 40)
      makeRoom()
      try await vault.mustRun("exec", "app-dev", "--", "true")
      #expect(try await deliveries(vault) == before + given + 1)
    }
  }

  @Test(
    "with audit_failure = deliver a session in hand is handed out and logged late; nothing new is minted",
    .enabled(if: geteuid() == 0, "only root can mount"))
  func deliver() async throws {
    try await onFullDisk("deliver") { vault, makeRoom in
      let before = try await deliveries(vault)
      for _ in 0..<40 { try await vault.mustRun("exec", "app-dev", "--", "true") }
      #expect(try await deliveries(vault) < before + 40)
      for words in [["exec", "partner", "--", "true"], ["rotate", "app-dev"], ["exec", "--refresh", "app-dev", "--", "true"]] {
        #expect(try await vault.run(words: words).end == .exit(74), "\(words)")
      }
      makeRoom()
      // Unasked, within the pause between two tries.
      while try await vault.rows("audit", "--action", "LoggedLate").isEmpty { await Task.yield() }
      #expect(try await deliveries(vault) == before + 40)
      let late = try #require(try await vault.rows("audit", "--action", "LoggedLate").last)
      #expect(
        (late["detail"] as? String)?.contains("logged later") == true && (late["error"] as? String)?.contains("full") == true)
      #expect(
        try await vault.rows("audit", "--action", "SettingChanged").contains {
          $0["detail"] as? String == "audit_failure = deliver, before refuse"
        })
      try await vault.mustRun("exec", "partner", "--", "true")
    }
  }
}
