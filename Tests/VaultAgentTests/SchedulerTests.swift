import Synchronization
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import VaultAgent

/// A schedule in virtual time, over an AWS that does as it is told.
private final class Stage: Sendable {
  struct State {
    var renewals: [(profile: String, at: Timestamp)] = []
    var announced: [(profile: String, attention: SessionState)] = []
    var delivered: [String] = []
    /// What the next renewals of a profile end with.
    var failures: [String: [any Error]] = [:]
  }
  let clock = FakeClock()
  let state = Mutex(State())
  let scheduler: Scheduler
  private let box: Box

  private final class Box: Sendable {
    let stage = Mutex<Stage?>(nil)
  }

  init(life: Int64 = 3_600, random: Double = 0) {
    let box = Box()
    self.box = box
    let clock = clock
    scheduler = Scheduler(
      clock: clock, random: { random },
      work: Scheduler.Work(
        renew: { wish in
          let error = box.stage.withLock { $0 }?.state.withLock { state -> (any Error)? in
            state.renewals.append((wish.profile, clock.now()))
            guard state.failures[wish.profile]?.isEmpty == false else { return nil }
            return state.failures[wish.profile]?.removeFirst()
          }
          if let error { throw error }
          return Stage.session(wish.profile, at: clock.now(), life: life)
        },
        deliver: { _, lease, _ in box.stage.withLock { $0 }?.state.withLock { $0.delivered.append(lease) } },
        announce: { profile, attention, _ in
          box.stage.withLock { $0 }?.state.withLock { $0.announced.append((profile, attention)) }
        }))
    box.stage.withLock { $0 = self }
  }

  /// The box holds the stage, and the stage the box.
  func end() async {
    await scheduler.stop()
    box.stage.withLock { $0 = nil }
  }

  static func session(_ profile: String, at now: Timestamp, life: Int64) -> SessionRecord {
    SessionRecord(
      id: "ses_1", profile: profile, kind: .role, fingerprint: "f", roleARN: nil, roleSessionName: nil, sourceIdentity: nil,
      accessKeyId: "ASIA", issuedAt: now, expiresAt: now.adding(seconds: life))
  }

  func add(_ profile: String, life: Int64 = 3_600, rule: RotationRule = .standard) async {
    await scheduler.add(
      Scheduler.Key(profile: profile, fingerprint: "f"), Wish(rotating: profile),
      Self.session(profile, at: clock.now(), life: life), rule: rule)
  }

  func touch(_ profile: String) { _ = scheduler.touch(Scheduler.Key(profile: profile, fingerprint: "f")) }

  /// Moves the clock in steps, and lets what is due be done at each.
  func advance(minutes: Int, step: Int64 = 60) async {
    for _ in 0..<minutes * 60 / Int(step) {
      clock.advance(seconds: step)
      await settle()
    }
  }

  /// Until nothing more happens: whatever was due is done, or sleeps again.
  func settle() async { for _ in 0..<60 { await Task.yield() } }

  var renewals: [(profile: String, at: Timestamp)] { state.withLock { $0.renewals } }
}

@Suite struct SchedulerTests {
  @Test("a session of an hour is renewed with twenty minutes left, again and again, until nobody has used it for its time")
  func rhythm() async {
    let stage = Stage()
    let start = stage.clock.now()
    await stage.add("app")
    await stage.advance(minutes: 24 * 60)
    let minutes = stage.renewals.map { $0.at.since(start) / 60_000 }
    #expect(minutes == Array(stride(from: 40, to: 480, by: 40)))
    #expect(await stage.scheduler.profiles.isEmpty)
    await stage.end()
  }

