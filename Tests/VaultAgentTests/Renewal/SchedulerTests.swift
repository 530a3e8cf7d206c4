import Testing
import VaultModel

@testable import VaultAgent

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
    let delays = zip(times, times.dropFirst()).prefix(12).map { $1.since($0) / 1_000 }
    #expect(delays[0] <= 3 && delays[8] >= 290 && delays.allSatisfy { $0 <= 301 }, "\(delays)")
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

  @Test("what AWS refuses is told once; it is tried again every quarter of an hour while a program is served, and not otherwise")
  func refused() async {
    let stage = Stage()
    let refusal = Failure("AccessDenied", exitStatus: .refused)
    stage.state.withLock { $0.failures = ["served": Array(repeating: refusal, count: 5), "other": [refusal]] }
    await stage.scheduler.open(
      "lease", key: Scheduler.Key(profile: "served", fingerprint: "f"), request: CredentialRequest(rotating: "served"),
      session: Stage.session("served", at: stage.clock.now(), life: 3_600), requester: .nobody, at: "sts")
    await stage.add("other")
    stage.advance(minutes: 130)
    let times = stage.renewals.filter { $0.profile == "served" }.map(\.at)
    #expect(times.count == 6 && zip(times, times.dropFirst()).prefix(5).allSatisfy { $1.since($0) / 60_000 == 15 }, "\(times)")
    #expect(stage.renewals.filter { $0.profile == "other" }.count == 1)
    #expect(stage.state.withLock { $0.announced.map(\.profile).sorted() } == ["other", "served"])
    #expect(stage.state.withLock { $0.delivered.count } == 1)
    await stage.end()
  }

  @Test("a laptop that wakes up, or whose clock is set forward, renews at once what is due")
  func suspended() async {
    let stage = Stage()
    await stage.add("app")
    stage.clock.advance(seconds: 5 * 3_600)
    stage.resolve()
    #expect(stage.renewals.count == 1)
    await stage.end()
  }

  @Test("a program that is served gets each new session, also when nobody uses it otherwise, and none after its end")
  func leases() async {
    let stage = Stage()
    let key = Scheduler.Key(profile: "app", fingerprint: "f")
    await stage.scheduler.open(
      "lease", key: key, request: CredentialRequest(rotating: "app"),
      session: Stage.session("app", at: stage.clock.now(), life: 3_600), requester: .nobody,
      at: "sts")
    stage.advance(minutes: 24 * 60)
    #expect(stage.state.withLock { $0.delivered.count } == 36)
    await stage.scheduler.close("lease")
    stage.advance(minutes: 24 * 60)
    #expect(stage.state.withLock { $0.delivered.count } == 36)
    await stage.end()
  }
}
