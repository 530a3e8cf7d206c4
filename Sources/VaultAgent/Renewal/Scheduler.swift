import AWSClient
import Synchronization
import VaultConcurrency
import VaultModel
import VaultSecrets

/// Renews sessions before they expire, for as long as they are wanted.
///
/// Each session is renewed at the moment in its record, less a random part of a tenth of its lifetime, so that a team's laptops do
/// not call at the same time. Nothing wakes up in between. No endpoint is called faster than its ``TokenBucket`` allows, and only a
/// few calls run at one time. Failures are retried with full jitter; a session that needs a person is announced once, and waits.
package actor Scheduler {
  /// A profile's session, identified by its request.
  package struct Key: Hashable, Sendable {
    package let profile: String
    package let fingerprint: String

    package init(profile: String, fingerprint: String) {
      self.profile = profile
      self.fingerprint = fingerprint
    }
  }

  /// The functions that the schedule calls, so that it can run in virtual time.
  package struct Work: Sendable {
    /// Makes a new session, and returns when to renew it and when it expires.
    let renew: @Sendable (CredentialRequest) async throws -> SessionRecord
    /// Delivers a new session to a lease.
    let deliver: @Sendable (CredentialRequest, _ lease: String, Requester) async throws -> Void
    /// Tells the person, once, what a profile is waiting for.
    let announce: @Sendable (CredentialRequest, _ pendingAction: SessionState, Failure) async -> Void

    package init(
      renew: @escaping @Sendable (CredentialRequest) async throws -> SessionRecord,
      deliver: @escaping @Sendable (CredentialRequest, _ lease: String, Requester) async throws -> Void,
      announce: @escaping @Sendable (CredentialRequest, _ pendingAction: SessionState, Failure) async -> Void
    ) {
      self.renew = renew
      self.deliver = deliver
      self.announce = announce
    }
  }

  struct Entry {
    let standing: RenewalTemplate
    let profile: String
    var rule: RotationRule
    /// The index of its endpoint's line in the agenda.
    var line: Int
    /// The calls per second that it needs.
    var demand = 0.0
    var endsAt: Timestamp
    var leases: [String: Requester] = [:]
    /// Failures since the last success.
    var failures = 0
    /// No attempt is made until a person acts.
    var waits = false
    var isUnderWay = false

    var request: CredentialRequest { standing.request.for(profile) }
  }

  private func standing(_ request: CredentialRequest) -> RenewalTemplate {
    if let lastWish, lastWish.serves(request) { return lastWish }
    let new = RenewalTemplate(request)
    lastWish = new
    return new
  }

  /// Maximum number of concurrent renewals.
  static let maximum = 8
  /// The longest pause between two attempts in seconds: usually, and when the session serves a running program.
  private static let maxDelay = (usual: 300.0, served: 30.0)
  /// Seconds between two attempts when AWS refuses a session that serves a running program.
  private static let refusedPause: Int64 = 900

  private let clock: any WallClock
  private let random: @Sendable () -> Double
  private let executor: (any TaskExecutor)?
  private let work: Work
  private var entries: [Key: Entry] = [:]
  private var agenda = RenewalQueue()
  /// The keys of entries that wait for a person, in the order in which they began to wait.
  private var waiting: [Key] = []
  /// The session of each lease.
  private var leases: [String: Key] = [:]
  private var alarm: (task: Task<Void, Never>, moment: Timestamp)?
  private var underWay = 0
  private var lastWish: RenewalTemplate?
  /// When each session was last used; outside the actor, because every delivery reads and writes it.
  nonisolated let uses = Mutex<[Key: Timestamp]>([:])

  /// - Parameter executor: the executor of its tasks; nil for the standard executor.
  package init(
    clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
    executor: (any TaskExecutor)? = nil, work: Work
  ) {
    self.clock = clock
    self.random = random
    self.executor = executor
    self.work = work
  }

  /// Records that a session was handed out.
  ///
  /// - Returns: whether it is already in the schedule; if not, ``add(_:request:session:rule:at:)`` it.
  package nonisolated func touch(_ key: Key) -> Bool {
    let now = clock.now()
    return uses.withLock { uses in
      guard uses[key] != nil else { return false }
      uses[key] = now
      return true
    }
  }

  /// Adds a session to the schedule, or replaces its predecessor there.
  ///
  /// - Parameter endpoint: the endpoint that issues it.
  package func add(_ key: Key, request: CredentialRequest, session: SessionRecord, rule: RotationRule, at endpoint: String)
    async
  {
    guard rule.mode != .off else { return }
    let now = clock.now()
    uses.withLock { $0[key] = now }
    let line = agenda.line(endpoint, at: now)
    let old = entries[key]
    var entry =
      old ?? Entry(standing: standing(request), profile: request.profile, rule: rule, line: line, endsAt: session.expiresAt)
    if entry.line != line {
      agenda.withBucket(entry.line) { $0.change(demand: -entry.demand, at: now) }
      (entry.line, entry.demand) = (line, 0)
    }
    entry.rule = rule
    entries[key] = entry
    schedule(key, session)
    arm()
    // The schedule will not renew it soon, so served programs get the session that another request has obtained.
    if let old, old.waits || old.endsAt != session.expiresAt { await deliver(key, old.request) }
  }

  /// Replaces a session that may be in the schedule, when no program asked for the new one.
  package func replace(_ key: Key, by session: SessionRecord) async {
    guard let entry = entries[key] else { return }
    schedule(key, session)
    arm()
    await deliver(key, entry.request)
  }

  /// Keeps a session for a program for as long as it runs.
  package func open(
    _ lease: String, key: Key, request: CredentialRequest, session: SessionRecord, requester: Requester,
    at endpoint: String
  ) async {
    // A file may be linked anew, and gets nothing more of its former session.
    if leases[lease] != key { close(lease) }
    await add(
      key, request: request, session: session, rule: RotationRule(mode: .used, idle: entries[key]?.rule.idle ?? 0), at: endpoint)
    entries[key]?.leases[lease] = requester
    leases[lease] = key
  }

  package func close(_ lease: String) {
    guard let key = leases.removeValue(forKey: lease) else { return }
    entries[key]?.leases[lease] = nil
  }

  /// The session that a lease has; nil if it has none.
  func key(of lease: String) -> Key? { leases[lease] }

  /// Sessions were taken back. Those without a program or a file are no longer renewed; the others are renewed once a request
  /// comes, or a person acts.
  ///
  /// - Returns: the leases that have them.
  package func withdraw(_ keys: Set<Key>) -> [String] {
    let now = clock.now()
    for key in keys {
      guard let entry = entries[key] else { continue }
      agenda.withdraw(key)
      uses.withLock { $0[key] = nil }
      if entry.leases.isEmpty {
        agenda.withBucket(entry.line) { $0.change(demand: -entry.demand, at: now) }
        entries[key] = nil
      } else if !entry.waits {
        entries[key]?.waits = true
        waiting.append(key)
      }
    }
    arm()
    return leases.filter { keys.contains($0.value) }.map(\.key)
  }

  /// Records a call to an endpoint for a request. Such a call does not wait, so scheduled renewals pay for it.
  ///
  /// - Parameter error: the call's error; nil for a success.
  package func called(_ endpoint: String, _ error: (any Error)?) {
    let now = clock.now()
    let line = agenda.line(endpoint, at: now)
    agenda.withBucket(line) { bucket in
      bucket.charge(1, at: now)
    }
    if let error { record(error, in: line, paid: 1) } else { recordAnswer(in: line) }
    arm()
  }

  /// Whether an endpoint has recently been silent, so that several attempts in a row would only keep people waiting.
  package func isDown(_ endpoint: String) -> Bool {
    let line = agenda.line(endpoint, at: clock.now())
    return agenda.lines[line].isDown
  }

  /// A person has acted (a login, an unlock): waiting sessions are tried now.
  package func resume() {
    let now = clock.now()
    for key in waiting where entries[key]?.waits == true {
      entries[key]?.waits = false
      entries[key]?.failures = 0
      agenda.put(key, due: now)
    }
    waiting.removeAll()
    arm()
  }

  /// Stops all renewals.
  package func stop() {
    alarm?.task.cancel()
    alarm = nil
    entries.removeAll()
    leases.removeAll()
    waiting.removeAll()
    agenda.removeAll()
    uses.withLock { $0.removeAll() }
  }

  /// The profiles that are being renewed, for reports and tests.
  var profiles: [String] { Set(entries.keys.map(\.profile)).sorted() }
}

