import AWSClient
import VaultAgent
import VaultModel

/// One person's laptop: the real schedule of an agent, over a broker's rules, and programs that ask.
///
/// `@unchecked Sendable`: see ``World``.
final class Laptop: @unchecked Sendable {
  static let host = "sts.eu-central-1.amazonaws.com"
  /// Seconds between two questions of this laptop's programs.
  let meanAsk: Double

  let world: World
  let weather: Weather
  let account: Account
  let ledger: Ledger
  let clock: LaptopClock
  var chance: Chance
  private(set) var scheduler: Scheduler
  let keys: [Scheduler.Key]
  var sessions: [SessionRecord?]
  /// Who waits for a session that is being made.
  var singleFlights: [[CheckedContinuation<SessionRecord, any Error>]?]
  /// What running programs are served, by lease.
  var served: [String: SessionRecord] = [:]
  /// By lease, for those who asked when theirs was due.
  var renewals: [String: Renewal] = [:]
  /// When a call for each session was throttled last.
  var throttledAt: [Timestamp]
  let quota = RetryQuota()
  private(set) var isAwake = false
  /// So that what began before a suspend knows of it.
  private(set) var suspends = 0
  private let usesSSO: Bool
  private var signedInUntil = Calendar.start
  private var isSigningIn = false
  /// This laptop's own connection is down.
  private var offlineUntil = Calendar.start

  init(
    _ number: Int, sessions count: Int, world: World, weather: Weather, account: Account, ledger: Ledger, chance: Chance
  ) {
    self.world = world
    self.weather = weather
    self.account = account
    self.ledger = ledger
    self.chance = chance
    clock = LaptopClock(world)
    meanAsk = 8 * 3_600 / (Double(count) * 6)
    keys = (0..<count).map { Scheduler.Key(profile: "p\($0)", fingerprint: "f") }
    sessions = Array(repeating: nil, count: count)
    singleFlights = Array(repeating: nil, count: count)
    throttledAt = Array(repeating: Timestamp(milliseconds: 0), count: count)
    usesSSO = number % 4 != 0
    let here = Here()
    scheduler = Scheduler(
      clock: clock, random: { here.laptop?.chance.next() ?? 0 }, executor: world.executor,
      work: Scheduler.Work(
        renew: { request in
          guard let laptop = here.laptop, let index = Int(request.profile.dropFirst()) else { throw CancellationError() }
          return try await laptop.issue(index)
        },
        deliver: { request, lease, _ in
          guard let laptop = here.laptop, let index = Int(request.profile.dropFirst()) else { return }
          laptop.served[lease] = laptop.sessions[index]
        },
        announce: { _, pendingAction, _ in if pendingAction == .needsLogin { here.laptop?.signInSoon() } }))
    here.laptop = self
  }

  /// The schedule's way back to its laptop.
  ///
  /// `@unchecked Sendable`: see ``World``.
  private final class Here: @unchecked Sendable {
    weak var laptop: Laptop?
  }

  var isSignedIn: Bool { !usesSSO || world.now < signedInUntil }
  var isOnline: Bool { isAwake && world.now >= offlineUntil && !weather.network.covers(world.now) }
  /// A session could be made now.
  var isReachable: Bool { isOnline && account.isUp }

  /// Plans a day.
  func live(day: Int) {
    let workday = Workday(day, &chance)
    for (number, period) in workday.awake.enumerated() {
      world.at(period.lowerBound) { [self] in wake(until: period.upperBound, isMorning: number == 0) }
      world.at(period.upperBound) { [self] in suspend() }
      ledger.wasAwake(period)
    }
    guard let comes = workday.awake.first?.lowerBound, let goes = workday.awake.last?.upperBound else { return }
    // Its own connection breaks about once a day.
    let breaks = comes.later(by: chance.wait(mean: 6 * 3_600))
    let lasts = chance.wait(mean: 300)
    world.at(breaks) { [self] in offlineUntil = breaks.later(by: lasts) }
    // Two programs that run for hours are served.
    for lease in ["lease-\(day)-1", "lease-\(day)-2"] {
      let index = Int(chance.next() * Double(keys.count))
      let begins = comes.later(by: chance.between(600, 4 * 3_600))
      world.at(begins) { [self] in serve(lease, index, until: min(goes, begins.later(by: chance.between(1_800, 8 * 3_600)))) }
    }
  }

  private func wake(until end: Timestamp, isMorning: Bool) {
    isAwake = true
    clock.wake()
    // Programs that were suspended with the laptop go on at once; in the morning a person starts some.
    for _ in 0..<(isMorning ? 8 : 2) {
      let wait = isMorning ? chance.between(5, 900) : chance.wait(mean: 1)
      world.after(seconds: wait) { [self] in askNow() }
    }
    askLater(until: end)
  }

  private func suspend() {
    isAwake = false
    suspends += 1
    ledger.suspends += 1
    clock.suspend()
  }

  /// The next question of some program, for as long as the laptop is awake.
  private func askLater(until end: Timestamp) {
    let next = world.now.later(by: chance.wait(mean: meanAsk))
    guard next < end else { return }
    world.at(next) { [self] in
      askNow()
      askLater(until: end)
    }
  }

  private func askNow() {
    guard isAwake else { return }
    // Some profiles are asked for far more often than others.
    let spot = chance.next()
    let index = Int(spot * spot.squareRoot() * Double(keys.count))
    world.begin { [self] in await ask(index) }
  }

  /// The person signs in, some minutes after being told to.
  func signInSoon() {
    guard !isSigningIn else { return }
    isSigningIn = true
    world.after(seconds: chance.between(30, 600)) { [self] in
      isSigningIn = false
      guard isOnline, !isSignedIn else { return }
      signedInUntil = world.now.later(by: 8 * 3_600)
      ledger.ssoSessions += 1
      world.begin { [self] in await scheduler.resume() }
    }
  }
}
