import Foundation
import TestSupport

/// A vault that `bench/audit_log.py` made: an audit log of so many rows, and no agent.
struct GeneratedLog: SharedFixture {
  let vault = TestVault()

  /// The log that the tests of a suite share.
  static func shared(rows: Int, hostile: Bool = false) async throws -> GeneratedLog {
    try await shared("\(rows) \(hostile)") { try await GeneratedLog(rows: rows, hostile: hostile) }
  }

  /// Every row of every table.
  func state() async throws -> String {
    try await Subprocess.run("/usr/bin/sqlite3", ["-readonly", vault.database, ".sha3sum"], environment: [:]).output
  }

  /// - Parameters:
  ///   - hostile: every text is one that attacks terminals, spreadsheets, browsers or parsers.
  ///   - laptop: makes it a laptop of a team's, `vlt_laptop-N`, whose rows have their codes; the key for them is in `auditor.key`.
  ///   - runs: the share of rows that stand in runs of `exec --automation`.
  init(rows: Int, hostile: Bool = false, days: Int = 30, laptop: Int? = nil, runs: Double = 0) async throws {
    let script = Repository.root.appending(path: "bench/audit_log.py").path
    let result = try await Subprocess.run(
      try Programs.python,
      [script, vault.vaultHome, String(rows), "--days", String(days), "--now", "1795000000000", "--runs", String(runs)]
        + (hostile ? ["--hostile"] : [])
        + (laptop.map { ["--vault", "vlt_laptop-\($0)", "--host", "laptop-\($0)", "--seed", String($0), "--codes"] } ?? []),
      environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"], timeout: 600)
    try Self.require(result)
  }

  /// What stands in the database, by SQLite's own shell.
  func query(_ sql: String) async throws -> [[String: Any]] {
    let result = try await Subprocess.run(
      "/usr/bin/sqlite3", ["-readonly", "-json", vault.database, sql], environment: ["PATH": "/usr/bin:/bin"])
    try Self.require(result)
    return try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [[String: Any]] ?? []
  }

  /// Writes to the file behind the vault's back.
  func change(_ sql: String) async throws {
    try Self.require(
      try await Subprocess.run(
        "/usr/bin/sqlite3", ["-bail", "-cmd", ".dbconfig enable_trigger off", vault.database, sql],
        environment: ["PATH": "/usr/bin:/bin"]))
  }

  /// The lines of an export, without what ends them.
  func export(_ words: String...) async throws -> [String] {
    let result = try await vault.run(words: ["audit", "export"] + words)
    try Self.require(result)
    return result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  func objects(_ words: String...) async throws -> [[String: Any]] {
    let result = try await vault.run(words: ["audit", "export"] + words)
    try Self.require(result)
    return try result.outputBytes.split(separator: 10).map {
      try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] ?? [:]
    }
  }

  private static func require(_ result: Subprocess.Result) throws {
    guard result.succeeded else { throw Failed(end: result.end, errors: result.errors) }
  }

  /// A program that the log needs did not succeed.
  struct Failed: Error {
    let end: ProgramEnd
    let errors: String
  }
}
