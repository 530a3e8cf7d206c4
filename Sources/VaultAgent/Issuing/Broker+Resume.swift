import CSystem
import VaultModel
import VaultStore

/// A program that is served on loopback.
struct ServedProgram: Sendable {
  let request: CredentialRequest
  let roleARN: String?
  let requester: Requester
  /// What the agent before this one wrote of it, until that is known to be its word.
  var unproven: LeaseRecord?
}

// Programs outlive an agent, and a lock of the vault: they are served again afterwards, at the same port and by the same token.
extension Broker {
  /// Seconds between two tries to serve a program again, at first and at most. An unlocking or a login is not waited for.
  private static let pauses: (first: Int64, longest: Int64) = (2, 300)

  /// Takes over the programs of the agent before this one. What has ended meanwhile is logged as that.
  ///
  /// - Returns: their processes.
  func resumeLeases() async throws -> [Int32] {
    var running: [LeaseRecord] = []
    for lease in try await store.leases() {
      served[lease.id] = ServedProgram(
        request: CredentialRequest(lease), roleARN: lease.roleARN, requester: lease.requester, unproven: lease)
      if lease.process.isRunning { observe(lease.id, lease.process.pid) }
      // Looked at again: the watch has this process now, or another one that has got its number between the two.
      if lease.process.isRunning {
        running.append(lease)
      } else if let one = served.removeValue(forKey: lease.id) {
        await logEnd(lease.id, one, "ended while no agent ran")
      }
    }
    for (port, leases) in Dictionary(grouping: running, by: \.port) {
      let isOpen = reopen(leases, port)
      // Awaited by nobody: it ends with the programs, or once they are served.
      Task(executorPreference: AgentExecutor.current) { await self.resume(leases, port, isOpen: isOpen) }
    }
    endpoint.removeTokenFiles(except: Set(served.keys))
    return running.map(\.process.pid)
  }

  private func reopen(_ leases: [LeaseRecord], _ port: Int) -> Bool {
    do {
      try endpoint.reopen(leases.filter { served[$0.id] != nil }.map { ($0.id, $0.tokenHash) }, port: port)
      return true
    } catch {
      AgentLog.write("programs are not served again yet: \(Failure(error).message)")
      return false
    }
  }

  private func resume(_ leases: [LeaseRecord], _ port: Int, isOpen: Bool) async {
    var isOpen = isOpen
    var pause = Self.pauses.first
    while leases.contains(where: { served[$0.id] != nil }) {
      if !isOpen { isOpen = reopen(leases, port) }
      if isOpen {
        await wakeLeases()
        let asleep = endpoint.asleep
        if !leases.contains(where: { asleep.contains($0.id) }) { return }
      }
      try? await clock.sleep(until: clock.now().adding(seconds: pause))
      pause = min(2 * pause, Self.pauses.longest)
    }
  }

  /// Gives a program that has nothing to be served a session, as if it had asked anew.
  private func serveAgain(_ lease: String) async throws {
    guard let one = served[lease], try await isProven(lease, one) else { return }
    let issued = try await issue(one.request.again, to: one.requester, prompter: NonInteractivePrompter())
    guard served[lease] != nil, await store.isUnlocked else { return }
    endpoint.update(lease, issued.credential, renewsAt: issued.session?.record.renewsAt)
    if let session = issued.session {
      await scheduler?.open(lease, session.key, one.request, session.record, one.requester, at: session.endpoint)
    }
    // It may have ended, or the vault been locked, meanwhile.
    if served[lease] == nil { await scheduler?.close(lease) }
    if await !store.isUnlocked { endpoint.sleep() }
    if let session = issued.session { await retract(lease, ifForgotten: session.record) }
  }

  /// Whether it was this vault that served a program before; one that another program wrote down is let go.
  private func isProven(_ lease: String, _ one: ServedProgram) async throws -> Bool {
    guard let record = one.unproven else { return true }
    guard await store.isUnlocked else {
      try await masterKeys.ensureUnlocked(for: NonInteractivePrompter(), requester: one.requester)
      return try await isProven(lease, one)
    }
    if try await store.vouches(for: record) {
      served[lease]?.unproven = nil
      return true
    }
    try await report(.lease(one.request.profile))
    await closeLease(lease)
    return false
  }

