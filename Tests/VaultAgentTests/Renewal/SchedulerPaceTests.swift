import Synchronization
import TestSupport
import Testing
import VaultConcurrency
import VaultModel
import VirtualTime

@testable import VaultAgent

@Suite struct SchedulerPaceTests {
  @Test("a thousand sessions that are due at once are renewed at their endpoint's pace, each once, and those of a program first")
  func many() async {
    let stage = Stage()
    for number in 0..<1_000 { await stage.add("app-\(number)") }
    let served = Scheduler.Key(profile: "served", fingerprint: "f")
    await stage.scheduler.open(
      "lease", key: served, request: CredentialRequest(rotating: "served"),
      session: Stage.session("served", at: stage.clock.now(), life: 3_600),
      requester: .nobody, at: "sts")
    stage.clock.advance(seconds: 41 * 60)
    stage.resolve()
    #expect(stage.renewals.count == Int(TokenBucket.burst))
    #expect(stage.renewals.first?.profile == "served")
    stage.advance(minutes: 1, step: 1)
    // 1,001 sessions in 40 minutes, a quarter faster.
    #expect((30...36).contains(stage.renewals.count), "\(stage.renewals.count)")
    stage.advance(minutes: 33, step: 1)
    #expect(stage.renewals.count == 1_001 && Set(stage.renewals.map(\.profile)).count == 1_001)
    await stage.end()
  }

  @Test("at most eight calls are under way, also where their endpoints are many")
  func bounded() async {
    let listener = Mutex<[CheckedContinuation<Void, Never>]>([])
    let clock = FakeClock()
    let executor = VirtualLane()
    let scheduler = Scheduler(
      clock: clock, executor: executor,
      work: Scheduler.Work(
        renew: { request in
          await withCheckedContinuation { hold in listener.withLock { $0.append(hold) } }
          return Stage.session(request.profile, at: clock.now(), life: 3_600)
        }, deliver: { _, _, _ in }, announce: { _, _, _ in }))
    for number in 0..<30 {
      await scheduler.add(
        Scheduler.Key(profile: "app-\(number)", fingerprint: "f"), request: CredentialRequest(rotating: "app-\(number)"),
        session: Stage.session("app", at: clock.now(), life: 3_600), rule: .default, at: "sts-\(number)")
    }
    clock.advance(seconds: 41 * 60)
    var done = 0
    while done < 30 {
      executor.run()
      let held = listener.withLock { listener in
        defer { listener.removeAll() }
        return listener
      }
      #expect(held.count <= Scheduler.maximum)
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
    for number in 0..<2 { await stage.add("other-\(number)", at: "sts.eu") }
    stage.clock.advance(seconds: 41 * 60)
    stage.resolve()
    #expect(stage.renewals.filter { $0.profile.hasPrefix("other") }.count == 2)
    stage.advance(minutes: 10, step: 1)
    let throttled = stage.renewals.filter { $0.profile.hasPrefix("app") }.count
    #expect((5...12).contains(throttled), "\(throttled)")
    stage.state.withLock { $0.failures = [:] }
    stage.advance(minutes: 150, step: 1)
    #expect(Set(stage.renewals.map(\.profile)).count == 102)
    await stage.end()
  }

  @Test("what was called for a person is paid for by the schedule, which never holds it up")
  func asked() async {
    let stage = Stage()
    await stage.add("app")
    for _ in 0..<8 { await stage.scheduler.called("sts", nil) }
    stage.clock.advance(seconds: 41 * 60)
    stage.resolve()
    #expect(stage.renewals.count == 1)
    // In debt up to one burst, at one call in 30 s.
    for _ in 0..<8 { await stage.scheduler.called("sts", nil) }
    await stage.add("other", life: 120)
    stage.advance(minutes: 1)
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

  @Test(
    "once an endpoint answers again, what paused because of its outage is tried at the bucket's pace, and not after the pauses")
  func outageOver() async {
    let stage = Stage(random: 0.999)
    for number in 0..<10 { await stage.add("app-\(number)") }
    let isDown = Failure("down", exitStatus: .unavailable) as any Error
    stage.state.withLock { state in
      for number in 0..<10 { state.failures["app-\(number)"] = Array(repeating: isDown, count: 100) }
    }
    stage.advance(minutes: 100, step: 1)
    #expect(await stage.scheduler.isDown("sts"))
    stage.state.withLock { ($0.failures, $0.renewals) = ([:], []) }
    await stage.scheduler.called("sts", nil)
    #expect(await !stage.scheduler.isDown("sts"))
    // At two calls in a minute.
    stage.advance(minutes: 6, step: 1)
    #expect(Set(stage.renewals.map(\.profile)).count == 10)
    await stage.end()
  }

  @Test("a session near its end that a program is served waits for no token, unless the endpoint is down")
  func urgent() async {
    let stage = Stage()
    let served = Scheduler.Key(profile: "served", fingerprint: "f")
    await stage.scheduler.open(
      "lease", key: served, request: CredentialRequest(rotating: "served"),
      session: Stage.session("served", at: stage.clock.now(), life: 3_600),
      requester: .nobody, at: "sts")
    for _ in 0..<6 { await stage.scheduler.called("sts", Failure("slow down", exitStatus: .temporary)) }
    stage.clock.advance(seconds: 46 * 60)
    for _ in 0..<6 { await stage.scheduler.called("sts", Failure("slow down", exitStatus: .temporary)) }
    stage.resolve()
    #expect(stage.state.withLock { $0.delivered } == ["lease"])
    await stage.end()
  }

  @Test("a program that is served gets the session that another one's request has made")
  func shared() async {
    let stage = Stage()
    let key = Scheduler.Key(profile: "app", fingerprint: "f")
    await stage.scheduler.open(
      "lease", key: key, request: CredentialRequest(rotating: "app"),
      session: Stage.session("app", at: stage.clock.now(), life: 3_600), requester: .nobody,
      at: "sts")
    stage.advance(minutes: 30)
    await stage.add("app")
    #expect(stage.state.withLock { $0.delivered } == ["lease"])
    await stage.end()
  }
}
