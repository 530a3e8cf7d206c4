import CSystem
import VaultModel
import VaultStore

/// A program that is served on loopback.
struct ServedProgram: Sendable {
  let request: CredentialRequest
  let roleARN: String?
  let requester: Requester
  /// The record that the previous agent wrote of it, until that is proven to be the agent's own.
  var unproven: LeaseRecord?
}

// Programs outlive an agent, and a lock of the vault: they are served again afterwards, at the same port and with the same token.
extension Broker {
  /// Seconds between two attempts to serve a program again: at first, and at most. An unlock or a login causes an attempt at once.
  private static let delays: (first: Int64, maxLength: Int64) = (2, 300)

  /// Takes over the programs of the previous agent. Programs that have ended meanwhile are logged as ended.
  ///
  /// - Returns: their processes.
  func resumeLeases() async throws -> [Int32] {
    var running: [LeaseRecord] = []
    for lease in try await store.leases() {
      served[lease.id] = ServedProgram(
        request: CredentialRequest(lease), roleARN: lease.roleARN, requester: lease.requester, unproven: lease)
      if lease.process.isRunning { observe(lease.id, lease.process.pid) }
      // Checked again: the watch now has this process, or another one that got its ID between the two.
      if lease.process.isRunning {
        running.append(lease)
      } else if let one = served.removeValue(forKey: lease.id) {
        await logEnd(lease.id, of: one, detail: "ended while no agent ran")
      }
    }
    for (port, leases) in Dictionary(grouping: running, by: \.port) {
      let isOpen = reopen(leases, port)
      // Not awaited: it ends with the programs, or once they are served.
      Task(executorPreference: AgentExecutor.current) { await self.resume(leases, port, isOpen: isOpen) }
    }
    endpoint.removeTokenFiles(except: Set(served.keys))
    return running.map(\.process.pid)
  }

  private func reopen(_ leases: [LeaseRecord], _ port: Int) -> Bool {
    do {
      try endpoint.reopen(
        leases.filter { served[$0.id] != nil }.map { ($0.id, $0.tokenHash, $0.requester.automation?.run) }, port: port)
      return true
    } catch {
      AgentLog.write("programs are not served again yet: \(Failure(error).message)")
      return false
    }
  }

  private func resume(_ leases: [LeaseRecord], _ port: Int, isOpen: Bool) async {
    var isOpen = isOpen
    var delay = Self.delays.first
    while leases.contains(where: { served[$0.id] != nil }) {
      if !isOpen { isOpen = reopen(leases, port) }
      if isOpen {
        await wakeLeases()
        let asleep = endpoint.asleep
        if !leases.contains(where: { asleep.contains($0.id) }) { return }
      }
      try? await clock.sleep(until: clock.now().adding(seconds: delay))
      delay = min(2 * delay, Self.delays.maxLength)
    }
  }

  /// Gives a session to a program that has none to be served, as if it had asked again.
  ///
  /// - Parameter asking: whether a person may be asked to agree.
  private func serveAgain(_ lease: String, asking: Gatekeeper.Asking) async throws {
    guard let one = served[lease], try await isProven(lease, one) else { return }
    let issued = try await issue(one.request.again, to: one.requester, prompter: NonInteractivePrompter(), asking: asking)
    guard served[lease] != nil, await store.isUnlocked else { return }
    endpoint.update(lease, issued.credential, permit: issued.permit, renewsAt: issued.session?.record.renewsAt)
    if let session = issued.session {
      await scheduler?.open(
        lease, key: session.key, request: one.request, session: session.record, requester: one.requester, at: session.endpoint)
    }
    // The program may have ended, or the vault been locked, meanwhile.
    if served[lease] == nil { await scheduler?.close(lease) }
    if await !store.isUnlocked { endpoint.sleep() }
    if let session = issued.session { await retract(lease, ifForgotten: session.record) }
  }

  /// Whether this vault wrote the record of a served program; a record from another program is dropped.
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

  /// Serves nothing until the vault is unlocked: credentials that the key sealed are kept nowhere else.
  func sleepLeases() {
    endpoint.sleep()
    issuer.programs.environments.forget()
  }

  /// Locks the vault automatically: nothing is served or kept in files until a request fetches the key again.
  func lockItself(_ cause: LockCause) async {
    guard await store.isUnlocked else { return }
    do { try await masterKeys.lockItself(cause, requester: requesterOfFiles) } catch {
      AgentLog.write("the lock could not be logged: \(Failure(error).message)")
    }
    sleepLeases()
    await clearFiles()
    AgentLog.write("locked: \(cause.rawValue)")
  }

  /// Serves again after an unlock or a login.
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

  func wake(_ lease: String) async {
    do {
      try await bring(lease) { try await serveAgain(lease, asking: .never) }
    } catch {
      AgentLog.write("\(served[lease]?.request.profile ?? lease): not served again yet: \(Failure(error).message)")
    }
  }

  // MARK: sessions that are due

  /// Renews the session for a request that finds it due or missing, as `vault exec` would: after a suspend or an outage the
  /// schedule takes its time over all sessions, but a program that asks cannot wait that long.
  func freshen(_ lease: String) async {
    // Failures are in the audit log, and the schedule reports them too.
    try? await bring(lease) { try await renewServed(lease) }
  }

  /// Brings a lease its next session; its requests wait briefly meanwhile. Only one runs at a time: a request that unlocks the
  /// vault must not cause a second session because of the unlock, and a concurrent request leaves the work to the first.
  private func bring(_ lease: String, _ body: () async throws -> Void) async throws {
    guard waking.insert(lease).inserted else { return }
    endpoint.begin(lease)
    let timeouts = Task(executorPreference: AgentExecutor.current) { [clock, endpoint] in
      try await clock.sleep(until: clock.now().adding(milliseconds: StaleRequestPolicy.timeouts))
      endpoint.timeOut(lease)
    }
    var isLocked = false
    defer {
      waking.remove(lease)
      timeouts.cancel()
      endpoint.resolve(lease, isLocked: isLocked)
    }
    do {
      guard let one = served[lease] else { return }
      try await pending(one.request, by: one.requester) { try await body() }
    } catch {
      if case AgentError.locked = error { isLocked = true }
      throw error
    }
  }

  private func renewServed(_ lease: String) async throws {
    guard let one = served[lease] else { return }
    if endpoint.isAsleep(lease) {
      // A program that polls must not cause a passphrase prompt each time.
      guard await store.isUnlocked else { throw AgentError.locked }
      return try await serveAgain(lease, asking: .later)
    }
    let (request, plan) = try await admit(
      one.request.again, requester: one.requester, prompter: NonInteractivePrompter(), asking: .later)
    admitted.insert(lease)
    defer { admitted.remove(lease) }
    guard let target = plan.delivered else { throw AgentError.unknownSession(profile: one.request.profile) }
    let live = try await store.liveSession(profile: target.profile, fingerprint: target.fingerprint)
    // Another program's request may have brought it.
    if live.map({ $0.renewsAt <= clock.now() }) ?? true {
      let session = try await renew(request, plan: plan, requester: one.requester, prompter: NonInteractivePrompter())
      let key = Scheduler.Key(profile: session.profile, fingerprint: session.fingerprint)
      let isDelivered = await scheduler?.key(of: lease) == key
      await scheduler?.replace(key, by: session)
      if isDelivered { return }
    }
    try await serve(one.request, to: lease, requester: one.requester)
  }

  /// Ends the leases of programs that have ended, before the agent ends; the next agent takes over the others.
  func endLeases() async {
    for (id, one) in served where ProcessIdentity(running: one.requester.pid) == nil { await closeLease(id) }
  }
}
