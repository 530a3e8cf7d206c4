import Foundation
import Glibc
import TestSupport
import Testing

/// The way to the team's server: who is let in, and who is believed to be it.
@Suite(.endToEnd) struct TeamConnectionTests {
  /// An authority of our own, and a server's certificate of its making for one name.
  private struct Certificates {
    let authority: String
    let server: (certificate: String, key: String)

    init(name: String, in folder: TemporaryDirectory) async throws {
      func openssl(_ words: String...) async throws {
        let result = try await Subprocess.run(
          "/usr/bin/openssl", words, environment: ["PATH": "/usr/bin:/bin"], directory: folder.path)
        try #require(result.succeeded, "\(result.errors)")
      }
      try await openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key", "-out",
        "ca.crt", "-days",
        "2", "-subj", "/CN=team authority")
      try await openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key", "-out",
        "server.csr", "-subj",
        "/CN=\(name)")
      folder.write("subjectAltName=DNS:\(name)\n", to: "names")
      try await openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
        "names", "-out",
        "server.crt")
      authority = folder.file("ca.crt")
      server = (
        try String(contentsOfFile: folder.file("server.crt"), encoding: .utf8),
        try String(contentsOfFile: folder.file("server.key"), encoding: .utf8)
      )
    }
  }

  @Test("a server that is not on this machine must prove who it is, and gets the password from a file")
  func encrypted() async throws {
    let folder = TemporaryDirectory()
    let certificates = try await Certificates(name: "db.example.test", in: folder)
    let server = try await TeamServer(certificate: certificates.server)
    let log = try await GeneratedLog(rows: 300, laptop: 1)
    let escaped = PostgresServer.password.replacing("\\", with: "\\\\").replacing(":", with: "\\:")
    let passwords = folder.write("*:*:*:laptop_1:\(escaped)\n*:*:*:lead:\(escaped)\n", to: "pgpass")
    func address(_ host: String, _ more: String = "", user: String = "laptop_1") -> String {
      "postgresql://\(user)@\(host):\(server.postgres.port)/postgres?hostaddr=127.0.0.1\(more)"
    }
    let root = "&sslrootcert=\(certificates.authority)"
    func ship(_ address: String, _ file: String = passwords) async throws -> Subprocess.Result {
      try await log.vault.mustRun("config", "audit_passfile", file)
      return try await log.vault.run(words: ["audit", "ship", "--to", address])
    }
    let unknown = try await ship(address("db.example.test"))
    #expect(
      unknown.end == .exit(77) && unknown.errors.contains("certificate") && unknown.errors.contains("root.crt"),
      "\(unknown.errors)")
    let stranger = try await ship(address("other.example.test", root))
    #expect(stranger.end == .exit(77) && stranger.errors.contains("other.example.test"), "\(stranger.errors)")
    let without = try await ship(address("db.example.test", root), "/dev/null")
    #expect(without.end == .exit(77) && without.errors.contains("~/.pgpass"), "\(without.errors)")
    let wrong = try await ship(address("db.example.test", root), folder.write("*:*:*:*:wrong\n", to: "wrong"))
    #expect(wrong.end == .exit(77), "\(wrong.errors)")
    #expect(try await server.postgres.sql("SELECT count(*) FROM vault_audit.audit_event") == "0")
    let good = try await ship(address("db.example.test", root))
    #expect(good.succeeded && good.output.hasPrefix("300 rows shipped"), "\(good.errors)")
    let weak = try await ship(address("db.example.test", "&sslmode=require"))
    #expect(weak.succeeded && weak.errors.contains("not verified"), "\(weak.errors)")
    let report = try await log.vault.run(
      words: ["audit", "stats", "--format", "json", "--from", address("db.example.test", root, user: "lead")])
    #expect(report.succeeded, "\(report.errors)")
    let everything = [unknown, stranger, without, wrong, good, weak, report].map { $0.output + $0.errors }.joined()
    #expect(!everything.contains("pass word"))
  }

  @Test("a server that does not encrypt is refused where it is elsewhere")
  func unencrypted() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 10, laptop: 1)
    let passwords = log.vault.folder.write("*:*:*:*:\(PostgresServer.password)\n", to: "pgpass")
    let result = try await log.vault.run(
      "audit", "ship", "--to",
      "postgresql://laptop_1@db.example.test:\(server.postgres.port)/postgres?hostaddr=127.0.0.1&passfile=\(passwords)")
    #expect(result.end == .exit(77), "\(result.end) \(result.errors)")
    #expect(try await server.postgres.sql("SELECT count(*) FROM vault_audit.audit_event") == "0")
  }

  @Test(
    "an address with a password, or that is none, is refused before anything is asked",
    arguments: [
      "postgresql://lead:secret@/team", "postgresql://lead@/team?password=secret", "postgresql://lead@/team?sslpassword=secret",
      "mysql://x",
      "host=/tmp user=lead", "", "postgresql://lead@/team?nonsense=1", "postgresql://[::1", "/etc/passwd",
    ])
  func addresses(address: String) async throws {
    let vault = TestVault()
    for words in [["audit", "ship", "--to", address], ["audit", "--from", address], ["audit", "verify", "--from", address]] {
      let result = try await vault.run(words: words)
      #expect(result.end == .exit(64) && !result.errors.contains("internal fault"), "\(words): \(result.end) \(result.errors)")
      #expect(result.output.isEmpty && !result.errors.contains("secret"), "\(result.errors)")
    }
  }

  @Test("no server, no tables, and no right are told apart, and so is a vault that is not there yet")
  func absent() async throws {
    let vault = TestVault()
    let log = try await GeneratedLog(rows: 10, laptop: 1)
    let gone = try await vault.run("audit", "--from", "postgresql://lead@127.0.0.1:1/team")
    #expect(gone.end == .exit(69) && gone.output.isEmpty, "\(gone.end) \(gone.errors)")
    let postgres = try await PostgresServer()
    let bare = try await log.vault.run("audit", "ship", "--to", postgres.address(PostgresServer.owner))
    #expect(bare.end == .exit(78) && bare.errors.contains("--print-schema"), "\(bare.end) \(bare.errors)")
    let stranger = try await log.vault.run("audit", "ship", "--to", postgres.address("nobody_known"))
    #expect(stranger.end == .exit(77), "\(stranger.end) \(stranger.errors)")
    let server = try await TeamServer()
    try await server.postgres.sql("CREATE ROLE outsider LOGIN")
    let forbidden = try await log.vault.run("audit", "--from", server.postgres.address("outsider"))
    #expect(forbidden.end == .exit(77) && forbidden.errors.contains("vault_reader"), "\(forbidden.end) \(forbidden.errors)")
    #expect(try await vault.run("audit", "ship", "--to", server.address(ofLaptop: 1)).end == .exit(66))
    #expect(try await server.verify().end == .exit(66))
    let empty = try await vault.run("audit", "--from", server.address)
    #expect(empty.succeeded && empty.errors.contains("no matching rows"), "\(empty.errors)")
    #expect(try await vault.run("audit", "--follow", "--from", server.address).end == .exit(64))
    #expect(try await vault.run("audit", "ship").end == .exit(64))
  }

  @Test("a setting says where to ship, and takes no password")
  func setting() async throws {
    let server = try await TeamServer()
    let log = try await GeneratedLog(rows: 20, laptop: 1)
    #expect(try await log.vault.run("config", "audit_ship_to", "postgresql://me:secret@/team").end == .exit(64))
    try await log.vault.mustRun("config", "audit_ship_to", server.address(ofLaptop: 1))
    #expect(try await log.vault.mustRun("audit", "ship").hasPrefix("20 rows shipped"))
    #expect(try await log.vault.mustRun("config").contains("audit_ship_to"))
  }
}
