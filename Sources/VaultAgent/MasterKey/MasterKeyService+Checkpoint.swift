import CSystem
import VaultDatabase
import VaultKeys
import VaultModel
import VaultStore

// The log's head in the key store: where the database cannot take it back with it.
extension MasterKeyService {
  /// How long after a row its head is put in the key store, in seconds. Rows of this time can be cut off unseen by whoever ends the agent first.
  static let checkpointDelay: Int64 = 10
  /// The same for rows that only say who was given what there is: a keyring's file is written anew each time.
  static let deliveryCheckpointDelay: Int64 = 60

  /// Holds the log against the head that the key store has, and goes on with it.
  ///
  /// - Throws: `StoreError.chainBroken`, and the vault is locked then: what cannot be logged is not handed out.
  func resumeFromCheckpoint(_ keyStore: any KeyStore, _ requester: Requester) async throws {
    let anchoredCheckpoint: AuditCheckpoint?
    do {
      anchoredCheckpoint = try Self.checkpoint(await keyStore.readCheckpoint())
      try await store.resumeAudit(anchoredCheckpoint: anchoredCheckpoint, requester: requester)
    } catch {
      await store.lock()
      throw error
    }
    // Its item is made now, while a person waits: later nobody may be asked.
    if await store.headSequence != anchoredCheckpoint?.sequence { await anchorCheckpoint(mayAsk: true) }
    await goOn()
  }

  /// Remembers where the log goes on. A disk that does not take it hinders nobody: only a copy of the folder would not be told as one.
  func recordPlace() async {
    do { try await store.takePlace() } catch {
      AgentLog.write("where the vault is could not be noted: \(Failure(error).message)")
    }
  }

  /// Goes on with what an unlocking leaves for later: the MACs of many rows, and rows to be taken out that an archive holds.
  func goOn() async {
    let isBehind = await store.hasRowsWithoutMAC
    let isHalfway = (try? await store.hasArchivedRows) ?? false
    guard isBehind || isHalfway else { return }
    Task(executorPreference: AgentExecutor.current) {
      do {
        if isBehind {
          AgentLog.write("rows of the audit log get their codes; nobody waits for it")
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
      throw StoreError.chainBroken("what the key store holds is no head of a log")
    }
    return checkpoint
  }

  /// Rows were added: their head goes to the key store soon, once for many.
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
        // Rows that cannot wait as long have come since.
        guard anchoring.next == moment else { return false }
        anchoring = (nil, moment)
        return true
      }
      guard isMine else { return }
      await self.anchorCheckpoint()
      sys_return_memory()
    }
  }

  /// Puts the head in the key store now. A key store that cannot take it is told of in the agent's log, and nothing else stops.
  func anchorCheckpoint(mayAsk: Bool = false) async {
    do {
      _ = try await putCheckpoint(mayAsk: mayAsk)
    } catch {
      AgentLog.write("the head of the audit log could not be put in the key store: \(Failure(error).message)")
    }
  }

  /// Puts the head in the key store, and waits so many seconds for it at most: a person may be before a prompt of the key store's.
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

  /// Puts the head in the key store now.
  ///
  /// - Returns: the row that the key store knows from now on; nil where the log's keys are not at hand.
  func putCheckpoint(mayAsk: Bool = false) async throws -> Int64? {
    // One after the other: the key store may take its time, and an older head must not come behind a newer one.
    if isPuttingCheckpoint { await withCheckedContinuation { checkpointQueue.append($0) } } else { isPuttingCheckpoint = true }
    defer { if checkpointQueue.isEmpty { isPuttingCheckpoint = false } else { checkpointQueue.removeFirst().resume() } }
    guard let head = try await store.signedCheckpoint() else { return nil }
    try await write(head, mayAsk: mayAsk)
    return head.sequence
  }

  /// Puts a head that was signed already in the key store, in its turn.
  func put(_ head: AuditCheckpoint) async throws {
    if isPuttingCheckpoint { await withCheckedContinuation { checkpointQueue.append($0) } } else { isPuttingCheckpoint = true }
    defer { if checkpointQueue.isEmpty { isPuttingCheckpoint = false } else { checkpointQueue.removeFirst().resume() } }
    try await write(head, mayAsk: false)
  }

  private func write(_ head: AuditCheckpoint, mayAsk: Bool) async throws {
    guard let active = try await store.keyRecords().first(where: { $0.state == .active }) else { return }
    try await keyStore(of: active).writeCheckpoint(head.line, mayAsk: mayAsk)
    try await store.recordAnchored()
  }

  /// The head that the key store has, and what the agent itself finds wrong with the log.
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

  /// Goes on with a log that the key store knows otherwise, because a person put it back from a copy.
  func acceptLog(for prompter: any Prompter, requester: Requester) async throws {
    var isCopy = false
    do {
      do {
        try await ensureUnlocked(for: prompter, requester: requester)
      } catch StoreError.copied {
        try await store.takePlace()
        isCopy = true
        try await ensureUnlocked(for: prompter, requester: requester)
        try await store.acceptPlace(requester: requester)
      }
      if try await store.acceptRows(requester: requester) || isCopy { return await anchorCheckpoint() }
      throw AgentError.badRequest("the log is what the key store knows; there is nothing to accept")
    } catch StoreError.chainBroken {
      try await inTurn {
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
