import Foundation
import TestSupport

/// A team's PostgreSQL with the tables in it, a login for each of some laptops, and one for who reads.
struct TeamServer {
  let postgres: PostgresServer
  static let reader = "lead"

  init(laptops: Int = 2, certificate: (certificate: String, key: String)? = nil) async throws {
    postgres = try await PostgresServer(certificate: certificate)
    let schema = try await Subprocess.run(try Programs.vault, ["audit", "ship", "--print-schema"], environment: ["HOME": "/"])
    try await postgres.sql("BEGIN;\n\(schema.output)\nCOMMIT;")
    for (login, role) in [(Self.reader, "vault_reader")] + (1...laptops).map({ (Self.login($0), "vault_shipper") }) {
      try await postgres.sql(
        "CREATE ROLE \(login) LOGIN PASSWORD '\(PostgresServer.password)'; SELECT vault_audit.admit('\(login)', '\(role)')")
    }
  }

  static func login(_ laptop: Int) -> String { "laptop_\(laptop)" }

  /// Where a laptop ships to.
  func address(ofLaptop number: Int) -> String { postgres.address(Self.login(number)) }
  /// Where reports come from.
  var address: String { postgres.address(Self.reader) }

  @discardableResult
  func ship(_ vault: TestVault, laptop: Int = 1, _ words: String...) async throws -> Subprocess.Result {
    try await vault.run(words: ["audit", "ship", "--to", address(ofLaptop: laptop)] + words, timeout: 600)
  }

  /// Says that a laptop is a login's, as the server's owner does.
  func enroll(_ log: GeneratedLog, laptop: Int) async throws {
    let line = try await log.vault.mustRun("audit", "enroll").trimmingCharacters(in: .newlines)
    try await postgres.sql("SELECT vault_audit.enroll('\(Self.login(laptop))', '\(line)')")
  }

  /// What `vault audit verify --from` says.
  func verify(_ words: String...) async throws -> Subprocess.Result {
    try await TestVault().run(words: ["audit", "verify", "--from", address] + words, timeout: 600)
  }

  /// Changes what the server holds as its owner can, past every constraint.
  func tamper(_ sql: String) async throws { try await postgres.sql("SET session_replication_role = replica; \(sql)") }
}
