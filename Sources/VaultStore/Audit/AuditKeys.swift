import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

// The evidence in the log: the ratchet's MAC on each row, and signed checkpoints, of which the newest is in the key store.
//
// The ratchet's key is sealed in the database, some rows behind: an attacker with the master key and the file can forge the rows
// since then, but no older ones. Rows written before the vault is unlocked get their MACs at the unlock.
extension VaultStore {
  /// The maximum number of rows by which the sealed key is behind.
  static let ratchetLag: Int64 = 64
  /// The maximum number of rows between two signed checkpoints.
  static let checkpointInterval: Int64 = 256

  /// Opens the log's keys after an unlock, and verifies the rows written since: against the ratchet, and against the checkpoint in
  /// the key store. Creates the keys if the vault's log has none.
  ///
  /// If many rows have no MAC, they still have none then: ``addMACs()`` adds them.
  /// - Throws: `StoreError.chainBroken` if rows were changed, forged or cut off, or the database is an old copy.
  public func resumeAudit(anchoredCheckpoint: AuditCheckpoint?, requester: Requester) throws {
    guard let cipher else { throw StoreError.locked }
    if let ratchet, signing != nil, ratchet.number == head.sequence + 1 { return }
    let keys = try AuditKeyRows.keys(in: database)
    guard let sealedRatchet = keys.first(where: { $0.name == "ratchet" }),
      let sealedSigning = keys.first(where: { $0.name == "signing" })
    else {
      // The keys are created with the vault's first key, in the transaction that adds it; no vault exists without them.
      throw StoreError.chainBroken("the log's keys are missing")
    }
    let signing = SigningKey(seed: try open(sealedSigning, by: cipher))
    guard signing.publicKey == sealedSigning.publicKey else { throw StoreError.chainBroken("the log's key was replaced") }
    let ratchet = Ratchet(key: try open(sealedRatchet, by: cipher), number: sealedRatchet.sequence)
    try check(anchoredCheckpoint, isExpected: sealedSigning.isAnchored, by: signing.publicKey)
    self.ratchet = nil
    self.signing = signing
    sealedNumber = sealedRatchet.sequence
    pendingMACs = PendingMACs(ratchet: ratchet)
    _ = try addSomeMACs()
  }

  /// - Parameters:
  ///   - kept: the seed of the signing key used so far; nil for a new one.
  ///   - event: logged after the keys; it says that the log is accepted in its state.
  ///   - creating: the vault's first master key, whose row and event come first, in the same transaction.
  func beginAuditKeys(
    _ requester: Requester, keeping kept: SecretBytes? = nil, accepting event: AuditEvent? = nil,
    creating: KeyRecord? = nil
  ) throws {
    let seed = kept ?? SecretBytes.random(count: 32)
    let signing = SigningKey(seed: seed)
    // From the first row that has no MAC.
    let bound = try database.prepare("SELECT sequence FROM audit_event WHERE mac IS NOT NULL ORDER BY sequence DESC LIMIT 1")
      .begin().first { $0.int(0) }
    let first = try bound ?? AuditKeyRows.segments(in: database).last?.last ?? 0
    let ratchet = Ratchet(key: SecretBytes.random(count: Ratchet.keyLength), number: first + 1)
    let start = ratchet.export()
    var rows = PendingMACs(ratchet: ratchet)
    // For a few rows, the keys are created with their MACs at once. For many, the rows get no MACs yet, and neither do the new
    // ones.
    let isLong = head.sequence - first > Self.maxAtUnlock
    let macs = isLong ? [] : try tailMACs(&rows, maximum: Self.maxAtUnlock)
    self.signing = signing
    self.ratchet = isLong ? nil : ratchet
    pendingMACs = isLong ? rows : nil
    do {
      try change { store in
        if let creating { try store.insert(creating) }
        try store.put("signing", seed, sequence: 0, first: first + 1, publicKey: signing.publicKey, isAnchored: false)
        try store.put("ratchet", start, sequence: first + 1, first: first + 1, publicKey: signing.publicKey, isAnchored: false)
        store.sealedNumber = first + 1
        try store.bind(macs)
        if let creating {
          var event = AuditEvent(action: .vaultCreated, outcome: .success, trigger: .manual, requester: requester)
          event.detail = "key \(creating.id) in \(creating.store)"
          try store.bindRows(event)
        }
        var made = AuditEvent(action: .auditKeysMade, outcome: .success, trigger: .start, requester: requester)
        made.detail = "heads are signed by \(hex(signing.publicKey))"
        if event != nil { try store.acceptCheckpoints(by: signing) }
        try store.append(made)
        if let event { try store.append(event) }
      }
    } catch {
      self.signing = nil
      self.ratchet = nil
      pendingMACs = nil
      throw error
    }
  }

