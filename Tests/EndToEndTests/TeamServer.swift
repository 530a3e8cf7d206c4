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
    try await postgres.makeLogin(Self.reader, in: "vault_reader")
    for number in 1...laptops { try await postgres.makeLogin(Self.login(number), in: "vault_shipper") }
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

  /// What `vault audit verify --from` says.
  func verify(_ words: String...) async throws -> Subprocess.Result {
    try await TestVault().run(words: ["audit", "verify", "--from", address] + words, timeout: 600)
  }

  /// Changes what the server holds as its owner can, past every constraint.
  func tamper(_ sql: String) async throws { try await postgres.sql("SET session_replication_role = replica; \(sql)") }
}
