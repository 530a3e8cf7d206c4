import Glibc
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets
import VaultStore

// Backup of the master key under a passphrase, and its restoration.
extension MasterKeyService {
  /// The source of a backup's passphrase: a file that the person names, else a prompt.
  struct BackupPassphrase: Sendable {
    let file: String?
    let prompter: any Prompter

    func answer(_ question: Question) async throws -> SecretBytes {
      if let file { return try PassphraseSource.file(file) }
      return try await prompter.ask(question)
    }
  }

  /// Writes a backup of the key that seals the vault.
  ///
  /// - Returns: the key's name.
  func backUp(to path: String, _ passphrase: BackupPassphrase, requester: Requester) async throws -> KeyID {
    try await ensureUnlocked(for: passphrase.prompter, requester: requester)
    let id = try await activeKey().id
    // Asked before the turn, so that nobody waits while a person thinks of a passphrase.
    let answer = try await passphrase.answer(
      .backupPassphrase(key: id.description, minimumLength: PassphraseKeyStore.minimumLength))
    return try await keyTurns.inTurn {
      let active = try await activeKey()
      guard active.id == id else { throw Self.changedMeanwhile }
      let key = try await keyStore(of: active).read(id)
      var event = AuditEvent(action: .keyBackedUp, outcome: .success, trigger: .manual, requester: requester)
      event.detail = "key \(id) to \(path)"
      do {
        try await KeyBackup.write(key, id: id, vaultId: store.vaultId, to: path, passphrase: answer)
      } catch {
        event.outcome = .failure
        event.error = Failure(error).message
        try await store.record(event)
        throw error
      }
      do {
        try await store.record(event)
      } catch {
        // No backup without its audit row.
        unlink(path)
        throw error
      }
      return id
    }
  }

  private func activeKey() async throws -> KeyRecord {
    guard let active = try await store.keyRecords().first(where: { $0.state == .active }) else { throw AgentError.locked }
    return active
  }

  private static var changedMeanwhile: Failure {
    Failure("the master key was changed meanwhile", hint: "run it again", exitStatus: .temporary)
  }

  /// Restores the key that seals the vault from a backup to the key store, if it is missing or damaged there.
  ///
  /// Nothing is stored before the key is known to be the one that seals this vault. If the key store has lost the anchored
  /// checkpoint with the key, the audit log continues from where it is, and records that.
  ///
  /// - Returns: the key's name, and whether the anchored checkpoint was lost.
  func restore(from path: String, _ passphrase: BackupPassphrase, requester: Requester) async throws -> (
    id: KeyID, lostCheckpoint: Bool
  ) {
    let backup = try KeyBackup(path: path, vaultId: store.vaultId)
    guard let active = try await store.keyRecords().first(where: { $0.state == .active }) else {
      throw Failure(
        "this vault has no key yet; there is nothing to restore",
        hint: "first restore the database that the backup belongs to", exitStatus: .badData)
    }
    guard active.id == backup.keyId else {
      throw Failure(
        "the backup has key \(backup.keyId), but the vault is sealed under \(active.id)",
        hint: "a backup is valid until the key is rotated (`vault master-key rotate`)", exitStatus: .badData)
    }
    let target = keyStores(try place(for: active))
    try await keyTurns.inTurn { try await requireLoss(of: active, in: target) }
    let key = try await backup.open(passphrase: passphrase.answer(.copyPassphrase(path: path)))
    return try await keyTurns.inTurn {
      guard try await activeKey().id == active.id else { throw Self.changedMeanwhile }
      // Another request may have restored it during the prompt.
      try await requireLoss(of: active, in: target)
      return try await put(key, of: active, in: target, at: path, requester: requester)
    }
  }

  private func requireLoss(of active: KeyRecord, in target: any KeyStore) async throws {
    if target.kind.rawValue == active.store, try await isReadable(active, in: target) {
      throw Failure("nothing to restore: the key store has key \(active.id)", exitStatus: .badData)
    }
  }

  private func put(
    _ key: SecretBytes, of active: KeyRecord, in target: any KeyStore, at path: String, requester: Requester
  ) async throws -> (id: KeyID, lostCheckpoint: Bool) {
    let wasLocked = try await store.setting(Self.lockSetting) != nil
    try await store.unlock(key: key, id: active.id)
    do {
      try await target.write(key, as: active.id)
      let lostCheckpoint = try await adopt(active, in: target, at: path, requester: requester)
      await anchorCheckpoint()
      if wasLocked { await store.lock() } else { tellUnlocked() }
      return (active.id, lostCheckpoint)
    } catch {
      await store.lock()
      throw error
    }
  }

  /// The key store that the request names, else the one that had the key.
  private func place(for active: KeyRecord) throws -> KeyStoreKind {
    let named = CurrentPrompter.environment["VAULT_KEYSTORE"].flatMap { $0.isEmpty ? nil : $0 }
    return try AgentSettings.keyStore(named ?? active.store)
  }

  /// A damaged item is removed to make room for the key; no other failure is a reason to store a key.
  private func isReadable(_ active: KeyRecord, in keyStore: any KeyStore) async throws -> Bool {
    do {
      return try await store.opens(try await keyStore.read(active.id), id: active.id)
    } catch KeyStoreError.keyMissing {
      return false
    } catch KeyStoreError.damaged {
      try await keyStore.remove(active.id)
      return false
    }
  }

  private func adopt(_ active: KeyRecord, in keyStore: any KeyStore, at path: String, requester: Requester) async throws -> Bool {
    try await store.moveKey(active.id, to: keyStore.kind.rawValue)
    let anchoredCheckpoint = try Self.checkpoint(await keyStore.readCheckpoint())
    var lostCheckpoint = false
    do {
      try await store.resumeAudit(anchoredCheckpoint: anchoredCheckpoint, requester: requester)
    } catch StoreError.chainBroken where anchoredCheckpoint == nil {
      try await store.acceptAudit(requester: requester)
      lostCheckpoint = true
    }
    await goOn()
    var event = AuditEvent(action: .keyRestored, outcome: .success, trigger: .manual, requester: requester)
    event.detail =
      "key \(active.id) from \(path) in \(keyStore.kind.rawValue)" + (lostCheckpoint ? "; it had no checkpoint of the log" : "")
    try await store.record(event)
    return lostCheckpoint
  }
}
