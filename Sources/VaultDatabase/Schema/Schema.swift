import Glibc
import VaultModel

/// The migrations, compiled into the program, in order.
public enum Schema {
  static let migrations: [[UInt8]] = [
    PackageResources._001_vault_sql, PackageResources._002_sign_ins_sql, PackageResources._003_audit_evidence_sql,
    PackageResources._004_credentials_links_sql, PackageResources._005_leases_sql,
    PackageResources._006_row_codes_sql, PackageResources._007_deferred_indexes_sql,
    PackageResources._008_audit_forms_sql, PackageResources._009_iam_checks_sql,
    PackageResources._010_scope_and_automation_sql, PackageResources._011_automation_adopters_sql,
  ]
  /// From this version on, the newest audit rows are not indexed yet.
  package static let deferredIndexes: Int64 = 7
  /// From this version on, the findings of `vault iam check` are kept.
  static let iamChecks: Int64 = 9
  /// From this version on, rows have the processes above the requester.
  package static let ancestors: Int64 = 10
  /// The value of `PRAGMA user_version` after the last migration.
  public static var version: Int64 { Int64(migrations.count) }

  /// Opens the vault's database for its only writer: checks the file, and creates it or, after copying it, migrates it.
  ///
  /// - Throws: `DatabaseError.newerSchema` before anything is written.
  public static func openForWriting(path: String, now: Timestamp) throws -> (database: Database, migratedFrom: Int64?) {
    let exists = try DatabaseFile.check(path)
    // Checked without write access: the file of a newer vault is never touched, not even by a WAL recovery.
    if exists {
      do {
        try requireOwn(Database(path: path, access: .readOnly))
      } catch DatabaseError.halfWritten {
        // Such a journal exists only before a new file is in WAL mode. Any writer can roll it back.
        try requireOwn(Database(path: path, access: .readWrite))
      }
    }
    let before = umask(0o077)
    defer { umask(before) }
    if !exists { DatabaseFile.make(path) }
    let database = try Database(path: path, access: .readWrite)
    try database.execute(
      "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA cache_size = -768"
    )
    let found = try currentVersion(database)
    if found < version {
      if found > 0 { try copy(database, version: found, now: now) }
      for number in Int(found)..<migrations.count { try migrate(database, to: number + 1) }
    }
    _ = try DatabaseFile.check(path)
    try check(database)
    database.restrict()
    return (database, found == 0 || found == version ? nil : found)
  }

  /// - Throws: if a newer program wrote the file, or it is not a database.
  package static func requireKnown(_ database: Database) throws {
    let found = try currentVersion(database)
    guard found >= 0 else { throw DatabaseError.foreignSchema(path: database.path, what: "its version is \(found)") }
    guard found <= version else { throw DatabaseError.newerSchema(path: database.path, found: found, known: version) }
  }

  /// - Throws: also if the tables are not the vault's, or not those of the stated version: migrations would run over them.
  private static func requireOwn(_ database: Database) throws {
    try requireKnown(database)
    try check(database)
  }

  package static func currentVersion(_ database: Database) throws -> Int64 {
    try database.prepare("PRAGMA user_version").begin().first { $0.int(0) } ?? 0
  }

  /// Creates the tables in an empty database.
  package static func make(in database: Database) throws {
    for number in 1...migrations.count { try migrate(database, to: number) }
  }

  static func migrate(_ database: Database, to number: Int) throws {
    let sql = String(decoding: migrations[number - 1], as: UTF8.self)
    try database.transaction {
      try database.execute(sql)
      try database.execute("PRAGMA user_version = \(number)")
    }
  }

  /// `vault.db.before-2-20261123T140300Z`: the file before the migration.
  private static func copy(_ database: Database, version: Int64, now: Timestamp) throws {
    let path = "\(database.path).before-\(Self.version)-\(now.iso8601Basic)"
    unlink(path)
    DatabaseFile.make(path)
    try database.prepare("VACUUM INTO ?").begin().bind(path).run()
  }
}
