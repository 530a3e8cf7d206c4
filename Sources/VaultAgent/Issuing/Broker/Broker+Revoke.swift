import CSystem
import VaultModel
import VaultStore
import VaultWire

// Taking back what was handed out, as far as it is here: what a program already holds is AWS's to refuse.
extension Broker {
  /// Ends what a target covers: its sessions, the programs that are served them, and the files that hold them. Nothing of it is served,
  /// renewed or kept, and no program gets more of it without a new command.
  ///
  /// - Parameters:
  ///   - isKnown: whether there is something of the target elsewhere.
  ///   - coming: the sessions that requests under way may bring.
  /// - Throws: ``AgentError/nothingToRevoke(what:)``.
  func revoke(
    _ target: RevocationTarget, isKnown: Bool, coming: Set<ForgottenSession>, reason: String?, requester: Requester,
    prompter: any Prompter
  ) async throws -> Revoked {
    let sessions = try await store.sessions(of: target)
    let leases = await leases(of: target, sessions)
    let links = try await links(of: target, sessions)
    guard isKnown || !sessions.isEmpty || !leases.isEmpty || !links.isEmpty else {
      throw AgentError.nothingToRevoke(what: target.text)
    }
    var coming = coming
    for lease in leases {
      guard let key = await scheduler?.key(of: lease) else { continue }
      coming.insert(ForgottenSession(profile: key.profile, fingerprint: key.fingerprint))
    }
    // The programs first: one that asks meanwhile would otherwise be brought a new session.
    var requests = leases.map { ($0, endLease($0)) }
    for (lease, _) in requests { await scheduler?.close(lease) }
    let ended: [SessionRecord]
    do {
      ended = try await store.revoke(target, coming: coming, requester: requester, reason: reason)
    } catch {
      await logEnds(requests)
      throw error
    }
    // And those that began to be served while the sessions were ended.
    for lease in await self.leases(of: target, sessions) {
      requests.append((lease, endLease(lease)))
      await scheduler?.close(lease)
    }
    // The environments that requesters have sent may contain credentials.
    if target == .all { issuer.programs.environments.forget() }
    await withdraw()
    await logEnds(requests)
    let left = await remove(links, requester: requester)
    if let left { prompter.notice(left) }
    return Revoked { reply in
      (reply.sessions, reply.expiration) = (ended.count, ended.map(\.expiresAt).max())
      reply.programs = requests.count
      reply.files = links.prefix(Self.shownFiles).map { "[\($0.section)] in \($0.path)" }
    }
  }

  /// How many files a reply names.
  private static let shownFiles = 50

  /// Profiles have changed. A program or a file with a session for which its profile no longer asks is served nothing, until it has the
  /// one for which it does.
  func reviewServed() async { await takeBack { request, key, requester in await !self.asks(request, for: key, requester) } }

  /// The guard rules have changed. A program or a file with a session that they refuse now, or to which a person has to agree since, is
  /// served nothing until that is done; one that gets a narrower or shorter session gets that. What the rules of before refused too, as
  /// for a program that is served beyond its hours, stays as it is.
  func rulesChanged(from before: GuardRules) async {
    let after = gatekeeper.currentRules
    await takeBack { request, key, requester in
      guard let plan = await self.plan(for: request, requester),
        let was = try? await self.gatekeeper.outcome(of: request, plan: plan, requester: requester, under: before)
      else { return false }
      guard let now = try? await self.gatekeeper.outcome(of: request, plan: plan, requester: requester, under: after),
        was.isConfirmed || !now.isConfirmed, let target = await self.plan(for: now.request, requester)?.delivered
      else { return true }
      return target.profile != key.profile || target.fingerprint != key.fingerprint
    }
  }

  private func plan(for request: CredentialRequest, _ requester: Requester) async -> CredentialPlan? {
    try? await catalog.plan(for: request, prompter: NonInteractivePrompter(), requester: requester)
  }

  /// Serves nothing to those programs and files whose sessions are to be replaced, until they have others.
  private func takeBack(
    where isMeant: (_ request: CredentialRequest, _ session: Scheduler.Key, _ requester: Requester) async -> Bool
  ) async {
    guard await store.isUnlocked else { return }
    for (lease, one) in served {
      guard let key = await scheduler?.key(of: lease), await isMeant(one.request.again, key, one.requester) else { continue }
      endpoint.sleep([lease])
      await scheduler?.close(lease)
      // Not awaited: AWS may take its time.
      Task(executorPreference: AgentExecutor.current) { await self.wake(lease) }
    }
    for link in (try? await store.credentialsLinks()) ?? [] {
      let lease = CredentialFiles.lease(link)
      guard let key = await scheduler?.key(of: lease), let request = try? await request(of: link),
        await isMeant(request, key, requesterOfFiles)
      else { continue }
      await files.empty(lease)
      await scheduler?.close(lease)
      Task(executorPreference: AgentExecutor.current) { await self.fill(link) }
    }
  }

