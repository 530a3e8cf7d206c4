import VaultDatabase
import VaultModel
import VaultSecrets

// Sealed rows. Every seal and every destruction is known to the audit log by a version that only grows, so that an old row put back is seen.
extension VaultStore {
  /// The newest version that the log knows of a secret; 0 for one that never was.
  func version(of subject: String) throws -> Int64 {
    try database.statement("SELECT max(subject_version) FROM audit_event WHERE subject = ?").begin().bind(subject).first {
      $0.int(0)
    } ?? 0
  }

  /// Seals a secret for a row, in place of the one it had. The caller logs the version.
  ///
  /// - Returns: the version.
  func seal(_ secret: SecretBytes, table: String, row: String, profile: String, role: String) throws -> Int64 {
    guard let sealer else { throw StoreError.locked }
    let version = try version(of: row) + 1
    let now = clock.now()
    let place = SealedPlace(
      table: table, row: row, column: "credential", profile: profile, role: role, version: version, createdAt: now)
    try database.statement(
      """
      INSERT INTO secret (owner_table, owner_id, record_version, key_id, created_at, envelope) VALUES (?, ?, ?, ?, ?, ?) \
      ON CONFLICT (owner_table, owner_id) DO UPDATE SET record_version = excluded.record_version, key_id = excluded.key_id, \
      created_at = excluded.created_at, envelope = excluded.envelope
      """
    ).begin().bind(table).bind(row).bind(version).bind(sealer.id.bytes).bind(now.milliseconds).bind(
      sealer.seal(secret, at: place)
    ).run()
    return version
  }

  /// - Throws: `SealError` where the row is not the one that was sealed last.
  func open(table: String, row: String, profile: String, role: String) throws -> SecretBytes {
    guard let sealer else { throw StoreError.locked }
    let found = try database.statement(
      "SELECT record_version, created_at, envelope FROM secret WHERE owner_table = ? AND owner_id = ?"
    )
    .begin().bind(table).bind(row).first { (version: $0.int(0), createdAt: $0.int(1), envelope: $0.blob(2)) }
    guard let found else { throw SealError.malformed(row: "\(table) \(row)") }
    let place = SealedPlace(
      table: table, row: row, column: "credential", profile: profile, role: role, version: found.version,
      createdAt: Timestamp(milliseconds: found.createdAt))
    let secret = try sealer.open(found.envelope, at: place)
    guard found.version == (try version(of: row)) else { throw SealError.replayed(row: "\(table) \(row)") }
    return secret
  }

  /// Destroys a secret; nothing happens where there is none. The caller logs the version.
  ///
  /// - Returns: the version that no secret will have.
  func destroy(table: String, row: String) throws -> Int64 {
    try database.statement("DELETE FROM secret WHERE owner_table = ? AND owner_id = ?").begin().bind(table).bind(row).run()
    return try version(of: row) + 1
  }
}
