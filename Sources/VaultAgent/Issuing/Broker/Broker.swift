import AWSClient
import Synchronization
import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// The credentials that a program gets.
struct IssuedCredentials: Sendable {
  let credential: Credential
  /// The session of the credentials; nil if they are not stored.
  let session: Session?
  let region: String?
  /// Ends with a lock, and once the session is taken back.
  let permit: Withdrawals.Permit
  /// The lease through which the program is served, instead of the credentials themselves.
  var lease: CredentialEndpoint.Lease?

  /// A session and its place in the schedule.
  struct Session: Sendable {
    let key: Scheduler.Key
    let record: SessionRecord
    /// The endpoint that issues it.
    let endpoint: String

    fileprivate init(_ record: SessionRecord, for planned: PlannedRequest) {
      key = Scheduler.Key(profile: planned.target.profile, fingerprint: planned.target.fingerprint)
      self.record = record
      endpoint = planned.plan.endpoint
    }
  }
}

/// A request for a session, with the plan for it.
struct PlannedRequest: Sendable {
  let request: CredentialRequest
  let plan: CredentialPlan
  /// The session that is delivered.
  let target: (profile: String, fingerprint: String)
  let requester: Requester
  let prompter: any Prompter
  /// When the request began: what is taken back later does not come back with its result.
  let begun: Withdrawals.Moment

  var region: String? { request.region ?? plan.region }
}

