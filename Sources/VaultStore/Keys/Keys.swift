import VaultDatabase
import VaultModel
import VaultSecrets

// The master key's rows, and resealing everything.
extension VaultStore {
  public var isUnlocked: Bool { cipher != nil }

  public func keyRecords() throws -> [KeyRecord] { try KeyRows.all(in: database) }

  /// Drops the keys. Nothing can be sealed or opened until ``unlock(key:id:)``.
  public func lock() {
    cipher = nil
    successor = nil
    trust = RowTrust()
    withdrawals.lock()
  }

  /// Adds a vault's first key, and creates the keys of its log with it, in one step: if a vault has a key but its log has no keys,
  /// somebody removed them.
  ///
  /// - Throws: `StoreError.keyExists` if the vault has one in any state; `.chainBroken` if it holds something that only a key can
  ///   have sealed.
  public func create(key: SecretBytes, id: KeyID, store: String, requester: Requester) throws {
    let fresh = EnvelopeCipher(master: key, id: id, epoch: EnvelopeCipher.randomEpoch())
    guard try keyRecords().isEmpty else { throw StoreError.keyExists }
    let sealed = try database.statement("SELECT (SELECT count(*) FROM secret) + (SELECT count(*) FROM audit_key)").begin().first {
      $0.int(0)
    }
    guard sealed == 0 else { throw StoreError.chainBroken("there are sealed secrets in a vault that has no key") }
    cipher = fresh
    // Rows from before the key have no valid MAC, and lead nowhere.
    trust = RowTrust()
    do {
      try beginAuditKeys(
        requester, creating: KeyRecord(id: id, state: .active, store: store, check: fresh.check, createdAt: clock.now()))
    } catch {
      cipher = nil
      throw error
    }
  }

  /// Call within a transaction: adds the row of the first key, which is the cipher's.
  func insert(_ key: KeyRecord) throws {
    try database.statement(
      "INSERT INTO master_key (key_id, state, store, key_check, created_at, epoch) VALUES (?, ?, ?, ?, ?, ?)"
    ).begin().bind(key.id.bytes).bind(key.state.rawValue).bind(key.store).bind(key.check).bind(key.createdAt.milliseconds)
      .bind(cipher?.epoch).runOnce()
  }

  /// - Throws: `StoreError.wrongKey` if this is not the key that sealed the vault.
  public func unlock(key: SecretBytes, id: KeyID) throws {
    try Schema.check(database)
    guard let record = try keyRecords().first(where: { $0.id == id && $0.state == .active }) else {
      throw StoreError.unknownKey(id)
    }
    let candidate = EnvelopeCipher(master: key, id: id, epoch: try epoch(of: id))
    guard candidate.check == record.check else { throw StoreError.wrongKey(id) }
    cipher = candidate
    successor = candidate.epoch == nil ? EnvelopeCipher(master: key, id: id, epoch: EnvelopeCipher.randomEpoch()) : nil
    trust = RowTrust()
  }

  private func epoch(of id: KeyID) throws -> Int64? {
    try database.statement("SELECT epoch FROM master_key WHERE key_id = ?").begin().bind(id.bytes).first { $0.optionalInt(0) }
      ?? nil
  }

  /// Whether this is the key that sealed the vault.
  public func opens(_ key: SecretBytes, id: KeyID) throws -> Bool {
    guard let record = try keyRecords().first(where: { $0.id == id && $0.state == .active }) else { return false }
    return EnvelopeCipher(master: key, id: id, epoch: try epoch(of: id)).check == record.check
  }

  /// Records that the key is now kept elsewhere.
  public func moveKey(_ id: KeyID, to store: String) throws {
    try database.transaction {
      try database.statement("UPDATE master_key SET store = ?1 WHERE key_id = ?2 AND store <> ?1").begin().bind(store).bind(
        id.bytes
      )
      .run()
    }
  }

  // MARK: changing the key

  /// Announces a key that is about to be added to the key store.
  public func prepareKey(_ id: KeyID, store: String) throws {
    try database.transaction {
      try database.statement("INSERT INTO master_key (key_id, state, store, created_at) VALUES (?, 'prepared', ?, ?)")
        .begin().bind(id.bytes).bind(store).bind(clock.now().milliseconds).run()
    }
  }

  /// Reseals every secret under a new key, in one transaction: before its commit all rows open with the old key, after it with the
  /// new one.
  ///
  /// - Returns: the number of resealed rows.
  public func reseal(with key: SecretBytes, id: KeyID, requester: Requester) throws -> Int {
    let oldMACs = try authenticRows()
    guard let old = cipher else { throw StoreError.locked }
    let new = EnvelopeCipher(master: key, id: id, epoch: EnvelopeCipher.randomEpoch())
    var isDone = false
    defer { if !isDone { cipher = old } }
    let count = try change { vault in
      let count = try vault.resealRows(from: old, to: new)
      try vault.resealAuditKeys(from: old, to: new)
      try vault.rebindRows(from: oldMACs, to: RowMACs(key: new.rowKey, vaultId: vault.vaultId))
      try vault.database.statement("UPDATE master_key SET state = 'retiring' WHERE state = 'active'").begin().run()
      try vault.database.statement(
        "UPDATE master_key SET state = 'active', key_check = ?, epoch = ? WHERE key_id = ? AND state = 'prepared'"
      )
      .begin().bind(new.check).bind(new.epoch).bind(id.bytes).run()
      guard vault.database.changes == 1 else { throw StoreError.unknownKey(id) }
      var event = AuditEvent(action: .keyRotated, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "\(count) secrets from key \(old.id) to \(id)"
      // The row may seal the log's own key.
      vault.cipher = new
      if vault.trust.files != .asWritten { try vault.forgetFileRows() }
      try vault.bindRows(event)
      return count
    }
    isDone = true
    return count
  }

  /// - Parameter isStrict: whether a secret that does not open is an error; otherwise it stays unchanged.
  func resealRows(from old: EnvelopeCipher, to new: EnvelopeCipher, isStrict: Bool = true) throws -> Int {
    let rows = try sealedRows(isStrict: isStrict)
    let update = try database.statement("UPDATE secret SET key_id = ?, envelope = ? WHERE owner_table = ? AND owner_id = ?")
    for row in rows {
      guard let secret = isStrict ? try old.open(row.envelope, at: row.place) : try? old.open(row.envelope, at: row.place) else {
        continue
      }
      let owner = row.place.owner
      try update.begin().bind(new.id.bytes).bind(new.seal(secret, at: row.place)).bind(owner.table).bind(owner.row).run()
    }
    return rows.count
  }

  /// The old key has been removed from the key store.
  public func finishRotation(retired id: KeyID) throws {
    try database.transaction {
      try database.statement("UPDATE master_key SET state = 'retired' WHERE key_id = ? AND state = 'retiring'").begin().bind(
        id.bytes
      ).run()
    }
  }

  /// Drops a key that was announced and never used: its row is removed, and the log says so.
  public func abandonPreparedKey(_ id: KeyID, requester: Requester) throws {
    try change { vault in
      try vault.database.statement("DELETE FROM master_key WHERE key_id = ? AND state = 'prepared'").begin().bind(id.bytes).run()
      guard vault.database.changes == 1 else { return }
      var event = AuditEvent(action: .keyRotationAbandoned, outcome: .failure, trigger: .start, requester: requester)
      event.detail = "key \(id)"
      try vault.append(event)
    }
  }
}
