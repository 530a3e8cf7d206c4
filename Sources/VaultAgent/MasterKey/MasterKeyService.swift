import Synchronization
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets
import VaultStore

/// The master key's keeper: fetches it from the key store once, makes it when a vault is new, and changes it.
///
/// Every step of a change leaves a vault that opens (architecture, "Secrets"): the new key is announced in the database (`prepared`),
/// then put in the key store, then all rows are sealed anew in one transaction, then the old key is taken out of the key store.
actor MasterKeyService {
  let store: VaultStore
  let keyStores: @Sendable (KeyStoreKind) -> any KeyStore
  /// The store for a key that is yet to be made, where the asker names none.
  private let standard: KeyStoreKind
  private let unlocking: SingleFlightGroup<Bool>
  /// How often a person has locked the vault. Who began to fetch the key before that comes too late with it.
  private var locks = 0
  /// Locked by a person, also where that could not be written down.
  private var isShut = false
  /// Nobody is at the screen: nothing fetches the key.
  private var isScreenLocked = false
  /// Whether somebody fetches or changes the key, and who waits to.
  private var isBusy = false
  private var queue: [CheckedContinuation<Void, Never>] = []
  private var onUnlock: @Sendable () async -> Void = {}
  /// Whether somebody puts a head in the key store, and who waits to.
  var isPuttingCheckpoint = false
  var checkpointQueue: [CheckedContinuation<Void, Never>] = []
  /// When the log's head is put in the key store next, and when it was last.
  nonisolated let anchoring = Mutex<(next: Timestamp?, last: Timestamp?)>((nil, nil))

  init(
    store: VaultStore, standard: KeyStoreKind, clock: any WallClock, keyStores: @escaping @Sendable (KeyStoreKind) -> any KeyStore
  ) {
    self.store = store
    unlocking = SingleFlightGroup(clock: clock)
    self.standard = standard
    self.keyStores = keyStores
  }

  /// Names what is done each time that the vault was unlocked, beside whatever waited for it.
  func observeUnlocking(_ body: @escaping @Sendable () async -> Void) { onUnlock = body }

  func tellUnlocked() {
    // Awaited by nobody: who waits for the key does not wait for this.
    Task(executorPreference: AgentExecutor.current) { [onUnlock] in await onUnlock() }
  }

  /// Sees to it that the store can seal and open. What a person locked stays locked.
  func ensureUnlocked(for prompter: any Prompter, requester: Requester) async throws {
    if await store.isUnlocked { return }
    if isShut { throw AgentError.locked }
    if isScreenLocked { throw AgentError.screenLocked }
    if try await store.setting(Self.lockSetting) != nil { throw AgentError.locked }
    _ = try await unlocking.share("unlock", for: prompter) { [self] _ in
      try await fetchKey(requester)
      await tellUnlocked()
      return true
    }
  }

  /// `VAULT_KEYSTORE` as the asker has it counts before what the agent was started with.
  private var preferred: KeyStoreKind {
    get throws {
      try CurrentPrompter.environment["VAULT_KEYSTORE"].flatMap { $0.isEmpty ? nil : $0 }.map(AgentSettings.keyStore) ?? standard
    }
  }

  /// Does one thing at a time with the keys in the key store. Of two who change the key at once, the second would take the first one's
  /// new key for what an interrupted change had left, and remove it while everything is being sealed under it.
  func inTurn<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    if isBusy { await withCheckedContinuation { queue.append($0) } } else { isBusy = true }
    defer { if queue.isEmpty { isBusy = false } else { queue.removeFirst().resume() } }
    return try await body()
  }

  private func fetchKey(_ requester: Requester) async throws {
    // A person can lock the vault while another is still asked for the passphrase.
    let before = locks
    try await inTurn { try await fetchKey(requester, unlessLockedSince: before) }
  }

  private func fetchKey(_ requester: Requester, unlessLockedSince before: Int) async throws {
    if await store.isUnlocked { return }
    let records = try await store.keyRecords()
    guard let active = records.first(where: { $0.state == .active }) else {
      try await makeFirstKey(requester)
      return await recordPlace()
    }
    // Before anything is asked of the keyring, or changed there, in which the copy of a vault has the same place as the vault.
    if active.store == KeyStoreKind.secretService.rawValue { try await store.checkPlace() }
    let keyStore = try keyStore(of: active)
    let key = try await keyStore.read(active.id)
    guard locks == before else { throw AgentError.locked }
    try await store.unlock(key: key, id: active.id)
    guard locks == before else {
      await store.lock()
      throw AgentError.locked
    }
    try await settle(records, requester)
    try await resumeFromCheckpoint(keyStore, requester)
    await recordPlace()
  }

  /// The first key of a new vault. One that is already there was made by an agent that was ended before the database knew of it: it is
  /// taken, since a second key beside it would leave open which of them counts.
  private func makeFirstKey(_ requester: Requester) async throws {
    let preferred = try preferred
    let keyStore = keyStores(preferred)
    if let left = try await keyStore.list().first {
      guard let id = left.id else { throw KeyStoreError.locked(collection: "default") }
      try await store.create(key: try await keyStore.read(id), id: id, store: preferred.rawValue, requester: requester)
      return try await resumeFromCheckpoint(keyStore, requester)
    }
    let id = KeyID.random()
    let key = SecretBytes.random(count: 32)
    try await keyStore.write(key, as: id)
    try await store.create(key: key, id: id, store: preferred.rawValue, requester: requester)
    try await resumeFromCheckpoint(keyStore, requester)
  }

  /// Ends what an interrupted change of the key left: a key that was announced and never used, or one that is no longer used.
  private func settle(_ records: [KeyRecord], _ requester: Requester) async throws {
    for record in records {
      switch record.state {
      case .prepared:
        try await keyStore(of: record).remove(record.id)
        try await store.abandonPreparedKey(record.id, requester: requester)
      case .retiring:
        try await keyStore(of: record).remove(record.id)
        try await store.finishRotation(retired: record.id)
      case .active, .retired: continue
      }
    }
  }

  /// Makes a new master key and seals everything under it.
  ///
  /// - Returns: the new key's name and how many rows were sealed anew.
  func rotate(for prompter: any Prompter, requester: Requester) async throws -> (id: KeyID, rows: Int) {
    try await CurrentPrompter.$value.withValue(prompter) {
      try await ensureUnlocked(for: prompter, requester: requester)
      return try await inTurn { try await change(requester) }
    }
  }

  private func change(_ requester: Requester) async throws -> (id: KeyID, rows: Int) {
    guard await store.isUnlocked else { throw AgentError.locked }
    let records = try await store.keyRecords()
    guard let old = records.first(where: { $0.state == .active }) else { throw AgentError.locked }
    try await settle(records, requester)
    let id = KeyID.random()
    let key = SecretBytes.random(count: 32)
    let preferred = try preferred
    guard preferred != .ephemeral || old.store == preferred.rawValue else { throw KeyStoreError.ephemeralOverLasting }
    let target = keyStores(preferred)
    try await store.prepareKey(id, store: preferred.rawValue)
    do {
      try await target.write(key, as: id)
    } catch {
      try await store.abandonPreparedKey(id, requester: requester)
      throw error
    }
    let rows = try await store.reseal(with: key, id: id, requester: requester)
    // The new key may be in another key store, which must know of the log before it is asked.
    await anchorCheckpoint()
    // From here on the vault opens with the new key alone. An old one that cannot be removed now is removed at the next start.
    try await keyStore(of: old).remove(old.id)
    try await store.finishRotation(retired: old.id)
    return (id, rows)
  }

  /// Forgets the key until ``unlock(for:requester:)``, also over a restart of the agent.
  ///
  /// - Throws: where that could not be written down. The key is forgotten all the same, but another agent would fetch it again.
  func lock(requester: Requester, trigger: AuditTrigger) async throws {
    locks += 1
    isShut = true
    do {
      try await store.setSetting(Self.lockSetting, "1", requester: requester)
    } catch {
      await store.lock()
      throw error
    }
    try await forgetKey(AuditEvent(action: .locked, outcome: .success, trigger: trigger, requester: requester))
  }

  /// Forgets the key without a person's word, until somebody asks for something that needs it.
  func lockItself(_ cause: LockCause, requester: Requester) async throws {
    guard await store.isUnlocked else { return }
    locks += 1
    var event = AuditEvent(action: .locked, outcome: .success, trigger: .automatic, requester: requester)
    event.detail = cause.rawValue
    try await forgetKey(event)
  }

  /// Logs it, and forgets the key; the key store is told of the log's head afterwards, and nobody waits for it.
  private func forgetKey(_ event: AuditEvent) async throws {
    do { try await store.record(event) } catch {
      await store.lock()
      throw error
    }
    let head = try? await store.signedCheckpoint()
    await store.lock()
    guard let head else { return }
    Task(executorPreference: AgentExecutor.current) {
      do { try await self.put(head) } catch {
        AgentLog.write("the head of the audit log could not be put in the key store: \(Failure(error).message)")
      }
    }
  }

  /// While the screen is locked, no request fetches the key.
  func shutOut(_ isLocked: Bool) { isScreenLocked = isLocked }

  func unlock(for prompter: any Prompter, requester: Requester, trigger: AuditTrigger) async throws {
    if await store.isUnlocked { return }
    let before = locks
    _ = try await unlocking.share("unlock", for: prompter) { [self] _ in
      try await fetchKey(requester)
      await tellUnlocked()
      return true
    }
    guard locks == before else { throw AgentError.locked }
    isShut = false
    try await store.setSetting(Self.lockSetting, nil, requester: requester)
    try await store.record(AuditEvent(action: .unlocked, outcome: .success, trigger: trigger, requester: requester))
  }

  func keyStore(of record: KeyRecord) throws -> any KeyStore {
    guard let kind = KeyStoreKind(rawValue: record.store) else {
      throw AgentError.badRequest("a key store called \(record.store)")
    }
    return keyStores(kind)
  }

  static let lockSetting = "locked"
}
