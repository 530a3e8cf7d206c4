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
    let announce: @Sendable (_ profile: String, _ pendingAction: SessionState, Failure) async -> Void

    package init(
      renew: @escaping @Sendable (CredentialRequest) async throws -> SessionRecord,
      deliver: @escaping @Sendable (CredentialRequest, _ lease: String, Requester) async throws -> Void,
      announce: @escaping @Sendable (_ profile: String, _ pendingAction: SessionState, Failure) async -> Void
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
  static let maxDelay = (usual: 300.0, served: 30.0)
  /// Seconds between two attempts when AWS refuses a session that serves a running program.
  static let refusedPause: Int64 = 900

  let clock: any WallClock
  let random: @Sendable () -> Double
  let executor: (any TaskExecutor)?
  let work: Work
  var entries: [Key: Entry] = [:]
  var agenda = RenewalQueue()
  /// The keys of entries that wait for a person, in the order in which they began to wait.
  var waiting: [Key] = []
  /// The session of each lease.
  private var leases: [String: Key] = [:]
  var alarm: (task: Task<Void, Never>, moment: Timestamp)?
  var underWay = 0
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
    await add(
      key, request: request, session: session, rule: RotationRule(mode: .used, idle: entries[key]?.rule.idle ?? 0), at: endpoint)
    entries[key]?.leases[lease] = requester
    leases[lease] = key
  }

  package func close(_ lease: String) {
    guard let key = leases.removeValue(forKey: lease) else { return }
    entries[key]?.leases[lease] = nil
  }

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
