import Foundation
import Glibc
import TestSupport
import Testing

/// Shipping over connections that break: what the server has committed it has once, and the chains stay whole.
@Suite(.endToEnd, .serialized, .tags(.torture)) struct TeamTortureTests {
  private static let isLong = ProcessInfo.processInfo.environment["VAULT_TORTURE"] != nil

  @Test(
    "20 laptops whose connections are cut at random have every row on the server exactly once, and every chain whole",
    .timeLimit(.minutes(60)))
  func cuts() async throws {
    let laptops = 20
    let rows = Self.isLong ? 50_000 : 1_000
    let seed = UInt64(ProcessInfo.processInfo.environment["VAULT_SEED"] ?? "") ?? UInt64.random(in: 1...1_000_000)
    print("seed \(seed)")
    let server = try await TeamServer(laptops: laptops)
    // A row takes about 700 bytes, an answer about 50; half of the connections end in the middle of a shipment or of its answer.
    let proxy = try CuttingProxy(
      to: server.postgres.folder.file(".s.PGSQL.\(server.postgres.port)"), seed: seed,
      most: (sent: Self.isLong ? 8_000_000 : 900_000, answered: 2_200))
    let outcomes = await withTaskGroup(of: (laptop: Int, runs: Int, failure: String?).self) { group in
      for laptop in 1...laptops {
        // No more at one time than a small machine can do.
        if laptop > 4 { _ = await group.next() }
        group.addTask { await Self.shipUntilDone(laptop, rows, server, proxy.port) }
      }
      var outcomes: [(laptop: Int, runs: Int, failure: String?)] = []
      for await outcome in group { outcomes.append(outcome) }
      return outcomes
    }
    for outcome in outcomes { #expect(outcome.failure == nil, "laptop \(outcome.laptop)") }
    #expect(proxy.cuts > laptops, "\(proxy.cuts) of \(proxy.connections) connections were cut")
    print("\(proxy.cuts) of \(proxy.connections) connections were cut")
    let counts = try await server.postgres.sql(
      """
      SELECT count(*), min(n), max(n), min(last), max(last) FROM (SELECT count(form) AS n, max(sequence) AS last \
      FROM vault_audit.audit_event GROUP BY vault_id) x
      """)
    #expect(counts == "\(laptops)|\(rows)|\(rows)|\(rows)|\(rows)")
    let verified = try await server.verify()
    #expect(verified.succeeded, "\(verified.output) \(verified.errors)")
    #expect(verified.output.components(separatedBy: " \(rows) rows intact").count == laptops + 1, "\(verified.output)")
  }

  /// As a timer would: again and again, until one run ends well.
  private static func shipUntilDone(_ laptop: Int, _ rows: Int, _ server: TeamServer, _ port: UInt16) async -> (
    laptop: Int, runs: Int, failure: String?
  ) {
    do {
      let log = try await GeneratedLog(rows: rows, laptop: laptop)
      let passwords = log.vault.folder.write(
        "127.0.0.1:*:*:*:\(PostgresServer.password.replacing("\\", with: "\\\\").replacing(":", with: "\\:"))\n", to: "pgpass")
      let address = "postgresql://\(TeamServer.login(laptop))@127.0.0.1:\(port)/postgres?passfile=\(passwords)"
      for run in 1...60 {
        let batch = isLong ? "2000" : "150"
        let result = try await log.vault.run(
          words: ["audit", "ship", "--to", address, "--batch", batch], timeout: 900)
        if result.succeeded { return (laptop, run, result.output.contains("rows 1 to \(rows) ") ? nil : result.output) }
        guard result.end == .exit(69) || result.end == .exit(75) else { return (laptop, run, "\(result.end): \(result.errors)") }
      }
      return (laptop, 60, "it was never done")
    } catch {
      return (laptop, 0, "\(error)")
    }
  }
}
