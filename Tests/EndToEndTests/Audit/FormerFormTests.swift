import Foundation
import TestSupport
import Testing

/// Logs that an earlier version wrote (Fixtures/form-2): they verify for good, whatever columns and forms are added.
@Suite(.endToEnd) struct FormerFormTests {
  private static func fixture(_ name: String) -> String {
    Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/form-2/\(name)").path
  }

  private static func text(_ name: String) throws -> String { try String(contentsOfFile: fixture(name), encoding: .utf8) }

  private static func unpack(_ words: String...) async throws -> Subprocess.Result {
    try await Subprocess.run("/bin/tar", words, environment: ["PATH": "/usr/bin:/bin"])
  }

  @Test("a vault of form 2 verifies as it is, and again after an agent has migrated it and added rows")
  func vault() async throws {
    let vault = TestVault()
    #expect(try await Self.unpack("-xzf", Self.fixture("vault.tar.gz"), "-C", vault.folder.path).succeeded)
    let before = try await vault.run("audit", "verify", "--offline", "--key", Self.fixture("auditor.key"))
    #expect(before.succeeded && before.output.contains("41 rows, chain intact"), "\(before.output) \(before.errors)")
    let report = try await vault.mustRun("audit", "export", "--format", "csv")
    try await vault.mustRun("add", "another", "--role-arn", STSWorld.devRole, "--source", "alice")
    let after = try await vault.run("audit", "verify", "--key", Self.fixture("auditor.key"))
    #expect(after.succeeded && after.output.contains("chain intact"), "\(after.output) \(after.errors)")
    let reportAfter = try await vault.mustRun("audit", "export", "--format", "csv")
    #expect(reportAfter.hasPrefix(report) && reportAfter.utf8.count > report.utf8.count)
    // The agent migrated it: no earlier version opens it any more, and what was there before is kept.
    let kept = try FileManager.default.contentsOfDirectory(atPath: vault.vaultHome).filter { $0.contains(".before-") }
    #expect(kept.count == 1)
  }

  @Test("an archive and an export of form 2 verify, and with one letter changed they do not")
  func files() async throws {
    let vault = TestVault()
    let key = try Self.text("public.key").trimmingCharacters(in: .whitespacesAndNewlines)
    let archive = try await vault.run("audit", "verify", "--public-key", key, Self.fixture("archive.gz"))
    #expect(archive.succeeded && archive.output.contains("signed"), "\(archive.output) \(archive.errors)")
    let export = try await vault.run(
      "audit", "verify", "--public-key", key, "--key", Self.fixture("auditor.key"), Self.fixture("export.jsonl"))
    #expect(export.succeeded, "\(export.output) \(export.errors)")
    let changed = try Self.text("export.jsonl").replacing("\"host\":\"laptop\"", with: "\"host\":\"Laptop\"", maxReplacements: 1)
    vault.folder.write(changed, to: "changed.jsonl")
    let refused = try await vault.run("audit", "verify", vault.folder.file("changed.jsonl"))
    #expect(refused.end == .exit(65) && refused.errors.contains("row 22 was changed"), "\(refused.errors)")
  }

  @Test("what form 2 brought into a team's PostgreSQL verifies, and one changed column of it does not")
  func team() async throws {
    let server = try await TeamServer(laptops: 1)
    let sql = try await Subprocess.run("/bin/gzip", ["-dc", Self.fixture("team.sql.gz")], environment: ["PATH": "/usr/bin:/bin"])
    try await server.tamper(sql.output)
    let verified = try await server.verify()
    #expect(verified.succeeded && verified.output.contains("40 rows intact, signed up to row 40"), "\(verified.output)")
    try await server.tamper("UPDATE vault_audit.audit_event SET host = 'other' WHERE sequence = 30")
    #expect(try await server.verify().end == .exit(65))
  }
}
