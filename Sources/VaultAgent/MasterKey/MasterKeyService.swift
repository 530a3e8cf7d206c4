import CSystem
import Synchronization
import VaultAudit
import VaultConcurrency
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets
import VaultStore

/// Manages the master key: fetches it from the key store once, creates it for a new vault, and rotates it.
///
/// Every step of a rotation leaves a vault that opens (architecture, "Secrets"): the new key is announced in the database
/// (`prepared`), then put in the key store, then all rows are sealed again in one transaction, then the old key is removed from the
/// key store.
actor MasterKeyService {
  let store: VaultStore
  let keyStores: @Sendable (KeyStoreKind) -> any KeyStore
  /// The key store for a new key, if the request names none.
  private let defaultStore: KeyStoreKind
  private let unlocking: SingleFlightGroup<any Prompter, Bool>
  /// How often a person has locked the vault. A key whose fetch began before the latest lock is discarded.
  private var locks = 0
  /// Locked by a person, even if that could not be written to disk.
  private var isShut = false
  /// The screen is locked: nothing fetches the key.
  private var isScreenLocked = false
  /// Operations on the keys in the key store. If two changed the key at once, the second would take the first one's new key for the
  /// remains of an interrupted change, and remove it while everything is being sealed under it.
  let keyTurns = TurnQueue()
  private let events: AgentEvents
  /// Checkpoints on their way to the key store, which may be slow: an older one must not follow a newer one.
  private let checkpointTurns = TurnQueue()
  /// When the next checkpoint is put in the key store, and when the last one was.
  nonisolated let anchoring = Mutex<(next: Timestamp?, last: Timestamp?)>((nil, nil))

  init(
    store: VaultStore, defaultStore: KeyStoreKind, clock: any WallClock, events: AgentEvents,
    keyStores: @escaping @Sendable (KeyStoreKind) -> any KeyStore
  ) {
    self.store = store
    self.events = events
    unlocking = SingleFlightGroup(clock: clock)
    self.defaultStore = defaultStore
    self.keyStores = keyStores
  }

  func tellUnlocked() { events.report(.unlocked) }

  /// Makes sure that the store can seal and open. A vault that a person locked stays locked.
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

  /// The requester's `VAULT_KEYSTORE` takes precedence over the agent's own.
  private var preferred: KeyStoreKind {
    get throws {
      try CurrentPrompter.environment["VAULT_KEYSTORE"].flatMap { $0.isEmpty ? nil : $0 }.map(AgentSettings.keyStore)
        ?? defaultStore
    }
  }

  private func fetchKey(_ requester: Requester) async throws {
    // A person can lock the vault while another is being asked for the passphrase.
    let before = locks
    try await keyTurns.inTurn { try await fetchKey(requester, unlessLockedSince: before) }
  }

  private func fetchKey(_ requester: Requester, unlessLockedSince before: Int) async throws {
    if await store.isUnlocked { return }
    let records = try await store.keyRecords()
    guard let active = records.first(where: { $0.state == .active }) else {
      try await makeFirstKey(requester)
      return await recordPlace()
    }
    // Checked before any use of the keyring, in which a copy of a vault has the same place as the vault itself.
    if active.store == KeyStoreKind.secretService.rawValue { try await store.checkPlace() }
    let keyStore = try keyStore(of: active)
    let key = try await keyStore.read(active.id)
    guard locks == before else { throw AgentError.locked }
    try await store.unlock(key: key, id: active.id)
    guard locks == before else {
      await store.lock()
      throw AgentError.locked
    }
    try await resolve(records, requester)
    try await resumeFromCheckpoint(keyStore, requester)
    await recordPlace()
  }

  /// Creates the first key of a new vault. A key that already exists is from an agent that ended before the database knew of it. It
  /// is used, since a second key next to it would leave open which one is valid.
  ///
  /// Without a keyring, a person at a terminal may choose a passphrase instead; nothing else ever does.
  private func makeFirstKey(_ requester: Requester) async throws {
    do {
      try await makeFirstKey(in: try preferred, requester)
    } catch let error as KeyStoreError where error.isWithoutKeyring && CurrentPrompter.environment["VAULT_KEYSTORE"] == nil {
      guard try await agreesToPassphrase() else { throw error }
      try await makeFirstKey(in: .passphrase, requester)
    }
  }

  private func agreesToPassphrase() async throws -> Bool {
    do {
      return try await CurrentPrompter.value.ask(.passphraseStore).equals(SecretBytes("yes"))
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      // Nobody is there.
      return false
    }
  }

  private func makeFirstKey(in preferred: KeyStoreKind, _ requester: Requester) async throws {
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

  /// Cleans up after an interrupted rotation: a key that was announced and never used, or one that is no longer used.
  private func resolve(_ records: [KeyRecord], _ requester: Requester) async throws {
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

  /// Creates a new master key and seals everything under it.
  ///
  /// - Returns: the new key's name and the number of rows that were sealed again.
  func rotate(for prompter: any Prompter, requester: Requester) async throws -> (id: KeyID, rows: Int) {
    try await CurrentPrompter.$value.withValue(prompter) {
      try await ensureUnlocked(for: prompter, requester: requester)
      return try await keyTurns.inTurn { try await change(requester) }
    }
  }

  private func change(_ requester: Requester) async throws -> (id: KeyID, rows: Int) {
    guard await store.isUnlocked else { throw AgentError.locked }
    let records = try await store.keyRecords()
    guard let old = records.first(where: { $0.state == .active }) else { throw AgentError.locked }
    try await resolve(records, requester)
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
    // The new key may be in another key store, which needs the checkpoint before it is asked for it.
    await anchorCheckpoint()
    // From here on, only the new key opens the vault. An old key that cannot be removed now is removed at the next start.
    try await keyStore(of: old).remove(old.id)
    try await store.finishRotation(retired: old.id)
    return (id, rows)
  }

  /// Forgets the key until ``unlock(for:requester:trigger:)``, even if the agent restarts.
  ///
  /// - Throws: if that could not be recorded. The key is forgotten all the same, but another agent would fetch it again.
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

  /// Forgets the key automatically, until a request needs it.
  func lockItself(_ cause: LockCause, requester: Requester) async throws {
    guard await store.isUnlocked else { return }
    locks += 1
    var event = AuditEvent(action: .locked, outcome: .success, trigger: .automatic, requester: requester)
    event.detail = cause.rawValue
    try await forgetKey(event)
  }

  /// Logs the lock and forgets the key. The checkpoint goes to the key store afterwards, and nobody waits for it.
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
        AgentLog.write("the audit log's checkpoint could not be stored in the key store: \(Failure(error).message)")
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
      throw AgentError.badRequest("unknown key store \(record.store)")
    }
    return keyStores(kind)
  }

  static let lockSetting = "locked"
}

