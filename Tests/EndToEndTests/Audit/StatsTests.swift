import Foundation
import TestSupport
import Testing

/// `vault audit stats`, held to sums that SQLite's own shell makes of the same log.
@Suite(.endToEnd, .sharesFixtures) struct StatsTests {
  private struct Group: Hashable {
    let name: String
    let calls, deliveries, failures: Int

    init(_ row: [String: Any]) {
      name = row["name"] as? String ?? ""
      calls = row["calls"] as? Int ?? -1
      deliveries = row["deliveries"] as? Int ?? -1
      failures = row["failures"] as? Int ?? -1
    }
  }

  private static let counts = """
    sum(action IN ('AssumeRole', 'GetSessionToken', 'CreateToken')) AS calls, sum(action = 'Deliver') AS deliveries, \
    sum(outcome <> 'success') AS failures FROM audit_event WHERE outcome <> 'intent'
    """

  private static let program = "program || CASE executable WHEN '' THEN ' (unproven)' ELSE '' END"

  @Test("every group is counted as SQL counts it", arguments: [false, true])
  func groups(hostile: Bool) async throws {
    let log = try await GeneratedLog.shared(rows: 5_000, hostile: hostile)
    let report = try #require(try await log.vault.json("audit", "stats") as? [String: Any])
    for (key, column) in [("profiles", "profile"), ("roles", "role_arn"), ("users", "user"), ("programs", Self.program)] {
      let rows = try await log.query("SELECT \(column) AS name, \(Self.counts) AND \(column) IS NOT NULL GROUP BY 1")
      let groups = try #require(report[key] as? [[String: Any]])
      #expect(Set(groups.map(Group.init)) == Set(rows.map(Group.init)), "\(key)")
    }
    let hours = try await log.query("SELECT time / 3600000 % 24 AS hour, \(Self.counts) GROUP BY 1")
    for hour in hours {
      let index = try #require(hour["hour"] as? Int)
      #expect(Group((report["hours"] as? [[String: Any]])?[index] ?? [:]) == Group(hour))
    }
    let failures = try #require(report["failures"] as? [[String: Any]])
    let total = try await log.query(
      "SELECT count(*) AS n FROM audit_event WHERE outcome NOT IN ('success', 'intent') AND error IS NOT NULL")
    #expect(failures.reduce(0) { $0 + ($1["count"] as? Int ?? 0) } == total[0]["n"] as? Int)
    if !hostile { #expect(Set(failures.compactMap { $0["cause"] as? String }).isSuperset(of: ["AccessDenied", "Throttling"])) }
  }

  @Test("renewals are on time, late or failed by the agent's own, and what ended unused is told")
  func rotation() async throws {
    let log = try await GeneratedLog.shared(rows: 5_000)
    let report = try #require(try await log.vault.json("audit", "stats") as? [String: Any])
    let health = try #require(report["rotation"] as? [[String: Any]])
    let causes = try await log.query(
      """
      SELECT p.name, sum(a.trigger = 'rotation' AND n.issued_at < o.expires_at) AS onTime, sum(a.trigger = 'rotation' AND n.issued_at >= o.expires_at) \
      AS late, sum(a.trigger <> 'rotation') AS onRequest FROM session o JOIN session n ON n.id = o.replaced_by JOIN profile p ON p.id = o.profile_id \
      JOIN audit_event a ON a.session_id = n.id AND a.action <> 'Deliver' AND a.outcome = 'success' GROUP BY 1
      """)
    #expect(!causes.isEmpty)
    for row in causes {
      let found = try #require(health.first { $0["profile"] as? String == row["name"] as? String })
      for key in ["onTime", "late", "onRequest"] { #expect(found[key] as? Int == row[key] as? Int, "\(row) \(key)") }
    }
    let failed = try await log.query(
      "SELECT count(*) AS n FROM audit_event WHERE outcome IN ('failure', 'refused') AND trigger = 'rotation'")
    #expect(health.reduce(0) { $0 + ($1["failed"] as? Int ?? 0) } == failed[0]["n"] as? Int)
    let unused = try await log.query("SELECT count(*) AS n FROM session WHERE ended_at IS NOT NULL AND deliveries = 0")
    #expect(health.reduce(0) { $0 + ($1["endedUnused"] as? Int ?? 0) } == unused[0]["n"] as? Int)
  }

  @Test("filters narrow the sums, and an empty log says so")
  func filters() async throws {
    let log = try await GeneratedLog.shared(rows: 5_000)
    let report = try #require(
      try await log.vault.json("audit", "stats", "--profile", "app-dev", "--user", "bob") as? [String: Any])
    #expect((report["profiles"] as? [[String: Any]])?.count == 1 && (report["users"] as? [[String: Any]])?.count == 1)
    #expect((report["rotation"] as? [[String: Any]])?.compactMap { $0["profile"] as? String } == ["app-dev"])
    let empty = try await TestVault().run("audit", "stats")
    #expect(empty.succeeded && empty.output.isEmpty && empty.errors.contains("no matching rows"))
  }

  @Test("the table shows hostile names escaped, a line a row")
  func hostileTable() async throws {
    let log = try await GeneratedLog.shared(rows: 5_000, hostile: true)
    let text = try await log.vault.mustRun("audit", "stats")
    #expect(UnsafeCharacters.areMissing(in: text.replacingOccurrences(of: "\t", with: "")))
    #expect(text.contains("<img src=x onerror=alert(1)>"))
  }
}