  /// Serves nothing until the vault is unlocked: what the key sealed lies nowhere else.
  func sleepLeases() {
    endpoint.sleep()
    issuer.programs.environments.forget()
  }

  /// Locks the vault without a person's word: nothing is served or kept in files until somebody's request fetches the key again.
  func lockItself(_ cause: LockCause) async {
    guard await store.isUnlocked else { return }
    do { try await masterKeys.lockItself(cause, requester: requesterOfFiles) } catch {
      AgentLog.write("the locking could not be logged: \(Failure(error).message)")
    }
    sleepLeases()
    await clearFiles()
    AgentLog.write("locked: \(cause.rawValue)")
  }

  /// Serves again after an unlocking or a login.
  func wakeLeases() async {
    // Side by side, since one may wait for an AWS that does not answer; not all at once, since each needs memory meanwhile.
    await withTaskGroup(of: Void.self) { group in
      for (number, lease) in endpoint.asleep.enumerated() {
        if number >= Self.maxWaking { await group.next() }
        group.addTask { await self.wake(lease) }
      }
    }
    sys_return_memory()
  }

  private static let maxWaking = 64

  private func wake(_ lease: String) async {
    do {
      try await bring(lease) { try await serveAgain(lease) }
    } catch {
      AgentLog.write("\(served[lease]?.request.profile ?? lease): not served again yet: \(Failure(error).message)")
    }
  }

  // MARK: what is due

  /// Has a request that finds its session due, or none, bring a new one, as `vault exec` would: after a suspend or an outage the schedule
  /// takes its time over all of them, and a program that asks does not have it.
  func observeDue() {
    endpoint.observeDue { [weak self] lease in
      // Awaited by nobody: it ends with the call, and the requests that wait for it are told.
      Task(executorPreference: AgentExecutor.current) { await self?.freshen(lease) }
    }
  }

  private func freshen(_ lease: String) async {
    // What fails is in the audit log, and the schedule says it too.
    try? await bring(lease) { try await renewServed(lease) }
  }

  /// Brings a lease its next session; requests for it wait a moment meanwhile. Not twice at one time: who unlocks the vault by asking for
  /// one is not to be given it again for the unlocking, and whoever comes second leaves it to the first.
  private func bring(_ lease: String, _ body: () async throws -> Void) async throws {
    guard waking.insert(lease).inserted else { return }
    endpoint.begin(lease)
    let timeouts = Task(executorPreference: AgentExecutor.current) { [clock, endpoint] in
      try await clock.sleep(until: clock.now().adding(milliseconds: StaleRequestPolicy.timeouts))
      endpoint.losePatience(lease)
    }
    var isLocked = false
    defer {
      waking.remove(lease)
      timeouts.cancel()
      endpoint.settle(lease, isLocked: isLocked)
    }
    do { try await body() } catch {
      if case AgentError.locked = error { isLocked = true }
      throw error
    }
  }

  private func renewServed(_ lease: String) async throws {
    guard let one = served[lease] else { return }
    if endpoint.isAsleep(lease) {
      // A program that polls is not to have the person asked for a passphrase each time.
      guard await store.isUnlocked else { throw AgentError.locked }
      return try await serveAgain(lease)
    }
    let plan = try await catalog.plan(
      for: one.request.profile, duration: one.request.duration, sessionName: one.request.sessionName,
      environment: one.request.environment,
      prompter: NonInteractivePrompter(), requester: one.requester)
    guard let target = plan.delivered else { throw AgentError.unknownSession(profile: one.request.profile) }
    let live = try await store.liveSession(profile: target.profile, fingerprint: target.fingerprint)
    if let live, live.renewsAt > clock.now() {
      // Another program's request has brought it.
      try await serve(one.request, lease, one.requester)
    } else {
      _ = try await renewAtOnce(one.request.again, one.requester, NonInteractivePrompter())
    }
  }

  /// Ends the leases of programs that have ended, before the agent does; the others are the next agent's.
  func endLeases() async {
    for (id, one) in served where ProcessIdentity(running: one.requester.pid) == nil { await closeLease(id) }
  }
}