/// Gives programs the credentials of a profile: a cached session if a good one exists, else a new one that STS issues once for all
/// requesters.
///
/// Nothing is handed out before the transaction with its audit row has committed.
actor Broker {
  let store: VaultStore
  let catalog: ProfileCatalog
  let masterKeys: MasterKeyService
  let gatekeeper: Gatekeeper
  let endpoint: CredentialEndpoint
  private let loop: EventLoop
  private let events: AgentEvents
  let files: CredentialFiles
  /// The agent itself, which keeps files fresh.
  let requesterOfFiles: Requester
  let issuer: CredentialIssuer
  private(set) var scheduler: Scheduler?
  let clock: any WallClock
  private let minting: SingleFlightGroup<any Prompter, Credential?>
  /// The programs that are served on loopback, keyed by lease.
  var served: [String: ServedProgram] = [:]
  /// Waits for the next session to expire.
  var expiry: (task: Task<Void, Never>, moment: Timestamp)?
  /// The latest of the withdrawals that have not ended.
  var withdrawing: Task<Void, Never>?
  /// The leases that are being brought a session.
  var waking: Set<String> = []
  /// The leases whose programs have been admitted to the session that they are being brought.
  var admitted: Set<String> = []

  init(
    store: VaultStore, catalog: ProfileCatalog, masterKeys: MasterKeyService, gatekeeper: Gatekeeper, issuer: CredentialIssuer,
    endpoint: CredentialEndpoint, loop: EventLoop, events: AgentEvents,
    files: CredentialFiles, agent: Requester, clock: any WallClock
  ) {
    self.files = files
    requesterOfFiles = agent
    self.endpoint = endpoint
    self.loop = loop
    self.events = events
    self.store = store
    self.catalog = catalog
    self.masterKeys = masterKeys
    self.gatekeeper = gatekeeper
    self.issuer = issuer
    self.clock = clock
    minting = SingleFlightGroup(clock: clock)
  }

  /// The credentials for a client's request.
  ///
  /// - Parameter asking: whether a person may be asked to agree.
  func issue(
    _ request: CredentialRequest, to requester: Requester, prompter: any Prompter, asking: Gatekeeper.Asking = .wait
  ) async throws -> IssuedCredentials {
    try await pending(request, by: requester) {
      do {
        return try await issueUnlocked(request, to: requester, prompter: prompter, asking: asking)
      } catch StoreError.locked {
        // Needed for an agent's first request only; a warm one skips it.
        try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
        return try await issueUnlocked(request, to: requester, prompter: prompter, asking: asking)
      }
    }
  }

  /// Does work for a request that a revocation may end: the client's for which the current task works, or one of the agent's own.
  func pending<Value>(_ request: CredentialRequest, by requester: Requester, _ work: () async throws -> Value) async throws
    -> Value
  {
    if let current = PendingRequest.current, current.isUnderWay {
      try current.add(profile: request.profile, trigger: request.trigger)
      return try await work()
    }
    let own = PendingRequest(requester, isAsked: false)
    try own.add(profile: request.profile, trigger: request.trigger)
    store.withdrawals.begin(own)
    defer { store.withdrawals.end(own) }
    return try await PendingRequest.$current.withValue(own) { try await work() }
  }

  /// The plan for a request to look at the AWS side of a profile.
  ///
  /// - Returns: also what ``ProgramWaits/end(_:)`` takes once the request has ended.
  /// - Throws: `AgentError.circle` for a request of a program that the request itself needs.
  func begin(_ request: CredentialRequest, requester: Requester, prompter: any Prompter) async throws
    -> (plan: CredentialPlan, wait: Int?)
  {
    let plan = try await catalog.plan(for: request, prompter: prompter, requester: requester)
    try await gatekeeper.inspect(request, plan: plan, requester: requester)
    return (plan, try issuer.programs.waits.begin(plan.profile, chain: request.chain, needs: plan.profiles))
  }

  private func issueUnlocked(
    _ asked: CredentialRequest, to requester: Requester, prompter: any Prompter, asking: Gatekeeper.Asking
  ) async throws -> IssuedCredentials {
    let (request, plan) = try await admit(asked, requester: requester, prompter: prompter, asking: asking)
    // What the request itself found changed in a file is no reason to refuse it.
    let pending = PendingRequest.current
    let (permit, begun) = (store.withdrawals.permit().within(pending), store.withdrawals.moment)
    let wait = try issuer.programs.waits.begin(plan.profile, chain: request.chain, needs: plan.profiles)
    defer { issuer.programs.waits.end(wait) }
    if let line = plan.withoutEffect(request) { prompter.notice(line) }
    if let asked = request.region, let partition = plan.partition, Partition(region: asked) != partition {
      throw AgentError.otherPartition(profile: request.profile, partition: partition)
    }
    var event = Self.deliverEvent(request, requester)
    guard let target = plan.delivered else {
      // Keys have no session only if that was requested, and the log says so.
      event.detail = "the access key itself, without a session"
      return try await deliver(try await plan.keys(in: store), permit, event: event, region: request.region ?? plan.region)
    }
    try pending?.add(ForgottenSession(profile: target.profile, fingerprint: target.fingerprint))
    let planned = PlannedRequest(
      request: request, plan: plan, target: target, requester: requester, prompter: prompter, begun: begun)
    if !request.refresh,
      let cached = try await deliver(target, request.freshness(at: clock.now()), event: event)
    {
      return try await issued(cached, for: planned)
    }
    do {
      if let passing = try await issue(planned) {
        guard !store.withdrawals.wasClaimed(target.profile, since: begun) else {
          throw StoreError.forgottenMeanwhile(profile: request.profile)
        }
        return try await deliver(passing, permit, event: event, region: planned.region)
      }
    } catch {
      try pending?.require()
      // The note is lost if the disk is full; the cached session need not be.
      do { try await record(error, of: request) } catch {
        guard await store.canDeliverUnlogged(after: error) else { throw error }
      }
      return try await fallBackToCachedSession(after: error, for: planned, event: event)
    }
    // A client that left while it waited gets nothing, and no row records a delivery.
    try Task.checkCancellation()
    guard let fresh = try await deliver(target, .alive(at: clock.now()), event: event) else {
      throw AgentError.unknownSession(profile: request.profile)
    }
    if let wanted = request.minimumRemaining, fresh.session.expiresAt.since(clock.now()) < Int64(wanted) * 1_000 {
      prompter.notice("the new session expires before the requested \(wanted) s")
    }
    return try await issued(fresh, for: planned, isNew: true)
  }

  /// The session of a plan, once its delivery is logged; nil if none is fresh enough.
  func deliver(
    _ target: (profile: String, fingerprint: String), _ freshness: Freshness, event: AuditEvent
  ) async throws -> Delivery? {
    let pending = PendingRequest.current
    try pending?.require()
    return try await store.deliver(profile: target.profile, fingerprint: target.fingerprint, freshness: freshness, event: event)?
      .within(pending)
  }

  /// Hands out a session's credentials, and gives the session its place in the schedule.
  ///
  /// - Parameter isNew: whether the session is not the one in the schedule.
  private func issued(_ delivery: Delivery, for planned: PlannedRequest, isNew: Bool = false) async throws -> IssuedCredentials {
    let (request, plan) = (planned.request, planned.plan)
    let session = IssuedCredentials.Session(delivery.session, for: planned)
    var lease: CredentialEndpoint.Lease?
    if request.server {
      lease = try await openLease(delivery, session: session, request: request, requester: planned.requester)
    } else if let scheduler, !scheduler.touch(session.key) || isNew {
      // Nothing asks for the session of a run that has ended, which may be a minute from now.
      let rule = request.run == nil ? plan.rotation : .served
      await scheduler.add(session.key, request: request, session: session.record, rule: rule, at: plan.endpoint)
    }
    return IssuedCredentials(
      credential: delivery.credential, session: session, region: planned.region, permit: delivery.permit, lease: lease)
  }

  /// Makes the schedule, whose work this broker does. Call it once, before the first request.
  func beginSchedule(executor: any TaskExecutor, _ notifier: Notifier) -> Scheduler {
    let scheduler = Scheduler(clock: clock, executor: executor, work: scheduledWork(requesterOfFiles, notifier))
    self.scheduler = scheduler
    return scheduler
  }

  /// Has the end of a lease's program reported.
  func observe(_ lease: String, _ pid: Int32) {
    loop.onExit(of: pid) { [events] in events.report(.programEnded(lease: lease)) }
  }

  /// Makes a new session. Identical requests share one call. But if a call that began earlier fails, perhaps because AWS was not
  /// yet reachable, a request that joined it tries again.
  ///
  /// - Returns: credentials without an expiry, which are not stored.
  func issue(_ planned: PlannedRequest) async throws -> Credential? {
    let isOwn = Mutex(false)
    do {
      return try await share(planned) { isOwn.withLock { $0 = true } }
    } catch  where planned.request.trigger != .rotation && !isOwn.withLock({ $0 }) && Failure(error).isRetryable {
      return try await share(planned) {}
    }
  }

  private func share(_ planned: PlannedRequest, begin: @escaping @Sendable () -> Void) async throws -> Credential? {
    try PendingRequest.current?.require()
    let (request, plan, target) = (planned.request, planned.plan, planned.target)
    // Calls by the schedule have already waited for their token.
    let toldTo = request.trigger == .rotation ? nil : scheduler
    let isDown = await scheduler?.isDown(plan.endpoint) ?? false
    let mayWait = request.trigger != .rotation && !isDown
    return try await minting.share(target.profile + "\n" + target.fingerprint, for: planned.prompter) { [issuer] prompter in
      begin()
      do {
        let passing = try await issuer.issue(
          plan, request: request, requester: planned.requester, prompter: prompter, begun: planned.begun, mayWait: mayWait)
        await toldTo?.called(plan.endpoint, nil)
        await self.observeExpiry()
        return passing
      } catch {
        await toldTo?.called(plan.endpoint, error)
        throw error
      }
    }
  }

  /// Hands out credentials that are not stored, once that is logged.
  private func deliver(
    _ credential: Credential, _ permit: Withdrawals.Permit, event: AuditEvent, region: String?
  ) async throws -> IssuedCredentials {
    try Task.checkCancellation()
    try PendingRequest.current?.require()
    var event = event
    event.accessKeyId = credential.accessKeyId
    try await store.record(event)
    return IssuedCredentials(credential: credential, session: nil, region: region, permit: permit)
  }

  /// Records what the profile is waiting for, for `vault list`.
  func record(_ error: any Error, of request: CredentialRequest) async throws {
    let profile = request.profile
    switch error {
    case SignInError.needed(let name):
      try await store.setNeedsLogin(signIn: name)
      try await store.setPendingAction(.needsLogin, of: profile)
    case AgentError.nobodyToAsk, AgentError.badMFACode: try await store.setPendingAction(.needsMFA, of: profile)
    case is CancellationError: break
    // That AWS refuses a narrowed session says nothing about the profile's own.
    default: if request.isOwn { try await store.setPendingAction(.failing, of: profile) }
    }
  }

  /// If AWS is unreachable, fall back to the cached session while it is valid. Never after a refusal.
  private func fallBackToCachedSession(
    after error: any Error, for planned: PlannedRequest, event: AuditEvent
  ) async throws -> IssuedCredentials {
    let (request, target) = (planned.request, planned.target)
    let failure = Failure(error)
    let isAllowed = await store.canDeliverUnlogged(after: error)
    guard !request.refresh, request.minimumRemaining == nil, failure.isRetryable || isAllowed,
      let old = try await deliver(target, .alive(at: clock.now()), event: event)
    else { throw error }
    planned.prompter.notice(
      "\(failure.message); the cached session expires in \(old.session.expiresAt.since(clock.now()) / 60_000) min")
    return try await issued(old, for: planned)
  }

  private static func deliverEvent(_ request: CredentialRequest, _ requester: Requester) -> AuditEvent {
    var event = AuditEvent(
      action: .deliver, outcome: .success, trigger: request.trigger, profile: request.profile, requester: requester)
    event.reason = request.reason
    event.scope = request.scope.shown
    return event
  }
}

