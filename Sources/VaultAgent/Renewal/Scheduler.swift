import Synchronization
import VaultModel
import VaultSecrets

/// Renews sessions before they end, for as long as somebody wants them.
///
/// Each is renewed when its record says, less a random part of a tenth of its life, so that a team's laptops do not call in step. Nothing
/// wakes up in between. No endpoint is called faster than its ``TokenBucket`` allows, and only a few calls are under way at one time. What
/// fails is tried again with full jitter; what needs a person is announced once, and waits.
package actor Scheduler {
  /// A profile's session, as it was asked for.
  package struct Key: Hashable, Sendable {
    package let profile: String
    package let fingerprint: String

    package init(profile: String, fingerprint: String) {
      self.profile = profile
      self.fingerprint = fingerprint
    }
  }

  /// What the schedule needs of the rest, so that it can be run in virtual time.
  package struct Work: Sendable {
    /// Makes a new session. Returns when it is to be renewed and when it ends.
    let renew: @Sendable (CredentialRequest) async throws -> SessionRecord
    /// Hands a new session to a lease.
    let deliver: @Sendable (CredentialRequest, _ lease: String, Requester) async throws -> Void
    /// Tells the person, once, what a profile waits for.
    let announce: @Sendable (_ profile: String, _ attention: SessionState, Failure) async -> Void

    package init(
      renew: @escaping @Sendable (CredentialRequest) async throws -> SessionRecord,
      deliver: @escaping @Sendable (CredentialRequest, _ lease: String, Requester) async throws -> Void,
      announce: @escaping @Sendable (_ profile: String, _ attention: SessionState, Failure) async -> Void
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
    /// Its endpoint's, in the agenda.
    var line: Int
    /// Calls a second that it needs.
    var demand = 0.0
    var endsAt: Timestamp
    var leases: [String: Requester] = [:]
    /// Since the last success.
    var failures = 0
    /// Nothing is tried until a person has done something.
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

  /// Renewals under way at one time.
  static let most = 8
  /// Seconds of the longest pause between two tries, and of the longest where a running program is served the session.
  static let maxDelay = (usual: 300.0, served: 30.0)
  /// Seconds between two tries of what AWS refuses a running program.
  static let refusedPause: Int64 = 900

  let clock: any WallClock
  let random: @Sendable () -> Double
  let lane: (any TaskExecutor)?
  let work: Work
  var entries: [Key: Entry] = [:]
  var agenda = RenewalQueue()
  /// The keys whose entries wait for a person, in the order in which they began to.
  var waiting: [Key] = []
  /// Whose session each lease has.
  private var leases: [String: Key] = [:]
  var alarm: (task: Task<Void, Never>, moment: Timestamp)?
  var underWay = 0
  private var lastWish: RenewalTemplate?
  /// When each was used last; read and written on every delivery, and so beside the actor.
  nonisolated let uses = Mutex<[Key: Timestamp]>([:])

  /// - Parameter lane: where its tasks run; nil for the standard executor.
  package init(
    clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
    lane: (any TaskExecutor)? = nil, work: Work
  ) {
    self.clock = clock
    self.random = random
    self.lane = lane
    self.work = work
  }

  /// A session was handed out.
  ///
  /// - Returns: whether it has a place in the schedule already; else ``add(_:_:_:rule:at:)`` it.
  package nonisolated func touch(_ key: Key) -> Bool {
    let now = clock.now()
    return uses.withLock { uses in
      guard uses[key] != nil else { return false }
      uses[key] = now
      return true
    }
  }

  /// Gives a session a place in the schedule, or the session that has come after it.
  ///
  /// - Parameter endpoint: who issues it.
  package func add(_ key: Key, _ request: CredentialRequest, _ session: SessionRecord, rule: RotationRule, at endpoint: String)
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
    // The schedule will not renew it soon: who is served gets what another one has asked for.
    if let old, old.waits || old.endsAt != session.expiresAt { await deliver(key, old.request) }
  }

  /// A session was made in the place of one that may be in the schedule, and no program asked for it.
  package func replace(_ key: Key, by session: SessionRecord) async {
    guard let entry = entries[key] else { return }
    schedule(key, session)
    arm()
    await deliver(key, entry.request)
  }

  /// A program wants a session for as long as it runs.
  package func open(
    _ lease: String, _ key: Key, _ request: CredentialRequest, _ session: SessionRecord, _ requester: Requester,
    at endpoint: String
  ) async {
    await add(key, request, session, rule: RotationRule(mode: .used, idle: entries[key]?.rule.idle ?? 0), at: endpoint)
    entries[key]?.leases[lease] = requester
    leases[lease] = key
  }

  package func close(_ lease: String) {
    guard let key = leases.removeValue(forKey: lease) else { return }
    entries[key]?.leases[lease] = nil
  }

  /// Sessions were taken back. Those that no program or file has are renewed no more; the others once somebody asks, or a person has done
  /// something.
  ///
  /// - Returns: the leases that have them.
  package func takeBack(_ keys: Set<Key>) -> [String] {
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

  /// An endpoint was called for somebody who asked: at once, and so what is not asked for pays for it.
  ///
  /// - Parameter error: what came of it; nil for a success.
  package func called(_ endpoint: String, _ error: (any Error)?) {
    let now = clock.now()
    let line = agenda.line(endpoint, at: now)
    agenda.withBucket(line) { bucket in
      bucket.charge(1, at: now)
    }
    if let error { record(error, in: line, paid: 1) } else { recordAnswer(in: line) }
    arm()
  }

  /// Whether an endpoint has been silent of late, so that trying several times in a row only keeps people waiting.
  package func isDown(_ endpoint: String) -> Bool {
    let line = agenda.line(endpoint, at: clock.now())
    return agenda.lines[line].isDown
  }

  /// A person has done something (a login, an unlock): what waited is tried now.
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

  /// Ends all of it.
  package func stop() {
    alarm?.task.cancel()
    alarm = nil
    entries.removeAll()
    leases.removeAll()
    waiting.removeAll()
    agenda.removeAll()
    uses.withLock { $0.removeAll() }
  }

  /// Profiles that are being renewed, for reports and tests.
  var profiles: [String] { Set(entries.keys.map(\.profile)).sorted() }
}
