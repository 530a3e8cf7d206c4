import Foundation
import Glibc
import TestSupport
import Testing

/// A login of the team's database that wants to harm the others, and an owner who wants to change what was.
@Suite(.endToEnd) struct TeamTrustTests {
  private static let event = "vault_audit.audit_event"

  @Test("rows that somebody adds behind a laptop's last head are unsigned, not whole, and its owner is told whose they are not")
  func unsigned() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 60, laptop: 1)
    let two = try await GeneratedLog(rows: 60, laptop: 2)
    try #require(try await server.ship(one.vault).succeeded)
    try #require(try await server.ship(two.vault, laptop: 2).succeeded)
    #expect(try await server.verify().succeeded)
    try await server.postgres.sql(try await one.forged(rows: 3), as: TeamServer.login(1))
    let found = try await server.verify()
    #expect(found.end == .exit(65) && found.errors.contains("no checkpoint covers"), "\(found.end) \(found.errors)")
    #expect(found.output.contains("signed up to row 60; UNSIGNED: 3 rows after it"), "\(found.output)")
    #expect(found.output.contains("login laptop_2: 60 rows intact, signed up to row 60\n"), "\(found.output)")
    // The laptop itself goes on, and is told the right reason.
    let refused = try await server.ship(one.vault)
    #expect(
      refused.end == .exit(65) && refused.errors.contains("someone without this vault's key: rows 61 to 63"), "\(refused.errors)"
    )
    // Without them it ships again; a head that it did not sign is told of, too.
    try await server.tamper("DELETE FROM \(Self.event) WHERE sequence > 60")
    #expect(try await server.ship(one.vault).succeeded)
    let head =
      "SELECT vault_id, sequence, hash, signed_at, public_key, decode(repeat('00', 64), 'hex') FROM vault_audit.audit_checkpoint"
    try await server.postgres.sql(
      "INSERT INTO vault_audit.audit_checkpoint (vault_id, sequence, hash, signed_at, public_key, signature) \(head)",
      as: TeamServer.login(1))
    let strange = try await server.verify()
    #expect(strange.output.contains("FAIL: the checkpoint at row 60"), "\(strange.output)")
    #expect(strange.output.contains("login laptop_2: 60 rows intact"), "\(strange.output)")
  }

  @Test(
    "numbers that no log reaches, a gap of 2⁶² and a head of neither are refused by the server, and named where its owner lets them in",
    .tags(.slow)
  )
  func numbers() async throws {
    let server = try await TeamServer(laptops: 3)
    var logs: [GeneratedLog] = []
    for number in 1...3 {
      logs.append(try await GeneratedLog(rows: 60, laptop: number))
      try #require(try await server.ship(logs[number - 1].vault, laptop: number).succeeded)
    }
    func gap(_ sequence: String, of vault: String) -> String {
      """
      INSERT INTO \(Self.event) (vault_id, sequence, hash, previous_sequence, previous_hash) VALUES ('\(vault)', \(sequence), sha256('x'), \
      60, (SELECT hash FROM \(Self.event) WHERE vault_id = '\(vault)' AND sequence = 60));
      INSERT INTO vault_audit.audit_checkpoint (vault_id, sequence, hash, signed_at, public_key, signature) \
      SELECT '\(vault)', \(sequence), sha256('x'), 0, public_key, signature FROM vault_audit.audit_checkpoint WHERE vault_id = '\(vault)';
      """
    }
    for sequence in ["9223372036854775807", "4611686018427387904", "1000000000001"] {
      let result = try await server.postgres.run(gap(sequence, of: "vlt_laptop-1"), as: TeamServer.login(1))
      #expect(!result.succeeded && result.errors.contains("audit_event_limits"), "\(result.errors)")
    }
    try await server.postgres.sql("ALTER TABLE \(Self.event) DROP CONSTRAINT audit_event_limits")
    try await server.postgres.sql(gap("9223372036854775807", of: "vlt_laptop-1"), as: TeamServer.login(1))
    try await server.postgres.sql(gap("4611686018427387904", of: "vlt_laptop-2"), as: TeamServer.login(2))
    // Without its head, too: then the row itself is looked at.
    let found = try await server.verify()
    #expect(found.end == .exit(65), "\(found.end) \(found.errors)")
    #expect(
      found.output.contains("vlt_laptop-1 ") && found.output.contains("at row 9223372036854775807 does not match"),
      "\(found.output)")
    #expect(found.output.contains("at row 4611686018427387904 does not match"), "\(found.output)")
    #expect(found.output.contains("login laptop_3: 60 rows intact"), "\(found.output)")
    try await server.tamper("DELETE FROM vault_audit.audit_checkpoint WHERE sequence > 60")
    let bare = try await server.verify()
    #expect(bare.output.contains("a row numbered 9223372036854775807, which is beyond any log"), "\(bare.output)")
    #expect(bare.output.contains("login laptop_3: 60 rows intact"), "\(bare.output)")
    // A form of many megabytes is not taken into memory, and stops nobody else.
    try await server.tamper(
      """
      ALTER TABLE \(Self.event) DROP CONSTRAINT audit_event_form_check; DELETE FROM \(Self.event) WHERE sequence > 60;
      UPDATE \(Self.event) SET form = decode(repeat('00', 100000000), 'hex') WHERE vault_id = 'vlt_laptop-2' AND sequence = 7;
      UPDATE \(Self.event) SET program = repeat('x', 300000000) WHERE vault_id = 'vlt_laptop-1' AND sequence = 7
      """)
    let large = try await server.verify()
    #expect(large.end == .exit(65) && large.output.contains("login laptop_2: FAIL: row 7 was changed"), "\(large.output)")
    #expect(large.output.contains("login laptop_1: FAIL: cannot be read"), "\(large.output)")
    #expect(large.output.contains("login laptop_3: 60 rows intact"), "\(large.output)")
  }

  @Test("a login brings a few vaults that nobody enrolled, and a million of them keeps nobody's log from being proven")
  func vaults() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 60, laptop: 1)
    try #require(try await server.ship(one.vault).succeeded)
    let many =
      "INSERT INTO vault_audit.audit_vault (vault_id, host, user_name) SELECT 'vlt_made-up-' || n, 'h', 'u' FROM generate_series(1, %) n"
    let refused = try await server.postgres.run(many.replacing("%", with: "1000001"), as: TeamServer.login(2))
    #expect(!refused.succeeded && refused.errors.contains("row-level security"), "\(refused.errors)")
    try await server.postgres.sql(many.replacing("%", with: "20"), as: TeamServer.login(2))
    #expect(!(try await server.postgres.run(many.replacing("%", with: "21"), as: TeamServer.login(2))).succeeded)
    try await server.tamper(
      """
      INSERT INTO vault_audit.audit_vault (vault_id, shipper, host, user_name) \
      SELECT 'vlt_more-' || n, 'laptop_2', 'h', 'u' FROM generate_series(1, 999981) n
      """)
    let found = try await server.verify()
    #expect(found.end == .exit(65), "\(found.end) \(found.errors)")
    #expect(found.output.contains("login laptop_2: FAIL: it has 1000001 vaults that are not enrolled"), "\(found.output)")
    #expect(found.output.contains("login laptop_1: 60 rows intact, signed up to row 60\n"), "\(found.output)")
    #expect(found.output.split(separator: "\n").count == 23, "\(found.output)")
  }

  @Test("an enrolled laptop's id and key are its login's: another login cannot bring it first, nor another key")
  func enrolment() async throws {
    let server = try await TeamServer()
    let one = try await GeneratedLog(rows: 60, laptop: 1)
    try await server.enroll(one, laptop: 1)
    for key in ["NULL", "(SELECT public_key FROM vault_audit.audit_enrolment)", "sha256('mine')"] {
      let squatted = try await server.postgres.run(
        "INSERT INTO vault_audit.audit_vault (vault_id, host, user_name, public_key) VALUES ('vlt_laptop-1', 'h', 'u', \(key))",
        as: TeamServer.login(2))
      #expect(!squatted.succeeded && squatted.errors.contains("row-level security"), "\(squatted.errors)")
    }
    let wrong = try await server.ship(one.vault, laptop: 2)
    #expect(wrong.end == .exit(77) && wrong.errors.contains("enrolled for another login"), "\(wrong.end) \(wrong.errors)")
    let before = try await server.verify()
    #expect(
      before.succeeded && before.output.contains("enrolled, no rows yet"), "\(before.output) \(before.errors)")
    try #require(try await server.ship(one.vault).succeeded)
    let two = try await GeneratedLog(rows: 30, laptop: 2)
    try #require(try await server.ship(two.vault, laptop: 2).succeeded)
    let found = try await server.verify()
    let parts = found.output.components(separatedBy: "not enrolled")
    #expect(found.succeeded && parts.count == 2, "\(found.output) \(found.errors)")
    #expect(parts[0].contains("vlt_laptop-1 ") && parts[1].contains("vlt_laptop-2 "), "\(found.output)")
    #expect(try await server.verify("--login", "laptop_1").output.contains("vlt_laptop-2") == false)
    // Who may read, or ship, enrols nothing; who may enrol, no other key over rows that are there.
    for login in [TeamServer.login(2), TeamServer.reader] {
      let result = try await server.postgres.run(
        "SELECT vault_audit.enroll('\(login)', 'vlt_laptop-9 \(String(repeating: "ab", count: 32))')", as: login)
      #expect(!result.succeeded && result.errors.contains("permission denied"), "\(result.errors)")
    }
    try await server.postgres.sql("CREATE ROLE chief LOGIN; SELECT vault_audit.admit('chief', 'vault_enroller')")
    let other = try await server.postgres.run(
      "SELECT vault_audit.enroll('laptop_2', 'vlt_laptop-2 \(String(repeating: "ab", count: 32))')", as: "chief")
    #expect(!other.succeeded && other.errors.contains("with another key"), "\(other.errors)")
    let line = try await two.vault.mustRun("audit", "enroll").trimmingCharacters(in: .newlines)
    try await server.postgres.sql("SELECT vault_audit.enroll('laptop_2', '\(line)')", as: "chief")
    #expect(try await server.verify().output.contains("not enrolled") == false)
  }

  @Test(
    "what the lead's machine has proven it holds the server to: a new key, a shorter log, other rows and a missing laptop are found"
  )
  func memory() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 5_000, laptop: 1)
    let other = try await GeneratedLog(rows: 60, laptop: 2)
    try #require(try await server.ship(log.vault).succeeded)
    try #require(try await server.ship(other.vault, laptop: 2).succeeded)
    let lead = TestVault()
    func verify(_ words: String...) async throws -> Subprocess.Result {
      try await lead.run(words: ["audit", "verify", "--from", server.address] + words)
    }
    #expect(try await verify().succeeded)
    let again = try await verify()
    #expect(again.succeeded && again.output.contains("5000 rows intact, 5000 of them verified earlier"), "\(again.output)")
    let names = try FileManager.default.contentsOfDirectory(atPath: lead.vaultHome).filter { $0.hasSuffix(".verified") }
    let file = lead.vaultHome + "/" + (names.first ?? "")
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(names.count == 1 && mode == 0o600)
    let proven = try String(contentsOfFile: file, encoding: .utf8)
    try await server.postgres.sql(
      "CREATE TABLE e AS TABLE \(Self.event); CREATE TABLE c AS TABLE vault_audit.audit_checkpoint; CREATE TABLE v AS TABLE vault_audit.audit_vault"
    )
    for (change, said) in [
      (
        "UPDATE vault_audit.audit_vault SET public_key = sha256('x') WHERE vault_id = 'vlt_laptop-1'",
        "FAIL: its key differs from the"
      ),
      (
        "DELETE FROM vault_audit.audit_checkpoint WHERE sequence > 4096; DELETE FROM \(Self.event) WHERE sequence > 4096",
        "FAIL: row 5000, the last one verified here, is missing"
      ),
      ("UPDATE \(Self.event) SET hash = sha256('x') WHERE sequence = 5000", "FAIL: row 5000 differs from the one"),
      (
        "DELETE FROM vault_audit.audit_vault WHERE vault_id = 'vlt_laptop-1'",
        "vlt_laptop-1, login laptop_1: MISSING: it was verified here up to row 5000"
      ),
    ] {
      try await server.tamper(change)
      let found = try await verify()
      #expect(found.end == .exit(65) && found.output.contains(said), "\(change): \(found.output)")
      #expect(found.output.contains("login laptop_2: 60 rows intact, 60 of them verified"), "\(found.output)")
      try await server.tamper(
        """
        TRUNCATE \(Self.event), vault_audit.audit_checkpoint, vault_audit.audit_vault; INSERT INTO vault_audit.audit_vault TABLE v;
        INSERT INTO \(Self.event) TABLE e; INSERT INTO vault_audit.audit_checkpoint TABLE c
        """)
    }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == proven)
    // A change before what was proven is found by reading all of it again.
    try await server.tamper("UPDATE \(Self.event) SET program = 'sh' WHERE sequence = 9 AND vault_id = 'vlt_laptop-1'")
    #expect(try await verify().succeeded)
    let full = try await verify("--full")
    #expect(full.end == .exit(65) && full.output.contains("the columns of row 9"), "\(full.output)")
    // A laptop that is gone for good is forgotten by name; a file that is not ours is no proof.
    try await server.tamper("DELETE FROM vault_audit.audit_vault WHERE vault_id = 'vlt_laptop-1'")
    #expect(try await verify("--forget", "vlt_laptop-1").succeeded)
    #expect(try await verify().succeeded)
    try "vault-team-verified-1 elsewhere\n".write(toFile: file, atomically: false, encoding: .utf8)
    #expect(try await verify().end == .exit(65))
  }
}