  /// Whether a request would be answered with this session today. One that would be refused asks for none.
  private func asks(_ request: CredentialRequest, for key: Scheduler.Key, _ requester: Requester) async -> Bool {
    // Whoever agreed to the session agreed to this one.
    let admission = try? await admit(
      request, requester: requester, prompter: NonInteractivePrompter(), handsOut: false, asking: .agreed)
    return admission?.plan.delivered.map { $0.profile == key.profile && $0.fingerprint == key.fingerprint } ?? false
  }

  /// Whether a target has anything that could be taken back.
  func has(anythingOf target: RevocationTarget) async throws -> Bool {
    if store.withdrawals.hasRequests(of: target) { return true }
    let sessions = try await store.sessions(of: target)
    let leases = await leases(of: target, sessions)
    return !sessions.isEmpty || !leases.isEmpty
  }

  func serves(_ profile: String) -> Bool { served.values.contains { $0.request.profile == profile } }

  private func leases(of target: RevocationTarget, _ sessions: [SessionRecord]) async -> [String] {
    let keys = Set(sessions.map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
    var found: [String] = []
    for (lease, one) in served {
      let isMeant =
        switch target {
        case .all: true
        case .profile(let name): one.request.profile == name
        case .session: await scheduler?.key(of: lease).map { keys.contains($0) } ?? false
        case .automation(let name): one.requester.automation?.name == name
        case .process(let pid, _): one.requester.pid == pid
        }
      if isMeant { found.append(lease) }
    }
    return found
  }

  /// The files that are kept fresh with what is revoked. They have no program, so nothing but their link would fill them again.
  private func links(of target: RevocationTarget, _ sessions: [SessionRecord]) async throws -> [CredentialsLink] {
    let all = try await store.credentialsLinks()
    switch target {
    case .all: return all
    case .profile(let name): return all.filter { $0.profile == name }
    case .session:
      let keys = Set(sessions.map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
      var links: [CredentialsLink] = []
      for link in all {
        if let key = await scheduler?.key(of: CredentialFiles.lease(link)), keys.contains(key) { links.append(link) }
      }
      return links
    case .automation, .process: return []
    }
  }

  /// Serves a program nothing more.
  ///
  /// - Returns: what is to be logged once that is done.
  private func endLease(_ id: String) -> (ServedProgram, requests: Int)? {
    guard let one = served.removeValue(forKey: id) else { return nil }
    return (one, endpoint.revoke(id))
  }

  private func logEnds(_ leases: [(id: String, end: (program: ServedProgram, requests: Int)?)]) async {
    for case (let id, let end?) in leases { await logRevoked(id, end) }
  }

  private func logRevoked(_ id: String, _ end: (program: ServedProgram, requests: Int)) async {
    await logEnd(id, of: end.program, detail: "revoked after " + (end.requests == 1 ? "1 request" : "\(end.requests) requests"))
  }

  /// A lease whose session was revoked on its way to it.
  func revokeLease(_ id: String) async {
    guard let end = endLease(id) else { return }
    await scheduler?.close(id)
    await logRevoked(id, end)
  }

  /// Empties the files, and removes their links.
  ///
  /// - Returns: why links stay; nil if none does.
  private func remove(_ links: [CredentialsLink], requester: Requester) async -> String? {
    var fault: Failure?
    for link in links {
      do { try await unlink(link, requester: requester) } catch { fault = Failure(error) }
    }
    return fault.map { "a link to a file stays, and may be filled again: \($0.message)" }
  }
}

// Sessions that were forgotten or signed out of, or whose profile was removed: no served program or file keeps them.
extension Broker {
  /// Takes back the sessions that were forgotten since the last time. A program that asks again gets a new session if there is one;
  /// a credentials file gets the next one that somebody requests.
  func withdraw() async {
    // Whoever waits for this waits for those that began before: they may have taken what this one came for.
    let earlier = withdrawing
    let task = Task(executorPreference: AgentExecutor.current) {
      await earlier?.value
      await self.withdrawForgotten()
    }
    withdrawing = task
    await task.value
    if withdrawing == task { withdrawing = nil }
  }

  private func withdrawForgotten() async {
    let keys = Set(await store.consumeForgotten().map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
    guard !keys.isEmpty else { return }
    for lease in await scheduler?.withdraw(keys) ?? [] { await retract(lease) }
  }

  /// A session on its way to a lease may have been taken back before it arrived.
  func retract(_ lease: String, ifForgotten session: SessionRecord) async {
    do {
      switch try await store.withdrawal(of: session) {
      case nil: return
      case .revoked where served[lease] != nil: await revokeLease(lease)
      default: await retract(lease)
      }
    } catch {
      // The database has just answered for the session itself, so an error here is a doubt, and in doubt nothing is served.
      await retract(lease)
    }
  }

  private func retract(_ lease: String) async {
    if await files.has(lease) { await files.empty(lease) } else { endpoint.sleep([lease]) }
  }
}