  @Test("a use keeps a session being renewed; \"always\" needs none, and \"off\" is never renewed")
  func rules() async {
    let stage = Stage()
    await stage.add("used")
    await stage.add("always", rule: RotationRule(mode: .always, idle: 60))
    await stage.add("off", rule: RotationRule(mode: .off, idle: 8 * 3_600))
    for _ in 0..<4 {
      await stage.advance(minutes: 6 * 60)
      stage.touch("used")
    }
    let counts = Dictionary(grouping: stage.renewals, by: \.profile).mapValues(\.count)
    #expect(counts["used"] == 36 && counts["always"] == 36 && counts["off"] == nil)
    await stage.end()
  }

  @Test("a renewal comes up to a tenth of the life early, so that laptops do not call in step")
  func jitter() async {
    for (random, minute) in [(0.0, Int64(40)), (0.5, 37), (0.999, 35)] {
      let stage = Stage(random: random)
      let start = stage.clock.now()
      await stage.add("app")
      await stage.advance(minutes: 41)
      #expect(stage.renewals.first.map { $0.at.since(start) / 60_000 } == minute)
      await stage.end()
    }
  }

  @Test("what fails for a while is tried again with growing pauses, and goes on once AWS can be reached")
  func outage() async {
    let stage = Stage(random: 0.999)
    stage.state.withLock {
      $0.failures["app"] = Array(repeating: Failure("down", exitStatus: .unavailable) as any Error, count: 12)
    }
    await stage.add("app")
    await stage.advance(minutes: 240, step: 1)
    let times = stage.renewals.map(\.at)
    #expect(times.count > 13)
    let pauses = zip(times, times.dropFirst()).prefix(12).map { $1.since($0) / 1_000 }
    #expect(pauses[0] <= 3 && pauses[8] >= 290 && pauses.allSatisfy { $0 <= 301 }, "\(pauses)")
    #expect(stage.state.withLock { $0.announced.isEmpty })
    await stage.end()
  }

  @Test("what needs a person is announced once and not tried again until somebody has acted; others go on")
  func person() async {
    let stage = Stage()
    stage.state.withLock { $0.failures["sso"] = [SignInError.needed(name: "corp")] }
    await stage.add("sso")
    await stage.add("other")
    await stage.advance(minutes: 200)
    #expect(stage.state.withLock { $0.announced.map(\.profile) } == ["sso"])
    #expect(stage.renewals.filter { $0.profile == "sso" }.count == 1)
    #expect(stage.renewals.filter { $0.profile == "other" }.count == 5)
    await stage.scheduler.resume()
    await stage.advance(minutes: 1)
    #expect(stage.renewals.filter { $0.profile == "sso" }.count == 2)
    await stage.end()
  }

  @Test("a laptop that wakes up, or whose clock is set forward, renews at once what is due")
  func suspended() async {
    let stage = Stage()
    await stage.add("app")
    stage.clock.advance(seconds: 5 * 3_600)
    await stage.settle()
    #expect(stage.renewals.count == 1)
    await stage.end()
  }

  @Test("a program that is served gets each new session, also when nobody uses it otherwise, and none after its end")
  func leases() async {
    let stage = Stage()
    let key = Scheduler.Key(profile: "app", fingerprint: "f")
    await stage.scheduler.open(
      "lease", key, Wish(rotating: "app"), Stage.session("app", at: stage.clock.now(), life: 3_600), .nobody)
    await stage.advance(minutes: 24 * 60)
    #expect(stage.state.withLock { $0.delivered.count } == 36)
    await stage.scheduler.close("lease")
    await stage.advance(minutes: 24 * 60)
    #expect(stage.state.withLock { $0.delivered.count } == 36)
    await stage.end()
  }

  @Test("a thousand sessions that are due at once are renewed by a bounded number of calls at a time, all of them")
  func many() async {
    let stage = Stage()
    for number in 0..<1_000 { await stage.add("app-\(number)") }
    stage.clock.advance(seconds: 41 * 60)
    while stage.renewals.count < 1_000 { await Task.yield() }
    #expect(Set(stage.renewals.map(\.profile)).count == 1_000)
    await stage.end()
  }
}