  /// Begins a new ratchet; an auditor may keep its first key.
  public func makeVerificationKey(requester: Requester) async throws -> AuditVerificationKey {
    try await addMACs()
    guard cipher != nil, let signing else { throw StoreError.locked }
    let first = head.sequence + 1
    let key = SecretBytes.random(count: Ratchet.keyLength)
    ratchet = Ratchet(key: key, number: first)
    try change { store in
      try store.put("ratchet", key, sequence: first, first: first, publicKey: signing.publicKey, isAnchored: false)
      store.sealedNumber = first
      var event = AuditEvent(action: .auditKeysMade, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "a verification key from row \(first) on was handed out"
      try store.append(event)
    }
    return AuditVerificationKey(sequence: first, key: key)
  }

  /// Accepts a log that does not match the anchored checkpoint, because a user says that it was restored on purpose.
  public func acceptAudit(requester: Requester) throws {
    guard let cipher else { throw StoreError.locked }
    let signed = try AuditKeyRows.keys(in: database).first { $0.name == "signing" }
    // The same key if available, so that an auditor's copy of its public half, and existing archives, remain valid.
    let kept = signed.flatMap { key in
      (try? open(key, by: cipher)).flatMap { SigningKey(seed: $0).publicKey == key.publicKey ? $0 : nil }
    }
    ratchet = nil
    signing = nil
    pendingMACs = nil
    var event = AuditEvent(action: .auditAccepted, outcome: .success, trigger: .manual, requester: requester)
    event.detail =
      "the log was restored to row \(head.sequence)" + (signed.map { "; it was signed by \(hex($0.publicKey))" } ?? "")
    try beginAuditKeys(requester, keeping: kept, accepting: event)
  }

  /// Call within the transaction that accepts the log: removes the checkpoints that do not match its rows, and signs the others
  /// again if their signing key is gone.
  private func acceptCheckpoints(by signing: SigningKey) throws {
    try database.statement(
      """
      DELETE FROM audit_checkpoint WHERE sequence > ?1 OR EXISTS (SELECT 1 FROM audit_event \
      WHERE audit_event.sequence = audit_checkpoint.sequence AND audit_event.hash <> audit_checkpoint.hash)
      """
    ).begin().bind(head.sequence).run()
    for old in try AuditKeyRows.checkpoints(in: database) where !old.isSigned(by: signing.publicKey, vaultId: vaultId) {
      try database.statement("DELETE FROM audit_checkpoint WHERE sequence = ?").begin().bind(old.sequence).run()
      let new = AuditCheckpoint(sequence: old.sequence, hash: old.hash, at: clock.now(), vaultId: vaultId, by: signing)
      try AuditKeyRows.put(new, into: database)
    }
  }

  private func check(_ anchoredCheckpoint: AuditCheckpoint?, isExpected: Bool, by publicKey: [UInt8]) throws {
    guard let anchoredCheckpoint else {
      if isExpected { throw StoreError.chainBroken(AuditChain.Fault.checkpointMissing.description) }
      return
    }
    guard anchoredCheckpoint.isSigned(by: publicKey, vaultId: vaultId) else {
      throw StoreError.chainBroken(AuditChain.Fault.checkpoint(sequence: anchoredCheckpoint.sequence).description)
    }
    guard anchoredCheckpoint.sequence <= head.sequence else {
      throw StoreError.chainBroken(
        AuditChain.Fault.rolledBack(to: head.sequence, expected: anchoredCheckpoint.sequence).description)
    }
    let standing = try database.statement(
      """
      SELECT hash FROM audit_event WHERE sequence = ?1 UNION ALL SELECT hash FROM audit_checkpoint WHERE sequence = ?1 \
      AND NOT EXISTS (SELECT 1 FROM audit_event WHERE sequence = ?1)
      """
    ).begin().bind(anchoredCheckpoint.sequence).first { $0.blob(0) }
    guard standing == anchoredCheckpoint.hash else {
      throw StoreError.chainBroken(AuditChain.Fault.rewritten(sequence: anchoredCheckpoint.sequence).description)
    }
  }

  // MARK: as rows are added

  /// Call within a row's transaction: keeps the sealed key close behind, and signs a checkpoint from time to time.
  func storeAuditKeys() throws {
    guard let ratchet, let signing, cipher != nil else { return }
    if ratchet.number - sealedNumber >= Self.ratchetLag { try sealRatchet() }
    if head.sequence % Self.checkpointInterval == 0 {
      try AuditKeyRows.put(
        AuditCheckpoint(sequence: head.sequence, hash: head.hash, at: clock.now(), vaultId: vaultId, by: signing), into: database)
    }
  }

  func sealRatchet() throws { if let ratchet { try sealRatchet(ratchet) } }

  func sealRatchet(_ ratchet: Ratchet) throws {
    guard let signing, cipher != nil else { return }
    let first = try database.statement("SELECT first FROM audit_key WHERE name = 'ratchet'").begin().first { $0.int(0) }
    try put(
      "ratchet", ratchet.export(), sequence: ratchet.number, first: first ?? ratchet.number, publicKey: signing.publicKey,
      isAnchored: false)
    sealedNumber = ratchet.number
  }

  /// Call after a rollback: a ratchet cannot go back, so it is restored from its sealed key.
  func rewindAuditKeys() {
    guard let ratchet, ratchet.number != head.sequence + 1 else { return }
    self.ratchet = nil
    guard let cipher, let keys = try? AuditKeyRows.keys(in: database), let sealed = keys.first(where: { $0.name == "ratchet" }),
      let key = try? open(sealed, by: cipher)
    else { return }
    let again = Ratchet(key: key, number: sealed.sequence)
    while again.number <= head.sequence { again.skip() }
    sealedNumber = sealed.sequence
    self.ratchet = again
  }

  /// The signed checkpoint of the durable log, for the key store; nil if the log's keys are not available.
  public func signedCheckpoint() throws -> AuditCheckpoint? {
    guard let signing, ratchet != nil, cipher != nil, head.sequence > 0 else { return nil }
    // Full durability: the key store must never know a row that a power cut can still remove.
    try change { try $0.sealRatchet() }
    return AuditCheckpoint(sequence: head.sequence, hash: head.hash, at: clock.now(), vaultId: vaultId, by: signing)
  }

  /// The key store has accepted a checkpoint: from now on it must have one.
  public func recordAnchored() throws {
    guard let cipher, var key = try AuditKeyRows.keys(in: database).first(where: { $0.name == "signing" }), !key.isAnchored else {
      return
    }
    let seed = try open(key, by: cipher)
    key.isAnchored = true
    // The sealed data records it too, so only a holder of the key can undo it.
    key.envelope = cipher.seal(seed, at: place(key))
    try database.transaction { try AuditKeyRows.put(key, into: database) }
  }

  // MARK: sealed keys

  private func place(_ key: AuditKeyRows.SealedKey, isOlder: Bool = false) -> AssociatedData {
    let facts =
      [String(key.sequence), String(key.first), hex(key.publicKey)] + (isOlder ? [] : [key.isAnchored ? "anchored" : "new"])
    let owner = SecretIdentity(table: "audit_key", row: key.name, profile: vaultId, facts: facts)
    return AssociatedData(owner: owner, column: "envelope", version: 1, createdAt: key.createdAt)
  }

  /// - Throws: `SealError` if the row differs from what was sealed. Vaults of 0.1.0 did not seal whether the key store knows of a
  ///   checkpoint: theirs open only while the row says that it does.
  private func open(_ key: AuditKeyRows.SealedKey, by cipher: EnvelopeCipher) throws -> SecretBytes {
    do { return try cipher.open(key.envelope, at: place(key)) } catch {
      guard key.isAnchored || key.name == "ratchet" else { throw error }
      return try cipher.open(key.envelope, at: place(key, isOlder: true))
    }
  }

  private func put(
    _ name: String, _ secret: SecretBytes, sequence: Int64, first: Int64, publicKey: [UInt8], isAnchored: Bool
  ) throws {
    guard let cipher else { throw StoreError.locked }
    var row = AuditKeyRows.SealedKey(
      name: name, sequence: sequence, first: first, publicKey: publicKey, isAnchored: isAnchored, keyId: cipher.id.bytes,
      createdAt: clock.now(), envelope: [])
    row.envelope = cipher.seal(secret, at: place(row))
    try AuditKeyRows.put(row, into: database)
  }

  /// Call within the transaction of a master key change.
  func resealAuditKeys(from old: EnvelopeCipher, to new: EnvelopeCipher) throws {
    for var key in try AuditKeyRows.keys(in: database) {
      let secret = try open(key, by: old)
      key.keyId = new.id.bytes
      key.envelope = new.seal(secret, at: place(key))
      try AuditKeyRows.put(key, into: database)
    }
  }
}
