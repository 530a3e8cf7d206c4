import Foundation
import Glibc
import TestSupport
import Testing

/// What agents wrote and signed, on the team's server: heads, and rows that were archived before they were shipped.
@Suite(.endToEnd) struct TeamEvidenceTests {
  @Test("a head that the agent signs for the shipment proves it up to its row, and a cut end is found by it")
  func checkpoints() async throws {
    let server = try await TeamServer()
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let shipped = try await server.ship(vault)
    #expect(shipped.succeeded && shipped.errors.isEmpty, "\(shipped.errors)")
    // `ship` asks an agent that runs, which signs the newest row, not the one that the key store has of ten seconds ago.
    let verified = try await server.verify()
    let last = try await server.postgres.sql("SELECT max(sequence) FROM vault_audit.audit_event")
    #expect(verified.succeeded && verified.output.contains("signed up to row \(last)\n"), "\(verified.output) \(verified.errors)")
    let key = try await vault.mustRun("audit", "key").trimmingCharacters(in: .newlines)
    let id = try await server.postgres.sql("SELECT vault_id FROM vault_audit.audit_vault")
    #expect(try await server.verify("--vault", id, "--public-key", key).succeeded)
    let stranger = try await server.verify("--vault", id, "--public-key", String(repeating: "ab", count: 32))
    #expect(stranger.end == .exit(65) && stranger.output.contains("the server has another key for it"), "\(stranger.output)")
    let rows = try await vault.rows("audit", "--outcome", "success").compactMap { $0["hash"] as? String }
    let there = try await server.postgres.sql("SELECT encode(hash, 'hex') FROM vault_audit.audit_event WHERE outcome = 'success'")
    #expect(Set(there.split(separator: "\n").map(String.init)).isSubset(of: Set(rows)) && !there.isEmpty)
    let head = "(SELECT max(sequence) FROM vault_audit.audit_checkpoint)"
    try await server.tamper("DELETE FROM vault_audit.audit_event WHERE sequence >= \(head)")
    let cut = try await server.verify()
    #expect(cut.end == .exit(65) && cut.output.contains("were cut off"), "\(cut.output)")
  }

  @Test("rows that were archived are shipped from their file, and where that is gone their signed end stands for them")
  func archived() async throws {
    let server = try await TeamServer(laptops: 2)
    let simulator = try await STSSimulatorProcess()
    var ids: [String] = []
    for (laptop, isThere) in [(1, true), (2, false)] {
      let vault = try await TestVault(simulator)
      for _ in 0..<3 { try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true") }
      let file = vault.folder.file("old.gz")
      let said = try await vault.mustRun("audit", "archive", "--before", "0s", "--to", file)
      try await vault.mustRun("exec", "app-dev", "--", "true")
      if !isThere { unlink(file) }
      let shipped = try await server.ship(vault, laptop: laptop)
      #expect(shipped.succeeded, "\(shipped.errors)")
      #expect(shipped.errors.contains("only their end was shipped") != isThere, "\(shipped.errors)")
      let last = try #require(said.split(separator: " ").dropFirst(3).first.flatMap { Int($0) }, "\(said)")
      let id = try await server.postgres.sql("SELECT vault_id FROM vault_audit.audit_vault", as: TeamServer.login(laptop))
      ids.append(id)
      let bare = try await server.postgres.sql(
        "SELECT count(*) FROM vault_audit.audit_event WHERE sequence BETWEEN 1 AND \(last) AND form IS NULL AND vault_id = '\(id)'"
      )
      #expect(bare == (isThere ? "0" : "1"))
      let verified = try await server.verify("--vault", id)
      #expect(verified.succeeded, "\(verified.output)")
      #expect(verified.output.contains("\(last) archived") != isThere, "\(verified.output)")
    }
    // A gap that no head bears out is none that an archive made.
    try await server.tamper("DELETE FROM vault_audit.audit_checkpoint WHERE vault_id = '\(ids[1])'")
    let bare = try await server.verify("--vault", ids[1])
    #expect(bare.end == .exit(65) && bare.output.contains("do not match the log's record of them"), "\(bare.output)")
  }

  @Test("archives whose files are gone are borne out, also where the log's word of one went with the next")
  func archivedTwice() async throws {
    let server = try await TeamServer()
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for name in ["one.gz", "two.gz", "three.gz"] {
      for _ in 0..<2 { try await vault.mustRun("exec", "app-dev", "--", "true") }
      try await vault.mustRun("audit", "archive", "--before", "0s", "--to", vault.folder.file(name))
      unlink(vault.folder.file(name))
    }
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let shipped = try await server.ship(vault)
    #expect(shipped.succeeded && shipped.errors.contains("only their end was shipped"), "\(shipped.errors)")
    let verified = try await server.verify()
    #expect(verified.succeeded, "\(verified.output)")
    // The last of them must be told of by the log itself, as ever.
    try await server.tamper("DELETE FROM vault_audit.audit_event WHERE action IS NOT NULL")
    try await server.tamper(
      "DELETE FROM vault_audit.audit_checkpoint WHERE sequence > (SELECT max(sequence) FROM vault_audit.audit_event)")
    let bare = try await server.verify()
    #expect(bare.end == .exit(65) && bare.output.contains("do not match the log's record of them"), "\(bare.output)")
  }

  @Test("each row's head is shipped once, and one that was changed on the server is told of")
  func headsOnce() async throws {
    let server = try await TeamServer()
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await server.ship(vault)
    let count = "SELECT count(*) FROM vault_audit.audit_checkpoint"
    let before = try #require(Int(try await server.postgres.sql(count)))
    #expect(before > 0)
    for _ in 0..<2 {
      try await server.ship(vault)
      #expect(try await server.postgres.sql(count) == "\(before)")
    }
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await server.ship(vault)
    #expect(try await server.postgres.sql(count) == "\(before + 1)")
    try await server.tamper("UPDATE vault_audit.audit_checkpoint SET signed_at = signed_at + 100000")
    let changed = try await server.ship(vault)
    #expect(changed.end == .exit(65) && changed.errors.contains("it did not sign the checkpoints there"), "\(changed.errors)")
  }
}
