import VaultAgent
import VaultModel

// What programs get, by the broker's rules: a session that is not due is handed out; else one is made at once; where that fails, the old
// one will do while it lives.
extension Laptop {
  /// A program asks for a profile's credentials.
  func ask(_ index: Int) async {
    let isPromised = isSignedIn && isReachable
    let before = suspends
    if let session = sessions[index], session.state(at: world.now) == .fresh {
      if !scheduler.touch(keys[index]) { await add(index, session) }
      return count(session, isPromised)
    }
    do {
      let session = try await mintAsked(index)
      await add(index, session)
      count(session, isPromised)
    } catch {
      if error is SignInError { signInSoon() }
      let isStill = isPromised && isSignedIn && isReachable && before == suspends
      let old = sessions[index].flatMap { $0.expiresAt > world.now ? $0 : nil }
      if isStill, Failure(error).exitStatus == .temporary {
        ledger.throttled.add(old?.expiresAt.since(world.now))
      } else {
        count(old, isStill)
      }
    }
  }

  /// A call for somebody who asked. What a call came to that was begun before is no answer to him.
  private func mintAsked(_ index: Int) async throws -> SessionRecord {
    if singleFlights[index] != nil, let session = try? await issue(index) { return session }
    let isDown = await scheduler.isDown(Self.host)
    // The schedule is told of a call by the one who begins it.
    let isFirst = singleFlights[index] == nil
    do {
      let session = try await issue(index, mayWait: !isDown)
      if isFirst { await scheduler.called(Self.host, nil) }
      return session
    } catch {
      if isFirst { await scheduler.called(Self.host, error) }
      throw error
    }
  }

  private func add(_ index: Int, _ session: SessionRecord) async {
    await scheduler.add(
      keys[index], request: CredentialRequest(rotating: keys[index].profile), session: session, rule: .default, at: Self.host)
  }

  private func count(_ session: SessionRecord?, _ isPromised: Bool) {
    let life = session?.expiresAt.since(world.now)
    if isPromised { ledger.promised.add(life) } else { ledger.others.add(life) }
  }

  /// A program is served on loopback until it ends.
  func serve(_ lease: String, _ index: Int, until end: Timestamp) {
    guard isAwake, isSignedIn else { return }
    world.begin { [self] in
      var session = sessions[index]
      if session?.state(at: world.now) != .fresh { session = try? await mintAsked(index) }
      guard let session else { return }
      await scheduler.open(
        lease, key: keys[index], request: CredentialRequest(rotating: keys[index].profile), session: session,
        requester: Self.program, at: Self.host)
      served[lease] = session
      world.at(end) { [self] in
        served[lease] = nil
        world.begin { [self] in await scheduler.close(lease) }
      }
      let program = ServedProgram(lease: lease, index: index, early: Self.early[Int(chance.next() * Double(Self.early.count))])
      fetchLater(program, session)
    }
  }

  /// Seconds before the end at which SDKs fetch again: botocore, those for Java and JavaScript, the one for Go.
  private static let early = [900.0, 300, 0]

  /// An SDK fetches again when what it has is about to end, or just after the laptop has woken up; where that brought nothing better, with
  /// the program's next use of it, about once a minute.
  private func fetchLater(_ program: ServedProgram, _ held: SessionRecord) {
    let moment = max(held.expiresAt.later(by: -program.early), world.now.later(by: chance.between(30, 90)))
    world.begin { [self] in
      guard (try? await clock.sleep(until: moment)) != nil else { return }
      // A program that was suspended with the laptop takes a moment to find out what time it is.
      if world.now > moment { guard (try? await clock.sleep(until: wakingUp())) != nil else { return } }
      await fetch(program)
    }
  }

  private func wakingUp() -> Timestamp { world.now.later(by: 0.5 + chance.wait(mean: 2)) }

  private func fetch(_ program: ServedProgram) async {
    let (lease, index) = (program.lease, program.index)
    guard let held = served[lease] else { return }
    let began = world.now
    let isPromised = isSignedIn && isReachable
    let before = suspends
    if held.state(at: began) != .fresh { await bring(lease, index) }
    guard let session = served[lease] else { return }
    let left = session.expiresAt.since(world.now)
    let life = left > 0 ? left : nil
    if throttledAt[index] >= began {
      ledger.throttledFetches.add(life)
    } else if isPromised && isSignedIn && isReachable && before == suspends {
      ledger.promisedFetches.add(life)
    } else {
      ledger.otherFetches.add(life)
    }
    fetchLater(program, session)
  }

  /// As the endpoint has it: one renewal for all who ask, a moment's wait for it, and a pause where it brought nothing.
  private func bring(_ lease: String, _ index: Int) async {
    let renewal = renewals[lease] ?? Renewal()
    guard !renewal.isUnderWay, renewal.until <= world.now else { return }
    renewals[lease] = Renewal(failures: renewal.failures, until: renewal.until, isUnderWay: true)
    await withCheckedContinuation { continuation in
      let end = Once(continuation)
      world.after(seconds: Double(StaleRequestPolicy.timeouts) / 1_000) { end.resume() }
      world.begin { [self] in
        if let session = sessions[index], session.state(at: world.now) == .fresh {
          served[lease] = session
        } else if let session = try? await mintAsked(index) {
          await scheduler.replace(keys[index], by: session)
        }
        let failures = served[lease]?.state(at: world.now) == .fresh ? 0 : renewal.failures + 1
        renewals[lease] = Renewal(
          failures: failures, until: world.now.later(by: Double(StaleRequestPolicy.delay(failures: failures))))
        end.resume()
      }
    }
  }

  /// Who runs.
  private static let program = Requester(
    user: "", uid: 0, pid: 0, program: "", executable: "", directory: "", parent: "", host: "")
}

/// A program that is served until it ends.
private struct ServedProgram: Sendable {
  let lease: String
  /// Of its profile.
  let index: Int
  /// Seconds before the end of what it has at which it fetches.
  let early: Double
}

/// What was done about a served program's session when it asked.
struct Renewal {
  var failures = 0
  var until = Calendar.start
  var isUnderWay = false
}

/// Goes on at the first of several ends.
///
/// `@unchecked Sendable`: see ``World``.
private final class Once: @unchecked Sendable {
  private var continuation: CheckedContinuation<Void, Never>?

  init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }

  func resume() {
    continuation?.resume()
    continuation = nil
  }
}