// The anchored checkpoint: in the key store, so that putting back the database does not put it back too.
extension MasterKeyService {
  /// Seconds between a row and its checkpoint in the key store. An attacker who ends the agent first can cut off the rows of this
  /// time undetected.
  static let checkpointDelay: Int64 = 10
  /// The same for rows that only record deliveries of existing sessions: a keyring rewrites its whole file each time.
  static let deliveryCheckpointDelay: Int64 = 60

  /// Compares the log with the anchored checkpoint, and continues it.
  ///
  /// - Throws: `StoreError.chainBroken`. The vault is then locked: nothing is handed out that cannot be logged.
  func resumeFromCheckpoint(_ keyStore: any KeyStore, _ requester: Requester) async throws {
    let anchoredCheckpoint: AuditCheckpoint?
    do {
      anchoredCheckpoint = try Self.checkpoint(await keyStore.readCheckpoint())
      try await store.resumeAudit(anchoredCheckpoint: anchoredCheckpoint, requester: requester)
    } catch {
      await store.lock()
      throw error
    }
    // Its item is created now, while a person waits: later a prompt may be impossible.
    if await store.headSequence != anchoredCheckpoint?.sequence { await anchorCheckpoint(mayAsk: true) }
    await goOn()
  }

  /// Records where the log continues. A write error is ignored: then only a copy of the folder cannot be detected as one.
  func recordPlace() async {
    do { try await store.recordPlace() } catch {
      AgentLog.write("the vault's location could not be recorded: \(Failure(error).message)")
    }
  }

  /// Continues the work that an unlock leaves for later: the MACs of many rows, and rows to remove because an archive holds them.
  func goOn() async {
    let isBehind = await store.hasRowsWithoutMAC
    let isHalfway = (try? await store.hasArchivedRows) ?? false
    guard isBehind || isHalfway else { return }
    Task(executorPreference: AgentExecutor.current) {
      do {
        if isBehind {
          AgentLog.write("audit rows get their MACs in the background")
          try await self.store.addMACs()
          await self.anchorCheckpoint()
        }
        try await self.store.clearArchived()
      } catch {
        AgentLog.write("the audit log: \(Failure(error).message)")
      }
      sys_return_memory()
    }
  }

  static func checkpoint(_ line: String?) throws -> AuditCheckpoint? {
    guard let line else { return nil }
    guard let checkpoint = AuditCheckpoint(line: line) else {
      throw StoreError.chainBroken("the checkpoint in the key store is invalid")
    }
    return checkpoint
  }