// The schedule's work when its alarm fires.
extension Scheduler {
  /// Schedules an entry for its new session.
  private func schedule(_ key: Key, _ session: SessionRecord) {
    guard var entry = entries[key] else { return }
    let demand = 1_000 / Double(max(1_000, session.renewsAt.since(session.issuedAt)))
    agenda.withBucket(entry.line) { $0.change(demand: demand - entry.demand, at: clock.now()) }
    entry.demand = demand
    entry.endsAt = session.expiresAt
    entry.waits = false
    entry.failures = 0
    entries[key] = entry
    let life = session.expiresAt.since(session.issuedAt)
    let early = session.renewsAt.adding(milliseconds: -Int64(random() * Double(life) / 10))
    // Never before it was issued, however short the session is.
    agenda.put(key, due: max(early, session.issuedAt))
  }

  /// Sets the alarm for the next possible action.
  private func arm() {
    var next = agenda.firstDue()
    // If the maximum of calls is running, the end of one of them continues the lines.
    if underWay < Self.maximum, let token = agenda.nextToken(at: clock.now()) { next = min(next ?? token, token) }
    guard alarm?.moment != next else { return }
    alarm?.task.cancel()
    alarm = next.map { moment in
      let task = Task(executorPreference: executor) { [clock] in
        do { try await clock.sleep(until: moment) } catch { return }
        await self.wake(at: moment)
      }
      return (task, moment)
    }
  }

