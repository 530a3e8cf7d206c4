import Foundation
import TestSupport
import Testing

/// The audit log against somebody who has the files, with the head in a real keyring.
@Suite(.endToEnd) struct EvidenceTests {
  private func copyDatabase(_ vault: TestVault, to name: String) throws {
    for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: vault.database + suffix) {
      try Data(contentsOf: URL(fileURLWithPath: vault.database + suffix))
        .write(to: URL(fileURLWithPath: vault.folder.file(name) + suffix))
      chmod(vault.folder.file(name) + suffix, 0o600)
    }
  }

  private func putBack(_ vault: TestVault, from name: String) throws {
    for suffix in ["", "-wal", "-shm"] {
      unlink(vault.database + suffix)
      let copy = vault.folder.file(name) + suffix
      guard FileManager.default.fileExists(atPath: copy) else { continue }
      try Data(contentsOf: URL(fileURLWithPath: copy)).write(to: URL(fileURLWithPath: vault.database + suffix))
      chmod(vault.database + suffix, 0o600)
    }
  }

  @Test("an old copy of the database hands nothing out until a person says that it is meant; the log tells of it")
  func rolledBack() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(
      simulator, environment: ["VAULT_KEYSTORE": "secret-service", "DBUS_SESSION_BUS_ADDRESS": keyring.busAddress])
    #expect(try keyring.items("application", "vault", kind: "audit-head").count == 1)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("agent", "stop")
    try copyDatabase(vault, to: "old.db")
    try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true")
    #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
    try await vault.mustRun("agent", "stop")
    try putBack(vault, from: "old.db")
    let verified = try await vault.run("audit", "verify")
    #expect(verified.end == .exit(65) && verified.errors.contains("the database is an old copy"), "\(verified.errors)")
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(74) && refused.errors.contains("vault audit accept"), "\(refused.end) \(refused.errors)")
    try await vault.mustRun("audit", "accept")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
    #expect(try await vault.rows("audit", "--action", "AuditAccepted").count == 1)
    #expect(try await vault.run("audit", "accept").end == .exit(65))
  }

  @Test("a copied folder says what it is before it touches the keyring, the original goes on, and who means the copy accepts it")
  func copied() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(
      simulator, environment: ["VAULT_KEYSTORE": "secret-service", "DBUS_SESSION_BUS_ADDRESS": keyring.busAddress])
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("agent", "stop")
    let copy = ["VAULT_HOME": vault.folder.file("copy")]
    try FileManager.default.copyItem(atPath: vault.vaultHome, toPath: vault.folder.file("copy"))
    for _ in 0..<2 {
      for words in [
        ["exec", "app-dev", "--", "true"], ["exec", "--refresh", "app-dev", "--", "true"], ["master-key", "rotate"],
      ] {
        let refused = try await vault.run(words: words, environment: copy)
        #expect(
          refused.end == .exit(78) && refused.errors.contains("a copy of the vault in \(vault.database)"), "\(refused.errors)")
        #expect(refused.errors.contains("vault audit accept"), "\(refused.errors)")
      }
      try await vault.mustRun("agent", "stop", environment: copy)
      // The original has noticed nothing.
      try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true")
      #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
      try await vault.mustRun("agent", "stop")
    }
    try await vault.mustRun("audit", "accept", environment: copy)
    try await vault.mustRun("exec", "app-dev", "--", "true", environment: copy)
    #expect(try await vault.mustRun("audit", "verify", environment: copy).contains("chain intact"))
    try await vault.mustRun("agent", "stop", environment: copy)
    let original = try await vault.run("exec", "app-dev", "--", "true")
    #expect(original.end == .exit(74) && original.errors.contains("vault audit accept"), "\(original.end) \(original.errors)")
    try await vault.mustRun("agent", "stop")
    // A folder that was moved is no copy.
    try FileManager.default.moveItem(atPath: vault.folder.file("copy"), toPath: vault.folder.file("moved"))
    let moved = ["VAULT_HOME": vault.folder.file("moved")]
    try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true", environment: moved)
    try await vault.mustRun("agent", "stop", environment: moved)
  }

  @Test("a row that a forger put behind the log is refused by the agent, and verify says which")
  func forged() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("agent", "stop")
    let last = try await vault.rows("audit").count
    let script = """
      import sqlite3, sys
      db = sqlite3.connect(sys.argv[1])
      db.execute("CREATE TEMP TABLE t AS SELECT * FROM audit_event ORDER BY sequence DESC LIMIT 1")
      db.execute("UPDATE t SET previous_hash = hash, sequence = sequence + 1, id = 'evt_x', user = 'mallory', mac = randomblob(32)")
      db.execute("INSERT INTO audit_event SELECT * FROM t")
      db.commit()
      """
    let forged = try await Subprocess.run(
      try Programs.python, ["-c", script, vault.database], environment: vault.environment, timeout: 20)
    #expect(forged.succeeded, "\(forged.errors)")
    let refused = try await vault.run("exec", "app-dev", "--", "true")
    #expect(refused.end == .exit(74) && refused.errors.contains("row "), "\(refused.errors)")
    let verified = try await vault.run("audit", "verify")
    #expect(verified.end == .exit(65) && verified.errors.contains("was changed"), "\(verified.errors) \(last)")
  }

  @Test("an auditor with a key, and one with the public key alone, verify the log and an archive of it")
  func auditors() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let key = vault.folder.file("auditor.key")
    vault.folder.write(try await vault.mustRun("audit", "key", "--new"), to: "auditor.key")
    for _ in 0..<5 { try await vault.mustRun("exec", "app-dev", "--", "true") }
    #expect(try await vault.mustRun("audit", "verify", "--key", key).contains("chain intact"))
    let publicKey = try await vault.mustRun("audit", "key").trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(publicKey.count == 64)
    let none = try await vault.run("audit", "archive", "--before", "1h")
    #expect(none.end == .exit(66), "\(none.errors)")
    try await Task.sleep(for: .milliseconds(1_100))
    let file = vault.folder.file("part.gz")
    #expect(try await vault.mustRun("audit", "archive", "--before", "1s", "--to", file).contains("rows 1 to "))
    #expect(try await vault.mustRun("audit", "verify", "--key", key).contains("are archived"))
    let known = try await vault.mustRun("audit", "verify", "--public-key", publicKey, file)
    #expect(known.contains(", up to a signed checkpoint"), "\(known)")
    let unknown = try await vault.run("audit", "verify", file)
    #expect(unknown.succeeded && unknown.errors.contains(publicKey), "who signed is told: \(unknown.errors)")
    let other = String(publicKey.reversed())
    #expect(try await vault.run("audit", "verify", "--public-key", other, file).end == .exit(65))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("agent", "stop")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
  }

  @Test("rows are not taken out whose head the key store does not have: an agent that dies then would find the log rewritten")
  func archivedBehindTheHead() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for _ in 0..<3 { try await vault.mustRun("exec", "app-dev", "--", "true") }
    let head = vault.folder.file("vault/audit-head")
    let file = vault.folder.file("part.gz")
    // A folder in its place takes no head, whoever writes.
    rename(head, head + ".aside")
    mkdir(head, 0o700)
    let refused = try await vault.run("audit", "archive", "--before", "0s", "--to", file)
    #expect(!refused.succeeded && !FileManager.default.fileExists(atPath: file), "\(refused.output)")
    rmdir(head)
    rename(head + ".aside", head)
    vault.killAgent()
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try await vault.mustRun("audit", "archive", "--before", "0s", "--to", file).contains("rows 1 to "))
    #expect(try await vault.mustRun("audit", "verify").contains("chain intact"))
  }

  @Test(
    "a log that another program made by the published form verifies, and one changed byte of it does not",
    arguments: [false, true])
  func publishedForm(hostile: Bool) async throws {
    let log = try await GeneratedLog(rows: 400, hostile: hostile)
    let verified = try await log.vault.run("audit", "verify", "--offline")
    #expect(verified.succeeded && verified.output.contains("chain intact"), "\(verified.errors)")
    try await log.change("UPDATE audit_event SET host = host || '!' WHERE sequence = 200")
    let broken = try await log.vault.run("audit", "verify", "--offline")
    #expect(broken.end == .exit(65) && broken.errors.contains("row 200 was changed"), "\(broken.errors)")
    try await log.change("DROP TRIGGER audit_event_never_changed")
    let bare = try await log.vault.run("audit", "verify", "--offline")
    #expect(bare.end == .exit(65) && bare.errors.contains("trigger audit_event_never_changed is missing"), "\(bare.errors)")
  }

  @Test("an index that leaves somebody's rows out, or has them under another name, is found, though every row is whole")
  func tamperedIndex() async throws {
    let plain = "CREATE INDEX audit_event_user ON audit_event (user, sequence) WHERE pending IS NULL"
    for other in [
      plain + " AND user <> 'bob'",
      "CREATE INDEX audit_event_user ON audit_event (CASE user WHEN 'bob' THEN 'alice' ELSE user END, sequence) WHERE pending IS NULL",
    ] {
      let log = try await GeneratedLog(rows: 400)
      #expect(try await !log.vault.rows("audit", "--user", "bob").isEmpty)
      try await log.change(
        """
        DROP INDEX audit_event_user; \(other); PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = '\(plain)' WHERE name = 'audit_event_user'
        """)
      #expect(try await log.vault.rows("audit", "--user", "bob").isEmpty)
      let verified = try await log.vault.run("audit", "verify", "--offline")
      #expect(verified.end == .exit(65) && verified.errors.contains("audit_event_user"), "\(verified.errors)")
    }
  }

  @Test("a view in the table's place, which could show other rows each time, is none")
  func view() async throws {
    let log = try await GeneratedLog(rows: 400)
    let triggers = [
      "audit_event_never_changed", "audit_event_bound_once", "audit_event_never_deleted", "audit_event_indexed_once",
    ].map {
      "DROP TRIGGER \($0); CREATE TRIGGER \($0) INSTEAD OF UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'no'); END;"
    }
    try await log.change(
      "ALTER TABLE audit_event RENAME TO kept; CREATE VIEW audit_event AS SELECT * FROM kept; \(triggers.joined())")
    let report = try await log.vault.run("audit", "--user", "bob")
    #expect(report.end == .exit(74) && report.errors.contains("were changed by another program"), "\(report.errors)")
    let verified = try await log.vault.run("audit", "verify", "--offline")
    #expect(verified.end == .exit(65) && verified.errors.contains("the database's tables were changed"), "\(verified.errors)")
  }
}
