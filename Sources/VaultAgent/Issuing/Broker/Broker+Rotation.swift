import VaultModel
import VaultStore
import VaultWire

extension Broker {
  /// Makes new sessions now. They are delivered to the programs that are being served, and to nobody else.
  ///
  /// - Returns: for each profile the new session, or why there is none. A profile that fails does not affect the others.
  func rotate(_ request: CredentialRequest, all: Bool, requester: Requester, prompter: any Prompter) async throws
    -> [RotatedSession]
  {
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    guard all else {
      return [RotatedSession(request.profile, try await renewAtOnce(request, requester: requester, prompter: prompter))]
    }
    let profiles = try await store.profilesWithLiveRoles()
    return await withTaskGroup(of: RotatedSession.self) { group in
      var rotated: [RotatedSession] = []
      for (number, profile) in profiles.enumerated() {
        // As many concurrent calls as the schedule makes.
        if number >= Scheduler.maximum, let one = await group.next() { rotated.append(one) }
        group.addTask { await self.rotated(request.for(profile), requester: requester, prompter: prompter) }
      }
      for await one in group { rotated.append(one) }
      return rotated.sorted { $0.profile < $1.profile }
    }
  }

  private func rotated(_ request: CredentialRequest, requester: Requester, prompter: any Prompter) async -> RotatedSession {
    do {
      return RotatedSession(request.profile, try await renewAtOnce(request, requester: requester, prompter: prompter))
    } catch {
      let failure = Failure(error)
      return RotatedSession { ($0.profile, $0.fault, $0.exitStatus) = (request.profile, failure.message, failure.exitStatus) }
    }
  }

  func renewAtOnce(_ request: CredentialRequest, requester: Requester, prompter: any Prompter) async throws -> SessionRecord {
    let session = try await renew(request, requester: requester, prompter: prompter)
    await scheduler?.replace(Scheduler.Key(profile: session.profile, fingerprint: session.fingerprint), by: session)
    return session
  }

  /// Makes a new session for a profile.
  ///
  /// - Parameter asking: whether a person may be asked to agree.
  func renew(_ asked: CredentialRequest, requester: Requester, prompter: any Prompter, asking: Gatekeeper.Asking = .wait)
    async throws -> SessionRecord
  {
    try await pending(asked, by: requester) {
      let (request, plan) = try await admit(asked, requester: requester, prompter: prompter, handsOut: false, asking: asking)
      return try await renew(request, plan: plan, requester: requester, prompter: prompter)
    }
  }

  /// Makes a new session for a request that was admitted.
  func renew(_ request: CredentialRequest, plan: CredentialPlan, requester: Requester, prompter: any Prompter) async throws
    -> SessionRecord
  {
    let begun = store.withdrawals.moment
    let wait = try issuer.programs.waits.begin(plan.profile, chain: request.chain, needs: plan.profiles)
    defer { issuer.programs.waits.end(wait) }
    guard let target = plan.delivered else { throw AgentError.unknownSession(profile: request.profile) }
    try PendingRequest.current?.add(ForgottenSession(profile: target.profile, fingerprint: target.fingerprint))
    _ = try await issue(
      PlannedRequest(request: request, plan: plan, target: target, requester: requester, prompter: prompter, begun: begun))
    guard let session = try await store.liveSession(profile: target.profile, fingerprint: target.fingerprint) else {
      throw AgentError.unknownSession(profile: request.profile)
    }
    return session
  }
}

extension RotatedSession {
  fileprivate init(_ profile: String, _ session: SessionRecord) {
    self.init { ($0.profile, $0.sessionId, $0.expiration) = (profile, session.id, session.expiresAt) }
  }
}
