import Synchronization
import VaultModel
import VaultSecrets

/// Renews sessions before they end, for as long as somebody wants them.
///
/// Each is renewed when its record says, less a random part of a tenth of its life, so that a team's laptops do not call in step. Nothing
/// wakes up in between. What fails is tried again with full jitter; what needs a person is announced once, and waits.
actor Scheduler {
  /// A profile's session, as it was asked for.
  struct Key: Hashable, Sendable {
    let profile: String
    let fingerprint: String
  }

  /// What the schedule needs of the rest, so that it can be run in virtual time.
  struct Work: Sendable {
    /// Makes a new session. Returns when it is to be renewed and when it ends.
    var renew: @Sendable (Wish) async throws -> SessionRecord
    /// Hands a new session to a lease.
    var deliver: @Sendable (Wish, _ lease: String, Requester) async throws -> Void
    /// Tells the person, once, what a profile waits for.
    var announce: @Sendable (_ profile: String, _ attention: SessionState, Failure) async -> Void
  }

  private struct Entry {
    var wish: Wish
    var rule: RotationRule
    var dueAt: Timestamp
    var leases: [String: Requester] = [:]
    /// Since the last success.
    var failures = 0
    /// Nothing is tried until a person has done something.
    var waits = false
    var isUnderWay = false
  }

  /// Renewals under way at one time.
  static let most = 8
  /// Seconds of the longest pause between two tries.
  static let longestPause = 300.0

  private let clock: any WallClock
  private let random: @Sendable () -> Double
  private let work: Work
  private var entries: [Key: Entry] = [:]
  private var alarm: Task<Void, Never>?
  private var underWay = 0
  private let pace = Pace(most: Scheduler.most)
  /// When each was used last; read and written on every delivery, and so beside the actor.
  private nonisolated let uses = Mutex<[Key: Timestamp]>([:])

  init(clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }, work: Work) {
    self.clock = clock
    self.random = random
    self.work = work
  }

  /// A session was handed out.
  ///
  /// - Returns: whether it has a place in the schedule already; else ``add(_:_:_:rule:)`` it.
  nonisolated func touch(_ key: Key) -> Bool {
    let now = clock.now()
    return uses.withLock { uses in
      guard uses[key] != nil else { return false }
      uses[key] = now
      return true
    }
  }

  /// Gives a session a place in the schedule.
  func add(_ key: Key, _ wish: Wish, _ session: SessionRecord, rule: RotationRule) {
    guard rule.mode != .off else { return }
    uses.withLock { $0[key] = clock.now() }
    if entries[key] == nil { entries[key] = Entry(wish: wish.unasked, rule: rule, dueAt: session.renewsAt) }
    entries[key]?.rule = rule
    entries[key]?.waits = false
    entries[key]?.failures = 0
    entries[key]?.dueAt = due(session)
    arm()
  }

  /// A program wants a session for as long as it runs.
  func open(_ lease: String, _ key: Key, _ wish: Wish, _ session: SessionRecord, _ requester: Requester) {
    add(key, wish, session, rule: RotationRule(mode: .used, idle: entries[key]?.rule.idle ?? 0))
    entries[key]?.leases[lease] = requester
  }

  func close(_ lease: String) {
    for key in entries.keys { entries[key]?.leases[lease] = nil }
  }

  /// A person has done something (a login, an unlock): what waited is tried now.
  func resume() {
    let now = clock.now()
    for key in entries.keys where entries[key]?.waits == true {
      entries[key]?.waits = false
      entries[key]?.failures = 0
      entries[key]?.dueAt = now
    }
    arm()
  }

  /// Ends all of it.
  func stop() {
    alarm?.cancel()
    alarm = nil
    entries.removeAll()
    uses.withLock { $0.removeAll() }
  }

  /// Profiles that are being renewed, for reports and tests.
  var profiles: [String] { Set(entries.keys.map(\.profile)).sorted() }

  private func due(_ session: SessionRecord) -> Timestamp {
    let life = session.expiresAt.since(session.issuedAt)
    let early = session.renewsAt.adding(milliseconds: -Int64(random() * Double(life) / 10))
    // Never in the past of its own beginning, however short it is.
    return max(early, session.issuedAt)
  }

  private func arm() {
    alarm?.cancel()
    guard let next = entries.values.filter({ !$0.waits && !$0.isUnderWay }).map(\.dueAt).min() else {
      alarm = nil
      return
    }
    alarm = Task(executorPreference: AgentLane.current) { [clock] in
      do { try await clock.sleep(until: next) } catch { return }
      await self.ring()
    }
  }

  private func ring() {
    let now = clock.now()
    let due = entries.filter { !$0.value.waits && !$0.value.isUnderWay && $0.value.dueAt <= now }
      .sorted { $0.value.dueAt < $1.value.dueAt }.map(\.key)
    for key in due {
      guard isWanted(key, at: now) else {
        entries[key] = nil
        uses.withLock { $0[key] = nil }
        continue
      }
      guard underWay < pace.current else { break }
      underWay += 1
      entries[key]?.isUnderWay = true
      // It ends with its own work, and takes the next one then.
      Task(executorPreference: AgentLane.current) { await self.renew(key) }
    }
    if underWay < pace.current { arm() }
  }

  private func isWanted(_ key: Key, at now: Timestamp) -> Bool {
    guard let entry = entries[key] else { return false }
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
      let session = try await work.renew(entry.wish)
      pace.recover()
      entries[key]?.failures = 0
      entries[key]?.dueAt = due(session)
    } catch {
      await fail(key, error)
      return
    }
    for (lease, requester) in entries[key]?.leases ?? [:] {
      do {
        try await work.deliver(entry.wish, lease, requester)
      } catch {
        // The new session exists, and could not be logged as handed out: the lease keeps the old one and the next turn tries again.
        entries[key]?.dueAt = clock.now().adding(seconds: 1)
      }
    }
  }

  private func fail(_ key: Key, _ error: any Error) async {
    guard let entry = entries[key] else { return }
    let failure = Failure(error)
    let attention: SessionState?
    switch error {
    case SignInError.needed: attention = .needsLogin
    case AgentError.nobodyToAsk, AgentError.badMFACode: attention = .needsMFA
    default: attention = failure.exitStatus == .unavailable || failure.exitStatus == .temporary ? nil : .failing
    }
    if let attention {
      entries[key]?.waits = true
      await work.announce(key.profile, attention, failure)
      return
    }
    if failure.exitStatus == .temporary { pace.slowDown() }
    let failures = entry.failures + 1
    entries[key]?.failures = failures
    let most = min(Self.longestPause, Double(1 << min(failures, 20)))
    entries[key]?.dueAt = clock.now().adding(milliseconds: Int64(random() * most * 1_000) + 100)
  }
}