  private func wake(at moment: Timestamp) {
    // Another alarm may have been set meanwhile.
    guard alarm?.moment == moment else { return }
    alarm = nil
    ring()
  }

  /// Queues the due sessions, and starts as many calls as are allowed now.
  private func ring() {
    let now = clock.now()
    while let key = agenda.nextDue(at: now) {
      guard let entry = entries[key], !entry.isUnderWay else { continue }
      guard isWanted(key, entry, at: now) else {
        agenda.withBucket(entry.line) { $0.change(demand: -entry.demand, at: now) }
        entries[key] = nil
        uses.withLock { $0[key] = nil }
        continue
      }
      agenda.queue(key, in: entry.line, served: !entry.leases.isEmpty, endsAt: entry.endsAt)
    }
    for line in agenda.lines.indices {
      while underWay < Self.maximum, let key = agenda.next(in: line, at: now) {
        underWay += 1
        entries[key]?.isUnderWay = true
        // It ends with its own work, and then takes the next session.
        Task(executorPreference: executor) { await self.renew(key) }
      }
    }
    arm()
  }

  private func isWanted(_ key: Key, _ entry: Entry, at now: Timestamp) -> Bool {
    if !entry.leases.isEmpty || entry.rule.mode == .always { return true }
    let used = uses.withLock { $0[key] } ?? now
    return now.since(used) < entry.rule.idle * 1_000
  }

  private func renew(_ key: Key) async {
    defer {
      underWay -= 1
      entries[key]?.isUnderWay = false
      ring()
    }
    guard let entry = entries[key] else { return }
    do {
      let session = try await work.renew(entry.request)
      recordAnswer(in: entry.line)
      schedule(key, session)
    } catch {
      record(error, in: entry.line, paid: 1)
      await fail(key, entry: entry, error: error)
      return
    }
    await deliver(key, entry.request)
  }

