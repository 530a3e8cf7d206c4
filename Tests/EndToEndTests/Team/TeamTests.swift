import Foundation
import Glibc
import TestSupport
import Testing

/// `vault audit ship` and `--from`, with a real PostgreSQL.
@Suite(.endToEnd) struct TeamTests {
  @Test("what two laptops ship is there once, is whole, and the team's reports say what the laptops' own say")
  func reports() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 1_500, laptop: 1)
    let two = try await GeneratedLog(rows: 700, hostile: true, laptop: 2)
    let first = try await server.ship(one.vault, laptop: 1, "--batch", "400")
    #expect(first.succeeded && first.output.hasPrefix("1500 rows shipped"), "\(first.output) \(first.errors)")
    let second = try await server.ship(two.vault, laptop: 2)
    #expect(second.succeeded, "\(second.errors)")
    let again = try await server.ship(one.vault, laptop: 1)
    #expect(
      again.succeeded && again.output.hasPrefix("0 rows shipped") && again.output.contains("rows 1 to 1500"), "\(again.output)")
    let counts = try await server.postgres.sql(
      "SELECT vault_id, count(*), max(sequence) FROM vault_audit.audit_event WHERE form IS NOT NULL GROUP BY 1 ORDER BY 1")
    #expect(counts == "vlt_laptop-1|1500|1500\nvlt_laptop-2|700|700")
    let verified = try await server.verify()
    #expect(verified.succeeded, "\(verified.output) \(verified.errors)")
    #expect(
      verified.output.contains("1500 rows intact") && verified.output.contains("700 rows intact"), "\(verified.output)")
    #expect(UnsafeCharacters.areMissing(in: verified.output + verified.errors))

    // Nothing but the numbers of the rows differs, and what proves a row by its number.
    func lines(_ vault: TestVault, _ words: [String]) async throws -> [String] {
      let result = try await vault.run(words: ["audit", "export", "--format", "jsonl"] + words)
      #expect(result.succeeded, "\(result.errors)")
      return result.output.split(separator: "\n").map {
        String($0).replacing(/"sequence":[0-9]+,/, with: "", maxReplacements: 1).replacing(
          /(,"hash":"[0-9a-f]{64}").*\}$/, with: { $0.1 + "}" })
      }
    }
    let reader = TestVault()
    for words in [
      [], ["--profile", "app-dev"], ["--role", "my-application-dev-role"], ["--user", "bob"], ["--outcome", "refused"],
      ["--outcome", "intent"], ["--action", "Deliver"], ["--since", "2026-11-10T00:00:00Z", "--until", "2026-11-14T00:00:00Z"],
    ] {
      let local = try await lines(one.vault, words) + lines(two.vault, words)
      let team = try await lines(reader, words + ["--from", server.address])
      #expect(team.sorted() == local.sorted(), "\(words)")
    }
    let newest = try await lines(reader, ["--from", server.address, "-n", "10"])
    let all = try await lines(reader, ["--from", server.address])
    #expect(newest == all.suffix(10))
    let stats = try await reader.json("audit", "stats", "--from", server.address) as? [String: Any]
    let own = try await one.vault.json("audit", "stats") as? [String: Any]
    #expect((stats?["rows"] as? Int ?? 0) > (own?["rows"] as? Int ?? .max))
    let page = reader.folder.file("page.html")
    #expect(try await reader.run("audit", "report", "--html", page, "--from", server.address).succeeded)
    let html = try String(contentsOfFile: page, encoding: .utf8)
    #expect(html.contains("my-application-dev-role") && !html.contains("<img src=x"))
  }

  @Test(
    "a login adds rows to its own vault alone, changes and deletes nothing, sees no others, and cannot make a row that does not follow"
  )
  func roles() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 60, laptop: 1)
    let two = try await GeneratedLog(rows: 60, laptop: 2)
    try #require(try await server.ship(one.vault, laptop: 1).succeeded)
    try #require(try await server.ship(two.vault, laptop: 2).succeeded)
    let stolen = try await server.ship(one.vault, laptop: 2)
    #expect(stolen.end == .exit(77) && stolen.errors.contains("from another login"), "\(stolen.end) \(stolen.errors)")
    let table = "vault_audit.audit_event"
    let event = "\"time\", id, action, outcome, cause, user_name, program, host"
    let values = "now(), 'evt_x', 'Deliver', 'success', 'exec', 'u', 'p', 'h'"
    func row(_ sequence: Int, of vault: String, previous: String) -> String {
      """
      INSERT INTO \(table) (vault_id, sequence, hash, previous_sequence, previous_hash, mac, form, \(event)) VALUES \
      ('\(vault)', \(sequence), sha256('x'), \(sequence - 1), \(previous), sha256('m'), repeat('x', 40)::bytea, \(values))
      """
    }
    let head = "(SELECT hash FROM \(table) WHERE vault_id = 'vlt_laptop-1' AND sequence = 60)"
    let login = TeamServer.login(1)
    for sql in [
      "UPDATE \(table) SET program = 'x'", "DELETE FROM \(table)", "TRUNCATE \(table)",
      "UPDATE vault_audit.audit_vault SET shipper = 'x'",
      "DELETE FROM vault_audit.audit_checkpoint", "DROP TABLE \(table)", "ALTER TABLE \(table) DISABLE ROW LEVEL SECURITY",
      // Whose it is and when it came is the server's to say.
      "INSERT INTO vault_audit.audit_vault (vault_id, shipper, host, user_name) VALUES ('vlt_other', 'laptop_2', 'h', 'u')",
      row(61, of: "vlt_laptop-1", previous: head).replacing("(vault_id,", with: "(received_at, vault_id,").replacing(
        "VALUES (", with: "VALUES (now() - interval '1 year', "),
      "INSERT INTO vault_audit.audit_vault (vault_id, first_shipped_at, host, user_name) VALUES ('vlt_other', '2020-01-01', 'h', 'u')",
      // Another's vault, a gap, a fork, a second root, another predecessor.
      row(61, of: "vlt_laptop-2", previous: "sha256('x')"), row(62, of: "vlt_laptop-1", previous: head),
      row(60, of: "vlt_laptop-1", previous: head),
      "INSERT INTO \(table) (vault_id, sequence, hash) VALUES ('vlt_laptop-1', 0, sha256('x'))",
      row(61, of: "vlt_laptop-1", previous: "sha256('x')"), row(61, of: "vlt_laptop-1", previous: "NULL"),
      "INSERT INTO \(table) (vault_id, sequence, hash) VALUES ('vlt_laptop-1', 61, sha256('x'))",
      "INSERT INTO \(table) (vault_id, sequence, hash) VALUES ('vlt_nobodys', 0, sha256('x'))",
    ] {
      let result = try await server.postgres.run(sql, as: login)
      #expect(!result.succeeded && result.errors.contains("ERROR"), "\(sql): \(result.output)")
    }
    #expect(try await server.postgres.sql("SELECT count(DISTINCT vault_id) FROM \(table)", as: login) == "1")
    #expect(try await server.postgres.sql("SELECT count(DISTINCT vault_id) FROM \(table)", as: TeamServer.reader) == "2")
    #expect(!(try await server.postgres.run(row(61, of: "vlt_laptop-1", previous: head), as: TeamServer.reader)).succeeded)
    let all = try await server.verify()
    #expect(all.succeeded, "\(all.output)")
    // A row that follows, and is no row of the vault's: that alone the server takes, and the proof finds.
    try await server.postgres.sql(row(61, of: "vlt_laptop-1", previous: head), as: login)
    let found = try await server.verify()
    #expect(
      found.end == .exit(65) && found.output.contains("vlt_laptop-1 ") && found.output.contains("row 61 was changed"),
      "\(found.output)")
    #expect(found.output.contains("vlt_laptop-2 ") && found.output.contains("60 rows intact"), "\(found.output)")
    let reader = TestVault()
    let report = try await reader.run("audit", "--from", server.address, "--format", "jsonl")
    #expect(report.succeeded && report.errors.contains("1 rows omitted"), "\(report.errors)")
  }

  @Test("whatever the server's owner changes is found, and named by laptop and row")
  func tampering() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 80, laptop: 1)
    try #require(try await server.ship(log.vault).succeeded)
    try await server.postgres.sql("CREATE TABLE kept AS SELECT * FROM vault_audit.audit_event")
    let event = "vault_audit.audit_event"
    let key = log.vault.vaultHome + "/auditor.key"
    for (change, said) in [
      ("UPDATE \(event) SET form = set_byte(form, 60, 65) WHERE sequence = 7", "row 7 was changed"),
      ("DELETE FROM \(event) WHERE sequence = 8", "row 8 was removed"),
      ("UPDATE \(event) SET program = 'sh' WHERE sequence = 9", "the columns of row 9"),
      ("UPDATE \(event) SET \"time\" = \"time\" + interval '1 ms' WHERE sequence = 10", "the columns of row 10"),
      ("UPDATE \(event) SET error = 'x' WHERE sequence = 11 AND error IS NULL", "the columns of row 11"),
      ("UPDATE \(event) SET hash = sha256('x') WHERE sequence = 12", "row 12 was changed"),
      ("UPDATE \(event) SET previous_hash = sha256('x') WHERE sequence = 13", "row 13 was changed"),
      ("UPDATE \(event) SET mac = sha256('x') WHERE sequence = 14", "row 14 was not written by the vault"),
      ("UPDATE \(event) SET hash = sha256('x') WHERE sequence = 0", "does not begin with the root"),
      (
        """
        UPDATE \(event) a SET form = b.form, hash = b.hash, previous_hash = b.previous_hash FROM \(event) b \
        WHERE a.sequence = 20 AND b.sequence = 21
        """, "row 20 was changed"
      ),
    ] {
      try await server.tamper(change)
      let found = try await server.verify("--vault", "vlt_laptop-1", "--key", key)
      #expect(
        found.end == .exit(65) && found.output.contains("vlt_laptop-1 ") && found.output.contains(said),
        "\(change): \(found.output)")
      try await server.tamper("DELETE FROM \(event); INSERT INTO \(event) SELECT * FROM kept")
    }
    let whole = try await server.verify("--vault", "vlt_laptop-1", "--key", key)
    #expect(whole.succeeded && whole.output.contains("80 rows intact"), "\(whole.output) \(whole.errors)")
    #expect(try await server.verify("--vault", "vlt_unknown").end == .exit(66))
    #expect(try await server.verify("--key", key).end == .exit(64))
  }

  @Test("a copy of a vault that went on elsewhere, an old copy and a rewritten log are refused, and nothing of them is shipped")
  func copies() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 200, laptop: 1)
    try #require(try await server.ship(log.vault).succeeded)
    let count = "SELECT count(*) FROM vault_audit.audit_event"
    let before = try await server.postgres.sql(count)
    let rewrite = "DROP TRIGGER audit_event_never_deleted; DROP TRIGGER audit_event_never_changed;"
    try await log.change("\(rewrite) DELETE FROM audit_event WHERE sequence > 150")
    let old = try await server.ship(log.vault)
    #expect(old.end == .exit(65) && old.errors.contains("an old copy, or rows were cut off"), "\(old.errors)")
    let other = try await GeneratedLog(rows: 300, hostile: true, laptop: 1)
    let copy = try await server.ship(other.vault)
    #expect(copy.end == .exit(65) && copy.errors.contains("row 200 on the server differs from the one here"), "\(copy.errors)")
    let third = try await GeneratedLog(rows: 260, laptop: 2)
    try await third.change("\(rewrite) UPDATE audit_event SET program = 'sh' WHERE sequence = 130")
    let changed = try await server.ship(third.vault, laptop: 2, "--batch", "50")
    #expect(changed.end == .exit(65) && changed.errors.contains("row 130 was changed"), "\(changed.errors)")
    #expect(try await server.postgres.sql("\(count) WHERE vault_id = 'vlt_laptop-1'") == before)
    #expect(
      try await server.postgres.sql("SELECT max(sequence) FROM vault_audit.audit_event WHERE vault_id = 'vlt_laptop-2'") == "129")
    // The other laptop's log is whole, and what came of this one has no signed end.
    let verified = try await server.verify()
    #expect(verified.end == .exit(65) && verified.output.contains("UNSIGNED: 129 rows"), "\(verified.output)")
    #expect(verified.output.contains("200 rows intact, signed up to row 200\n"), "\(verified.output)")
  }

  @Test("rows without a code wait, and so do rows without a signed head behind them")
  func waiting() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 5_000, laptop: 1)
    try await log.change(
      """
      DROP TRIGGER audit_event_bound_once; CREATE TABLE kept AS SELECT * FROM audit_event WHERE sequence > 4900; \
      CREATE TABLE head AS SELECT * FROM audit_checkpoint WHERE sequence = 5000; \
      UPDATE audit_event SET mac = NULL WHERE sequence > 4900; DELETE FROM audit_checkpoint WHERE sequence = 5000
      """)
    let first = try await server.ship(log.vault)
    #expect(
      first.output.hasPrefix("4096 rows shipped") && first.errors.contains("100 rows wait for their MACs")
        && first.errors.contains("804 rows wait for a signed checkpoint"), "\(first.output) \(first.errors)")
    #expect(try await server.verify().succeeded)
    try await log.change(
      "UPDATE audit_event SET mac = (SELECT mac FROM kept WHERE kept.sequence = audit_event.sequence) WHERE mac IS NULL")
    #expect(try await server.ship(log.vault).output.hasPrefix("0 rows shipped"))
    try await log.change("INSERT INTO audit_checkpoint SELECT * FROM head")
    #expect(try await server.ship(log.vault).output.hasPrefix("904 rows shipped"))
    let verified = try await server.verify()
    #expect(verified.succeeded && verified.output.contains("signed up to row 5000\n"), "\(verified.output)")
  }
}
