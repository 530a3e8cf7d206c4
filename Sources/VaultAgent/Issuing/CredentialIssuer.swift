import AWSClient
import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultStore

/// Resolves a plan: from the identity through each role to the requested session, with an audit row before and after every call.
struct CredentialIssuer: Sendable {
  let store: VaultStore
  let clients: Clients
  let ssoSessions: SSOSessions
  let clock: any WallClock
  let programs: ProgramRunner
  /// One call for each link of a chain, however many chains share it. The result is in the store, except for credentials without an
  /// expiry, which are not stored.
  private let links: SingleFlightGroup<any Prompter, Credential?>

  init(
    store: VaultStore, clients: Clients, ssoSessions: SSOSessions, programs: ProgramRunner = ProgramRunner(), clock: any WallClock
  ) {
    self.programs = programs
    self.store = store
    self.clients = clients
    self.ssoSessions = ssoSessions
    self.clock = clock
    links = SingleFlightGroup(clock: clock)
  }

  /// Makes a new session for the plan's last link.
  ///
  /// - Parameters:
  ///   - begun: when the request began.
  ///   - mayWait: whether a call for a role is retried at once if that may help.
  /// - Returns: the credentials, if they have no expiry and are not stored; else nil.
  func issue(
    _ plan: CredentialPlan, request: CredentialRequest, requester: Requester, prompter: any Prompter, begun: Withdrawals.Moment,
    mayWait: Bool
  ) async throws
    -> Credential?
  {
    let context = IssueContext(
      plan: plan, request: request, requester: requester, prompter: prompter, store: store, programs: programs,
      clients: clients, ssoSessions: ssoSessions, clock: clock, begun: begun, mayWait: mayWait)
    guard let last = plan.steps.indices.last else {
      return if let own = plan.own { try await plan.source.issue(own, context) } else { try await plan.keys(in: store) }
    }
    try await mintRole(last, context)
    return nil
  }

  // MARK: one link

  private func mintRole(_ index: Int, _ context: IssueContext) async throws {
    try await withSource(before: index, context) { _ = try await assumeRole(index, signedBy: $0, context) }
  }

  /// Makes a call with the credentials that sign a link's call. A session that AWS no longer accepts (revoked, or its clock differs) is
  /// dropped, once, and requested again.
  func withSource<Value>(
    before index: Int, _ context: IssueContext, _ call: (Credential) async throws -> Value
  ) async throws -> Value {
    do {
      return try await call(try await source(before: index, context))
    } catch let error as AWSError where error.saysSourceIsOver {
      guard try await dropSource(before: index, context) else { throw error }
      return try await call(try await source(before: index, context))
    }
  }

  /// The credentials of a plan's last link, for calls by the agent itself.
  func credentials(_ context: IssueContext) async throws -> Credential {
    try await source(before: context.plan.steps.count, context)
  }

  /// Makes the call for link `index` for the shortest session, which is not stored.
  func tryRole(_ index: Int, signedBy source: Credential, _ context: IssueContext) async throws -> Credential? {
    try await assumeRole(index, signedBy: source, context, isTrial: true)
  }

  /// The credentials that sign the call for link `index`.
  func source(before index: Int, _ context: IssueContext) async throws -> Credential {
    if index > 0 {
      let step = context.plan.steps[index - 1]
      return try await live(profile: step.link.profile, fingerprint: step.fingerprint, context) { context in
        try await mintRole(index - 1, context)
        return nil
      }
    }
    if let own = context.plan.own {
      return try await live(profile: own.owner, fingerprint: own.fingerprint, context) { context in
        try await context.plan.source.issue(own, context)
      }
    }
    return try await context.plan.keys(in: store)
  }

  private func live(
    profile: String, fingerprint: String, _ context: IssueContext,
    issue: @escaping @Sendable (IssueContext) async throws -> Credential?
  ) async throws -> Credential {
    if let kept = try await store.openSession(profile: profile, fingerprint: fingerprint, freshness: .notDue(at: clock.now())) {
      return kept.credential
    }
    let passing = try await links.share(profile + "\n" + fingerprint, for: context.prompter) { prompter in
      try await issue(context.asked(by: prompter))
    }
    if let passing { return passing }
    guard let fresh = try await store.openSession(profile: profile, fingerprint: fingerprint, freshness: .alive(at: clock.now()))
    else {
      throw AgentError.unknownSession(profile: profile)
    }
    return fresh.credential
  }

  private func dropSource(before index: Int, _ context: IssueContext) async throws -> Bool {
    let profile: String
    if index > 0 {
      profile = context.plan.steps[index - 1].link.profile
    } else if let own = context.plan.own {
      profile = own.owner
    } else {
      return false
    }
    return try await store.forget(profile: profile, requester: context.requester, trigger: context.request.trigger) > 0
  }

  /// `AssumeRole` for one link.
  ///
  /// - Returns: the credentials of a trial; else nil, since they are stored.
  @discardableResult
  private func assumeRole(_ index: Int, signedBy source: Credential, _ context: IssueContext, isTrial: Bool = false) async throws
    -> Credential?
  {
    let step = context.plan.steps[index]
    let link = step.link
    let duration = isTrial ? .shortest : step.duration.limited(chained: source.sessionToken != nil)
    if !isTrial, let asked = step.cutFrom ?? (duration == step.duration ? nil : step.duration) {
      context.prompter.notice(
        "\(link.profile): a chained role's session lasts at most one hour; "
          + "\(asked.seconds / 60) min were reduced to 60")
    }
    // The session of the access keys has used the code already; any other caller must give it here, including keys without their
    // own session.
    let hasCode = index == 0 && context.plan.own?.mfa != nil && source.expiresAt != nil
    let device = link.mfaSerial.flatMap { serial in
      hasCode ? nil : CredentialPlan.Device(serial: serial, process: link.mfaProcess, owner: link.profile)
    }
    return try await context.withCode(device) { code in
      var event = context.event(.assumeRole, profile: link.profile)
      event.roleARN = link.roleARN.text
      event.roleSessionName = step.sessionName.text
      event.sourceIdentity = link.sourceIdentity
      event.mfa = link.mfaSerial != nil
      event.detail = link.sentDetail
      event.durationSeconds = duration.seconds
      event.sourceAccessKeyId = source.accessKeyId
      if isTrial { event.detail = "tried by vault iam check; the session is dropped" }
      return try await context.sts(
        event, region: link.region, link.endpoint,
        sending: source.sessionToken == nil ? "calls signed with an access key" : "a session's token", for: link.roleARN.name,
        keeping: isTrial ? nil : (.role, step.fingerprint)
      ) { endpoint, route in
        do {
          return try await clients.sts.assumeRole(
            AssumeRoleRequest(link: link, sessionName: step.sessionName, duration: duration, tokenCode: code), signedBy: source,
            at: endpoint, via: route, mayWait: context.mayWait)
        } catch let error as AWSError {
          throw error.of(step.needs)
        }
      }
    }
  }
}

extension RoleLink {
  /// What the call carries that no other field of its audit row has: a refusal may be for one of them. Nil for none.
  fileprivate var sentDetail: String? {
    let sent = [
      externalId.map { _ in "an external id" }, tags.isEmpty ? nil : "the tags \(tags.map(\.key).joined(separator: ", "))",
      policy == nil && policyARNs.isEmpty ? nil : "a session policy",
    ].compactMap { $0 }
    return sent.isEmpty ? nil : "sent " + sent.joined(separator: "; ")
  }
}
