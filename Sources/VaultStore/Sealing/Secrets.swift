import VaultDatabase
import VaultModel
import VaultSecrets

// Sealed rows. The audit log has a version for every seal and every destruction, which only grows, so that an old row put back is
// detected.
extension VaultStore {
  /// The newest version of a secret in the log; 0 if it never existed.
  func version(of subject: String) throws -> Int64 {
    try database.statement("SELECT max(subject_version) FROM audit_event WHERE subject = ?").begin().bind(subject).first {
      $0.int(0)
    } ?? 0
  }

  /// Seals a secret for a row, replacing any earlier one. The caller logs the version.
  ///
  /// - Returns: the version.
  func seal(_ secret: SecretBytes, for owner: SecretIdentity) throws -> Int64 {
    guard let cipher else { throw StoreError.locked }
    let place = AssociatedData(owner: owner, version: try version(of: owner.row) + 1, createdAt: clock.now())
    try database.statement(
      """
      INSERT INTO secret (owner_table, owner_id, record_version, key_id, created_at, envelope) VALUES (?, ?, ?, ?, ?, ?) \
      ON CONFLICT (owner_table, owner_id) DO UPDATE SET record_version = excluded.record_version, key_id = excluded.key_id, \
      created_at = excluded.created_at, envelope = excluded.envelope
      """
    ).begin().bind(owner.table).bind(owner.row).bind(place.version).bind(cipher.id.bytes).bind(place.createdAt.milliseconds)
      .bind(cipher.seal(secret, at: place)).runOnce()
    return place.version
  }

  /// - Throws: `SealError` if the row is not the one that was sealed last.
  func open(_ owner: SecretIdentity) throws -> SecretBytes {
    guard let cipher else { throw StoreError.locked }
    let found = try database.statement(
      "SELECT record_version, created_at, envelope FROM secret WHERE owner_table = ? AND owner_id = ?"
    )
    .begin().bind(owner.table).bind(owner.row).first { (version: $0.int(0), createdAt: $0.int(1), envelope: $0.blob(2)) }
    guard let found else { throw SealError.malformed(row: owner.name) }
    let place = AssociatedData(owner: owner, version: found.version, createdAt: Timestamp(milliseconds: found.createdAt))
    let secret = try cipher.open(found.envelope, at: place)
    guard found.version == (try version(of: owner.row)) else { throw SealError.replayed(row: owner.name) }
    return secret
  }

  /// Destroys a secret; does nothing if there is none. The caller logs the version.
  ///
  /// - Returns: a version that no secret will have.
  func destroy(table: String, row: String) throws -> Int64 {
    try database.statement("DELETE FROM secret WHERE owner_table = ? AND owner_id = ?").begin().bind(table).bind(row).run()
    return try version(of: row) + 1
  }

  /// Every sealed secret with its associated data, from the current tables.
  ///
  /// - Throws: `SealError.notAuthentic` for a secret that belongs to no row, if `isStrict`.
  func sealedRows(isStrict: Bool = true) throws -> [(place: AssociatedData, envelope: [UInt8])] {
    func found(_ owner: SecretIdentity, _ row: Statement, from first: Int32) -> (place: AssociatedData, envelope: [UInt8]) {
      let place = AssociatedData(
        owner: owner, version: row.int(first), createdAt: Timestamp(milliseconds: row.int(first + 1)))
      return (place, row.blob(first + 2))
    }
    let sessions = try database.statement(
      """
      SELECT s.id, s.profile_id, s.kind, s.fingerprint, s.role_arn, s.role_session_name, s.source_identity, s.access_key_id, s.issued_at, \
      s.expires_at, s.ended_at, s.end_reason, s.replaced_by, s.deliveries, s.last_used_at, p.name, x.record_version, x.created_at, x.envelope \
      FROM secret x JOIN session s ON s.id = x.owner_id JOIN profile p ON p.id = s.profile_id WHERE x.owner_table = 'session'
      """
    ).begin().rows { row in
      found(SecretIdentity(try SessionRows.read(row, from: 0, profile: row.text(15))), row, from: 16)
    }
    let keys = try database.statement(
      """
      SELECT k.id, k.name, k.access_key_id, k.mfa_serial, k.origin, k.created_at, x.record_version, x.created_at, x.envelope \
      FROM secret x JOIN access_key k ON k.id = x.owner_id WHERE x.owner_table = 'access_key'
      """
    ).begin().rows { found(SecretIdentity(AccessKeyRows.read($0)), $0, from: 6) }
    let signIns = try database.statement(
      """
      SELECT s.id, s.name, s.start_url, s.region, s.scopes, s.signed_in_at, s.expires_at, s.is_renewable, s.client_ends, \
      x.record_version, x.created_at, x.envelope FROM secret x JOIN sign_in s ON s.id = x.owner_id WHERE x.owner_table = 'sign_in'
      """
    ).begin().rows { found(SecretIdentity(SignInRows.read($0)), $0, from: 9) }
    let clients = try database.statement(
      """
      SELECT c.start_url, c.region, c.scopes, c.flow, c.client_id, c.expires_at, c.id, x.record_version, x.created_at, x.envelope \
      FROM secret x JOIN sso_client c ON c.id = x.owner_id WHERE x.owner_table = 'sso_client'
      """
    ).begin().rows { row in
      let client = SSOClientRecord(
        startURL: row.text(0), region: row.text(1), scopes: row.text(2), flow: SignInFlow(rawValue: row.text(3)) ?? .device,
        clientId: row.text(4), expiresAt: Timestamp(milliseconds: row.int(5)), id: row.text(6))
      return found(SecretIdentity(client), row, from: 7)
    }
    let devices = try database.statement(
      """
      SELECT t.id, t.mfa_serial, x.record_version, x.created_at, x.envelope \
      FROM secret x JOIN totp t ON t.id = x.owner_id WHERE x.owner_table = 'totp'
      """
    ).begin().rows { found(SecretIdentity(MFASecretRecord(id: $0.text(0), mfaSerial: $0.text(1))), $0, from: 2) }
    let nobodys = try database.statement(
      """
      SELECT owner_table || ' ' || owner_id FROM secret x WHERE CASE owner_table \
      WHEN 'session' THEN NOT EXISTS (SELECT 1 FROM session s WHERE s.id = x.owner_id) \
      WHEN 'sign_in' THEN NOT EXISTS (SELECT 1 FROM sign_in s WHERE s.id = x.owner_id) \
      WHEN 'sso_client' THEN NOT EXISTS (SELECT 1 FROM sso_client c WHERE c.id = x.owner_id) \
      WHEN 'totp' THEN NOT EXISTS (SELECT 1 FROM totp t WHERE t.id = x.owner_id) \
      ELSE NOT EXISTS (SELECT 1 FROM access_key k WHERE k.id = x.owner_id) END LIMIT 1
      """
    ).begin().first { $0.text(0) }
    if let nobodys, isStrict { throw SealError.notAuthentic(row: nobodys) }
    return sessions + keys + signIns + clients + devices
  }
}
