import Foundation
import TestSupport
import Testing

/// Reports over a team's rows: whose they are by the server's word, and in which order.
@Suite(.endToEnd) struct TeamReportTests {
  @Test(
    "a user's name is told apart by the login that shipped it, in figures, pages and rows, and rows are chosen by login and vault"
  )
  func logins() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 300, laptop: 1)
    let two = try await GeneratedLog(rows: 200, laptop: 2)
    try await server.enroll(one, laptop: 1)
    try #require(try await server.ship(one.vault).succeeded)
    try #require(try await server.ship(two.vault, laptop: 2).succeeded)
    // Another vault of the second login's, which says that it is the first one's user and host.
    let third = try await GeneratedLog(rows: 100, laptop: 3)
    try #require(try await server.ship(third.vault, laptop: 2).succeeded)
    try await server.tamper(
      "UPDATE vault_audit.audit_vault SET host = 'laptop-1', user_name = 'alice' WHERE vault_id = 'vlt_laptop-3'")
    let lead = TestVault()
    func names(_ key: String, _ words: String...) async throws -> [String: Int] {
      let result = try await lead.run(words: ["audit", "stats", "--format", "json", "--from", server.address] + words)
      let stats = try #require(
        try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any], "\(result.errors)")
      let groups = stats[key] as? [[String: Any]] ?? []
      return Dictionary(
        uniqueKeysWithValues: groups.map {
          ($0["name"] as? String ?? "", ($0["calls"] as? Int ?? 0) + ($0["deliveries"] as? Int ?? 0))
        })
    }
    let users = try await names("users")
    #expect(
      users["alice (laptop_1)"] != nil && users["alice (laptop_2, not enrolled)"] != nil && users["alice"] == nil, "\(users)")
    #expect(users["alice (laptop_1)"] == (try await names("users", "--login", "laptop_1"))["alice (laptop_1)"])
    #expect(Set(try await names("logins").keys) == ["laptop_1", "laptop_2"])
    #expect(Set(try await names("logins", "--vault", "vlt_laptop-3").keys) == ["laptop_2"])
    let rows = try await lead.run("audit", "--format", "json", "--from", server.address, "--login", "laptop_2", "-n", "1000")
    let objects = try #require(
      try JSONSerialization.jsonObject(with: Data(rows.outputBytes)) as? [[String: Any]], "\(rows.errors)")
    #expect(Set(objects.compactMap { $0["vault"] as? String }) == ["vlt_laptop-2", "vlt_laptop-3"])
    #expect(objects.allSatisfy { $0["login"] as? String == "laptop_2" && $0["enrolled"] as? Bool == false })
    for format in ["jsonl", "csv", "ocsf", "cef"] {
      let text = try await lead.mustRun(
        "audit", "export", "--format", format, "--from", server.address, "--vault", "vlt_laptop-3")
      #expect(text.contains("laptop_2") && text.contains("vlt_laptop-3") && !text.contains("laptop_1"), "\(format)")
    }
    let page = lead.folder.file("page.html")
    try await lead.mustRun("audit", "report", "--html", page, "--from", server.address)
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("alice (laptop_2, not enrolled)"))
    for words in [
      ["audit", "--login", "x"], ["audit", "stats", "--vault", "x"], ["audit", "export", "--format", "csv", "--login", "x"],
    ] {
      #expect(try await lead.run(words: words).end == .exit(64))
    }
  }

  @Test("rows that say they are of a day to come are told of, stand where they were received, and push nobody's out of a page")
  func ahead() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 60, laptop: 1)
    try #require(try await server.ship(one.vault).succeeded)
    try await server.postgres.sql(try await one.forged(rows: 20, time: 4_102_444_800_000), as: TeamServer.login(1))
    let simulator = try await STSSimulatorProcess()
    let honest = try await TestVault(simulator)
    try await honest.mustRun("exec", "app-dev", "--", "true")
    try #require(try await server.ship(honest, laptop: 2).succeeded)
    let found = try await server.verify()
    #expect(found.output.contains("20 of them are dated after they were received, the first is row 61"), "\(found.output)")
    let lead = TestVault()
    let newest = try await lead.mustRun("audit", "--format", "jsonl", "--from", server.address, "-n", "3")
    #expect(!newest.contains("2100-") && newest.contains("laptop_2"), "\(newest)")
    let reversed = try await lead.mustRun(
      "audit", "export", "--format", "jsonl", "--from", server.address, "--reverse", "-n", "3")
    #expect(
      reversed.split(separator: "\n").reversed().map { $0.replacing(/"sequence":[0-9]+,/, with: "") }
        == newest.split(separator: "\n").map { $0.replacing(/"sequence":[0-9]+,/, with: "") })
    let all = try await lead.mustRun("audit", "--format", "jsonl", "--from", server.address)
    #expect(all.components(separatedBy: "\"datedAhead\":true").count == 21)
    let stats = try await lead.run("audit", "stats", "--format", "json", "--from", server.address)
    let figures = try #require(
      try JSONSerialization.jsonObject(with: Data(stats.outputBytes)) as? [String: Any], "\(stats.errors)")
    #expect(
      (figures["to"] as? String)?.hasPrefix("2100") == false && stats.errors.contains("20 rows are dated after"),
      "\(stats.errors)")
    let table = try await lead.mustRun("audit", "--from", server.address, "--login", "laptop_1", "-n", "3")
    #expect(table.contains("2100-01-01T00:00:00Z (ahead)") && table.contains("laptop_1 (not enrolled)"), "\(table)")
  }

  @Test("the tables of an earlier version are brought to this one by running the SQL again, and rows that are there stay")
  func upgrade() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 60, laptop: 1)
    try #require(try await server.ship(log.vault).succeeded)
    // What an earlier version had not, or had otherwise.
    try await server.postgres.sql(
      """
      DROP FUNCTION vault_audit.may_bring CASCADE; DROP FUNCTION vault_audit.enroll; DROP FUNCTION vault_audit.admit;
      DROP TABLE vault_audit.audit_enrolment; DROP INDEX vault_audit.audit_event_when;
      ALTER TABLE vault_audit.audit_event DROP CONSTRAINT audit_event_limits, ALTER received_at SET DEFAULT now();
      CREATE INDEX audit_event_time ON vault_audit.audit_event ("time"); GRANT INSERT ON vault_audit.audit_event TO vault_shipper;
      GRANT CONNECT, TEMP ON DATABASE postgres TO PUBLIC; DROP OWNED BY vault_enroller; DROP ROLE vault_enroller
      """)
    let old = try await server.verify()
    #expect(old.end == .exit(78) && old.errors.contains("--print-schema"), "\(old.end) \(old.errors)")
    let schema = try await Subprocess.run(try Programs.vault, ["audit", "ship", "--print-schema"], environment: ["HOME": "/"])
    for _ in 0..<2 { try await server.postgres.sql("BEGIN;\n\(schema.output)\nCOMMIT;") }
    #expect(try await server.verify().output.contains("60 rows intact, signed up to row 60"))
    try await server.enroll(log, laptop: 1)
    for sql in [
      "INSERT INTO vault_audit.audit_event (vault_id, sequence, hash, received_at) VALUES ('vlt_laptop-1', 61, sha256('x'), now())",
      "CREATE TEMP TABLE fill (x text)", "CREATE TABLE public.fill (x text)", "SELECT lo_create(0)",
    ] {
      let result = try await server.postgres.run(sql, as: TeamServer.login(1))
      #expect(!result.succeeded && result.errors.contains("permission denied"), "\(sql): \(result.errors)")
    }
    try await server.postgres.sql("CREATE ROLE outsider LOGIN")
    #expect(try await server.postgres.run("SELECT 1", as: "outsider").errors.contains("permission denied for database"))
    // Time stands still in a transaction that is held; the clock does not.
    let held = try await server.postgres.sql(
      """
      BEGIN; SELECT pg_sleep(1.2); INSERT INTO vault_audit.audit_vault (vault_id, host, user_name) VALUES ('vlt_held', 'h', 'u');
      SELECT first_shipped_at > now() + interval '1 s' FROM vault_audit.audit_vault WHERE vault_id = 'vlt_held'; COMMIT
      """, as: TeamServer.login(2))
    #expect(held.hasSuffix("t"), "\(held)")
    let limits = try await server.postgres.sql(
      "SELECT rolconnlimit, array_to_string(rolconfig, ',') FROM pg_roles WHERE rolname = 'laptop_1'")
    #expect(
      limits.hasPrefix("4|") && limits.contains("idle_in_transaction_session_timeout=1min")
        && limits.contains("statement_timeout=5min"))
  }
}