  /// Delivers a new session to the programs that it serves.
  private func deliver(_ key: Key, _ request: CredentialRequest) async {
    for (lease, requester) in entries[key]?.leases ?? [:] {
      do {
        try await work.deliver(request, lease, requester)
      } catch is GuardRefusal {
        // Its program has to ask again itself.
      } catch {
        // The new session exists, but its delivery could not be logged: the lease keeps the old one, and the next turn tries again.
        agenda.put(key, due: clock.now().adding(seconds: 1))
      }
    }
  }

  /// An endpoint has answered. After an outage, its paused sessions are due now, at the bucket's pace.
  private func recordAnswer(in line: Int) {
    let now = clock.now()
    let wasDown = agenda.lines[line].isDown
    let pausing = wasDown ? agenda.lines[line].pausing : []
    agenda.withLine(line) { line in
      line.bucket.recover(at: now)
      line.silences = 0
      line.bucket.setDown(false, at: now)
      if wasDown { line.pausing.removeAll() }
    }
    for key in pausing {
      guard let entry = entries[key], entry.failures > 0, !entry.waits, !entry.isUnderWay else { continue }
      agenda.put(key, due: now)
    }
  }

  /// Records the failure of a call to an endpoint.
  ///
  /// - Parameter paid: tokens that were taken for the call.
  private func record(_ error: any Error, in line: Int, paid: Int) {
    let now = clock.now()
    let calls = (error as? AWSError)?.attempts ?? paid
    agenda.withLine(line) { line in
      line.bucket.charge(max(0, calls - paid), at: now)
      switch Failure(error).exitStatus {
      case .temporary: line.bucket.slowDown(at: now)
      case .unavailable:
        line.silences += 1
        line.bucket.setDown(line.isDown, at: now)
      default: break
      }
    }
  }

  /// - Parameter entry: its value when the call began.
  private func fail(_ key: Key, entry: Entry, error: any Error) async {
    // A request got a new session meanwhile, which has its own place.
    guard let now = entries[key], now.endsAt == entry.endsAt else { return }
    // The session was taken back meanwhile.
    if now.waits, !entry.waits { return }
    // A guarded profile's session is not renewed ahead. The next request is admitted, or refused.
    if error is GuardRefusal {
      agenda.withdraw(key)
      if !now.waits { waiting.append(key) }
      entries[key]?.waits = true
      return
    }
    let failure = Failure(error)
    let pendingAction: SessionState?
    switch error {
    case SignInError.needed: pendingAction = .needsLogin
    case AgentError.nobodyToAsk, AgentError.badMFACode: pendingAction = .needsMFA
    default: pendingAction = failure.isRetryable ? nil : .failing
    }
    if let pendingAction {
      entries[key]?.waits = true
      // AWS may grant later what it refuses now, without any action here, and a served program has no other way to learn of it.
      if pendingAction == .failing, !now.leases.isEmpty {
        agenda.put(key, due: clock.now().adding(seconds: Self.refusedPause))
      } else {
        agenda.withdraw(key)
      }
      guard !now.waits else { return }
      waiting.append(key)
      await work.announce(now.request, pendingAction, failure)
      return
    }
    let failures = now.failures + 1
    entries[key]?.failures = failures
    if failures == 1 { recordPause(of: key, in: now.line) }
    let maxLength = now.leases.isEmpty ? Self.maxDelay.usual : Self.maxDelay.served
    let maximum = min(maxLength, Double(1 << min(failures, 20)))
    agenda.put(key, due: clock.now().adding(milliseconds: Int64(random() * maximum * 1_000) + 100))
  }

  private func recordPause(of key: Key, in line: Int) {
    agenda.withLine(line) { line in
      line.pausing.append(key)
      // The list is emptied only at the end of an outage, so recovered sessions are removed here.
      guard line.pausing.count > 2 * entries.count + 64 else { return }
      var seen: Set<Key> = []
      line.pausing = line.pausing.filter { (entries[$0]?.failures ?? 0) > 0 && seen.insert($0).inserted }
    }
  }
}
