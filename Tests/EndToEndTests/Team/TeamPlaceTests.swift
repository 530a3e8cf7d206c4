import Foundation
import Glibc
import TestSupport
import Testing

/// Where a log and a password go: by the address and the vault's settings, and never by the folder one stands in.
@Suite(.endToEnd) struct TeamPlaceTests {
  /// A port that tells whether anybody came.
  private struct Trap {
    let listener = try? LoopbackListener()
    var port: String { String(listener?.port ?? 0) }
    var wasCalled: Bool {
      guard let listener else { return true }
      var one = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
      return poll(&one, 1, 0) != 0
    }
  }

  @Test("no variable of libpq's leads the log or a password anywhere, neither a laptop's nor the lead's")
  func variables() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 40, laptop: 1)
    let trap = Trap()
    let folder = log.vault.folder
    let services = folder.write("[evil]\nhost=127.0.0.1\nport=\(trap.port)\nsslmode=disable\n", to: "services")
    folder.write("[evil]\nhost=127.0.0.1\nport=\(trap.port)\n", to: "pg_service.conf")
    let hostile = [
      "PGHOSTADDR": "127.0.0.1", "PGPORT": trap.port, "PGHOST": "127.0.0.1", "PGSSLMODE": "disable", "PGREQUIRESSL": "0",
      "PGSSLROOTCERT": folder.write("x", to: "evil.crt"), "PGSERVICE": "evil", "PGSERVICEFILE": services,
      "PGSYSCONFDIR": folder.path,
      "PGPASSFILE": folder.write("*:*:*:*:theirs\n", to: "evil.pass"), "PGPASSWORD": "theirs", "PGUSER": "mallory",
      "PGDATABASE": "theirs", "PGOPTIONS": "-c search_path=evil", "PGTARGETSESSIONATTRS": "read-only", "PGGSSENCMODE": "require",
      "PGKRBSRVNAME": "evil", "PGREQUIREPEER": "nobody-at-all", "PGCONNECT_TIMEOUT": "1", "OPENSSL_CONF": folder.file("none"),
    ]
    func run(_ words: [String], _ environment: [String: String]) async throws -> Subprocess.Result {
      try await log.vault.run(words: words, environment: environment)
    }
    for (name, value) in hostile {
      let result = try await run(["audit", "ship", "--to", server.address(ofLaptop: 1)], [name: value])
      #expect(result.succeeded, "\(name): \(result.end) \(result.errors)")
    }
    // A name that leads nowhere, unless a variable says where.
    let away = "postgresql://laptop_1@db.invalid/postgres"
    for words in [["audit", "ship", "--to", away], ["audit", "verify", "--from", away], ["audit", "stats", "--from", away]] {
      let result = try await run(words, hostile)
      #expect(result.end == .exit(69) && result.errors.contains("PGHOSTADDR"), "\(words): \(result.end) \(result.errors)")
    }
    #expect(!trap.wasCalled)
    let read = try await run(["audit", "stats", "--from", server.address], hostile)
    #expect(read.succeeded, "\(read.errors)")
    #expect(!trap.wasCalled)
  }

  @Test("a password's file and a service's count where the settings or the address name them")
  func files() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 20, laptop: 1)
    let escaped = PostgresServer.password.replacing("\\", with: "\\\\").replacing(":", with: "\\:")
    let passwords = log.vault.folder.write("*:*:*:*:\(escaped)\n", to: "pgpass")
    let services = log.vault.folder.write(
      "[team]\nhost=127.0.0.1\nport=\(server.postgres.port)\ndbname=postgres\n", to: "services")
    let plain = "postgresql://laptop_1@127.0.0.1:\(server.postgres.port)/postgres"
    let without = try await log.vault.run("audit", "ship", "--to", plain, environment: ["PGPASSFILE": passwords])
    #expect(without.end == .exit(77) && without.errors.contains("audit_passfile"), "\(without.end) \(without.errors)")
    #expect(try await log.vault.run("config", "audit_passfile", "pgpass").end == .exit(64))
    try await log.vault.mustRun("config", "audit_passfile", passwords)
    #expect(try await log.vault.mustRun("audit", "ship", "--to", plain).hasPrefix("20 rows shipped"))
    let service = "postgresql://laptop_1@/?service=team&sslmode=prefer"
    let unknown = try await log.vault.run("audit", "ship", "--to", service, environment: ["PGSERVICEFILE": services])
    #expect(!unknown.succeeded, "\(unknown.output)")
    try await log.vault.mustRun("config", "audit_service_file", services)
    #expect(try await log.vault.mustRun("audit", "ship", "--to", service).contains("rows 1 to 20"))
  }

  @Test("a folder's VAULT_AUDIT_SHIP_TO is refused, and names one of the trusted servers at most")
  func shipTo() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 20, laptop: 1)
    let trap = Trap()
    let evil = "postgresql://me@127.0.0.1:\(trap.port)/x"
    func ship(_ wish: String) async throws -> Subprocess.Result {
      try await log.vault.run("audit", "ship", environment: ["VAULT_AUDIT_SHIP_TO": wish])
    }
    func expectRefused(_ wish: String) async throws {
      let result = try await ship(wish)
      #expect(result.end == .exit(77) && result.errors.contains("vault config audit_ship_to"), "\(result.end) \(result.errors)")
    }
    try await expectRefused(evil)
    try await log.vault.mustRun("config", "audit_ship_to", server.address(ofLaptop: 1))
    try await expectRefused(evil)
    #expect(!trap.wasCalled)
    let same = try await ship(server.address(ofLaptop: 1))
    #expect(same.output.hasPrefix("20 rows shipped"), "\(same.errors)")
    // A trusted host, and no query behind it that leads elsewhere.
    let config = try String(contentsOfFile: log.vault.vaultHome + "/config", encoding: .utf8)
    try (config + "trusted_endpoints = https://x.test postgresql://127.0.0.1:\(trap.port)\n").write(
      toFile: log.vault.vaultHome + "/config", atomically: false, encoding: .utf8)
    for other in ["?hostaddr=127.0.0.2", "?host=127.0.0.2", "?service=x"] { try await expectRefused(evil + other) }
    try await expectRefused("postgresql://me@127.0.0.1:1/x")
    #expect(!trap.wasCalled)
  }
}
