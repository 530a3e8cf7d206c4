import CSystem
import VaultAudit
import VaultKeys
import VaultModel
import VaultStore

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