  /// Rows were added: their checkpoint is soon put in the key store, once for many.
  nonisolated func recordRows(isDelivery: Bool, clock: any WallClock) {
    let moment = anchoring.withLock { anchoring -> Timestamp? in
      var moment = clock.now().adding(seconds: Self.checkpointDelay)
      if isDelivery, let last = anchoring.last { moment = max(moment, last.adding(seconds: Self.deliveryCheckpointDelay)) }
      if let next = anchoring.next, next <= moment { return nil }
      anchoring.next = moment
      return moment
    }
    guard let moment else { return }
    Task(executorPreference: AgentExecutor.current) {
      try? await clock.sleep(until: moment)
      let isMine = self.anchoring.withLock { anchoring in
        // Rows with a shorter delay have been added since.
        guard anchoring.next == moment else { return false }
        anchoring = (nil, moment)
        return true
      }
      guard isMine else { return }
      await self.anchorCheckpoint()
      sys_return_memory()
    }
  }

  /// Puts the checkpoint in the key store now. A failure is reported in the agent's log, and stops nothing else.
  func anchorCheckpoint(mayAsk: Bool = false) async {
    do {
      _ = try await putCheckpoint(mayAsk: mayAsk)
    } catch {
      AgentLog.write("the audit log's checkpoint could not be stored in the key store: \(Failure(error).message)")
    }
  }

  /// Puts the checkpoint in the key store, with a timeout in seconds: the key store may be showing a prompt.
  func anchorCheckpoint(within seconds: Int64, clock: any WallClock) async {
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    Task(executorPreference: AgentExecutor.current) {
      await self.anchorCheckpoint()
      end.finish()
    }
    Task(executorPreference: AgentExecutor.current) {
      try? await clock.sleep(until: clock.now().adding(seconds: seconds))
      end.finish()
    }
    for await _ in ends {}
  }

  /// Puts the checkpoint in the key store now.
  ///
  /// - Returns: the last row that the key store now covers; nil if the log's keys are not available.
  func putCheckpoint(mayAsk: Bool = false) async throws -> Int64? {
    try await checkpointTurns.inTurn {
      guard let head = try await store.signedCheckpoint() else { return nil }
      try await write(head, mayAsk: mayAsk)
      return head.sequence
    }
  }

  /// Puts a signed checkpoint in the key store, in its turn.
  func put(_ head: AuditCheckpoint) async throws {
    try await checkpointTurns.inTurn { try await write(head, mayAsk: false) }
  }

  private func write(_ head: AuditCheckpoint, mayAsk: Bool) async throws {
    guard let active = try await store.keyRecords().first(where: { $0.state == .active }) else { return }
    try await keyStore(of: active).writeCheckpoint(head.line, mayAsk: mayAsk)
    try await store.recordAnchored()
  }

  /// The checkpoint in the key store, and the faults that the agent itself finds in the log.
  func verification(for prompter: any Prompter, requester: Requester) async throws -> (
    anchoredCheckpoint: AuditCheckpoint?, fault: String?
  ) {
    var fault: String?
    do {
      try await ensureUnlocked(for: prompter, requester: requester)
    } catch StoreError.chainBroken(let what) {
      fault = what
    }
    guard let active = try await store.keyRecords().first(where: { $0.state == .active }) else { return (nil, fault) }
    return (try Self.checkpoint(await keyStore(of: active).readCheckpoint()), fault)
  }

  /// Accepts a log that differs from the anchored checkpoint because a person restored it from a backup.
  func acceptLog(for prompter: any Prompter, requester: Requester) async throws {
    var isCopy = false
    do {
      do {
        try await ensureUnlocked(for: prompter, requester: requester)
      } catch StoreError.copied {
        try await store.recordPlace()
        isCopy = true
        try await ensureUnlocked(for: prompter, requester: requester)
        try await store.acceptPlace(requester: requester)
      }
      if try await store.acceptRows(requester: requester) || isCopy { return await anchorCheckpoint() }
      throw AgentError.badRequest("nothing to accept: the log matches its checkpoint")
    } catch StoreError.chainBroken {
      try await keyTurns.inTurn {
        guard let active = try await store.keyRecords().first(where: { $0.state == .active }) else { throw AgentError.locked }
        try await store.unlock(key: try await keyStore(of: active).read(active.id), id: active.id)
        do {
          try await store.acceptAudit(requester: requester)
        } catch {
          await store.lock()
          throw error
        }
        await anchorCheckpoint()
        await goOn()
      }
    }
  }
}
