import Synchronization
import TestSupport
import Testing
import VaultModel
import VaultSecrets
import VirtualTime

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
  let lane = VirtualLane()
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
      clock: clock, random: { random }, lane: lane,
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

  func add(_ profile: String, life: Int64 = 3_600, rule: RotationRule = .standard, at endpoint: String = "sts") async {
    await scheduler.add(
      Scheduler.Key(profile: profile, fingerprint: "f"), Wish(rotating: profile),
      Self.session(profile, at: clock.now(), life: life), rule: rule, at: endpoint)
  }

  func touch(_ profile: String) { _ = scheduler.touch(Scheduler.Key(profile: profile, fingerprint: "f")) }

  /// Moves the clock in steps, and lets what is due be done at each.
  func advance(minutes: Int, step: Int64 = 60) {
    for _ in 0..<minutes * 60 / Int(step) {
      clock.advance(seconds: step)
      settle()
    }
  }

  /// Until nothing more happens: whatever was due is done, or sleeps again.
  func settle() { lane.run() }

  var renewals: [(profile: String, at: Timestamp)] { state.withLock { $0.renewals } }
}

@Suite struct SchedulerTests {
  @Test("a session of an hour is renewed with twenty minutes left, again and again, until nobody has used it for its time")
  func rhythm() async {
    let stage = Stage()
    let start = stage.clock.now()
    await stage.add("app")
    stage.advance(minutes: 24 * 60)
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
      stage.advance(minutes: 6 * 60)
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
      stage.advance(minutes: 41)
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
    stage.advance(minutes: 240, step: 1)
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
    stage.advance(minutes: 200)
    #expect(stage.state.withLock { $0.announced.map(\.profile) } == ["sso"])
    #expect(stage.renewals.filter { $0.profile == "sso" }.count == 1)
    #expect(stage.renewals.filter { $0.profile == "other" }.count == 5)
    await stage.scheduler.resume()
    stage.advance(minutes: 1)
    #expect(stage.renewals.filter { $0.profile == "sso" }.count == 2)
    await stage.end()
  }

  @Test("a laptop that wakes up, or whose clock is set forward, renews at once what is due")
  func suspended() async {
    let stage = Stage()
    await stage.add("app")
    stage.clock.advance(seconds: 5 * 3_600)
    stage.settle()
    #expect(stage.renewals.count == 1)
    await stage.end()
  }

  @Test("a program that is served gets each new session, also when nobody uses it otherwise, and none after its end")
  func leases() async {
    let stage = Stage()
    let key = Scheduler.Key(profile: "app", fingerprint: "f")
    await stage.scheduler.open(
      "lease", key, Wish(rotating: "app"), Stage.session("app", at: stage.clock.now(), life: 3_600), .nobody,
      at: "sts")
    stage.advance(minutes: 24 * 60)
    #expect(stage.state.withLock { $0.delivered.count } == 36)
    await stage.scheduler.close("lease")
    stage.advance(minutes: 24 * 60)
    #expect(stage.state.withLock { $0.delivered.count } == 36)
    await stage.end()
  }

  @Test("a thousand sessions that are due at once are renewed at their endpoint's pace, each once, and those of a program first")
  func many() async {
    let stage = Stage()
    for number in 0..<1_000 { await stage.add("app-\(number)") }
    let served = Scheduler.Key(profile: "served", fingerprint: "f")
    await stage.scheduler.open(
      "lease", served, Wish(rotating: "served"), Stage.session("served", at: stage.clock.now(), life: 3_600), .nobody, at: "sts")
    stage.clock.advance(seconds: 41 * 60)
    stage.settle()
    #expect(stage.renewals.count == Int(TokenBucket.burst))
    #expect(stage.renewals.first?.profile == "served")
    stage.advance(minutes: 1, step: 1)
    // 1,001 sessions in 40 minutes, half as fast again.
    #expect((35...45).contains(stage.renewals.count), "\(stage.renewals.count)")
    stage.advance(minutes: 28, step: 1)
    #expect(stage.renewals.count == 1_001 && Set(stage.renewals.map(\.profile)).count == 1_001)
    await stage.end()
  }

  @Test("at most eight calls are under way, also where their endpoints are many")
  func bounded() async {
    let gate = Mutex<[CheckedContinuation<Void, Never>]>([])
    let clock = FakeClock()
    let lane = VirtualLane()
    let scheduler = Scheduler(
      clock: clock, lane: lane,
      work: Scheduler.Work(
        renew: { wish in
          await withCheckedContinuation { hold in gate.withLock { $0.append(hold) } }
          return Stage.session(wish.profile, at: clock.now(), life: 3_600)
        }, deliver: { _, _, _ in }, announce: { _, _, _ in }))
    for number in 0..<30 {
      await scheduler.add(
        Scheduler.Key(profile: "app-\(number)", fingerprint: "f"), Wish(rotating: "app-\(number)"),
        Stage.session("app", at: clock.now(), life: 3_600), rule: .standard, at: "sts-\(number)")
    }
    clock.advance(seconds: 41 * 60)
    var done = 0
    while done < 30 {
      lane.run()
      let held = gate.withLock { gate in
        defer { gate.removeAll() }
        return gate
      }
      #expect(held.count <= Scheduler.most)
      done += held.count
      for hold in held { hold.resume() }
    }
    await scheduler.stop()
  }

  @Test(
    "an endpoint that throttles is called ever more slowly, and at its pace again once it answers; another one does not notice")
  func throttled() async {
    let stage = Stage(random: 0.5)
    stage.state.withLock { state in
      for number in 0..<100 {
        state.failures["app-\(number)"] = [Failure("slow down", exitStatus: .temporary)]
      }
    }
    for number in 0..<100 { await stage.add("app-\(number)") }
    for number in 0..<4 { await stage.add("other-\(number)", at: "sts.eu") }
    stage.clock.advance(seconds: 41 * 60)
    stage.settle()
    #expect(stage.renewals.filter { $0.profile.hasPrefix("other") }.count == 4)
    stage.advance(minutes: 10, step: 1)
    let throttled = stage.renewals.filter { $0.profile.hasPrefix("app") }.count
    #expect((5...12).contains(throttled), "\(throttled)")
    stage.state.withLock { $0.failures = [:] }
    stage.advance(minutes: 60, step: 1)
    #expect(Set(stage.renewals.map(\.profile)).count == 104)
    await stage.end()
  }

  @Test("what was called for a person is paid for by the schedule, which never holds it up")
  func asked() async {
    let stage = Stage()
    await stage.add("app")
    for _ in 0..<8 { await stage.scheduler.called("sts", nil) }
    stage.clock.advance(seconds: 41 * 60)
    stage.settle()
    #expect(stage.renewals.count == 1)
    // In debt up to one burst, at one call in 30 s.
    for _ in 0..<8 { await stage.scheduler.called("sts", nil) }
    await stage.add("other", life: 120)
    stage.advance(minutes: 2)
    #expect(stage.renewals.count == 1)
    stage.advance(minutes: 1)
    #expect(stage.renewals.map(\.profile) == ["app", "other"])
    await stage.end()
  }

  @Test("a session that somebody who asked has renewed is not renewed again before its own time")
  func renewedByOther() async {
    let stage = Stage()
    let start = stage.clock.now()
    await stage.add("app")
    stage.advance(minutes: 30)
    await stage.add("app")
    stage.advance(minutes: 60)
    #expect(stage.renewals.map { $0.at.since(start) / 60_000 } == [70])
    await stage.end()
  }
}