extension Failure {
  /// Whether a later retry may succeed.
  var isRetryable: Bool { exitStatus == .unavailable || exitStatus == .temporary }
}

extension CredentialRequest {
  /// The condition for handing out a cached session for this request.
  func freshness(at now: Timestamp) -> Freshness {
    if let minimumRemaining { return .livesUntil(now.adding(seconds: Int64(minimumRemaining)), at: now) }
    return .notDue(at: now)
  }
}

// Expired sessions.
extension Broker {
  /// Ends expired sessions, with their sealed secrets, now and whenever another one expires.
  func endExpired() async {
    do { _ = try await store.endExpired(requester: requesterOfFiles) } catch {
      AgentLog.write("expired sessions could not be removed: \(Failure(error).message)")
    }
    await observeExpiry()
  }

  /// Waits for the next session to expire. Sessions that expire within a minute are ended together; failures are retried at that
  /// time.
  func observeExpiry() async {
    guard let next = try? await store.nextExpiry() else { return }
    let moment = max(next, clock.now()).adding(seconds: 60)
    if let expiry, expiry.moment <= moment { return }
    expiry?.task.cancel()
    let task = Task(executorPreference: AgentExecutor.current) { [weak self, clock] in
      do { try await clock.sleep(until: moment) } catch { return }
      await self?.expiryCame()
    }
    expiry = (task, moment)
  }

  private func expiryCame() async {
    expiry = nil
    await endExpired()
  }
}
