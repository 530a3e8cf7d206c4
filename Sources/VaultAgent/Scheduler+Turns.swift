import AWSClient
import VaultModel

// What the schedule does when its alarm goes off.
extension Scheduler {
  /// Gives an entry its place for the session that it has got.
  func schedule(_ key: Key, _ session: SessionRecord) {
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
    // Never in the past of its own beginning, however short it is.
    agenda.put(key, due: max(early, session.issuedAt))
  }

  /// Sets the alarm for the next thing that can be done.
  func arm() {
    var next = agenda.firstDue()
    // With all calls under way, the end of one of them goes on with the lines.
    if underWay < Self.most, let token = agenda.nextToken(at: clock.now()) { next = min(next ?? token, token) }
    guard alarm?.moment != next else { return }
    alarm?.task.cancel()
    alarm = next.map { moment in
      let task = Task(executorPreference: lane) { [clock] in
        do { try await clock.sleep(until: moment) } catch { return }
        await self.wake(at: moment)
      }
      return (task, moment)
    }
  }

  private func wake(at moment: Timestamp) {
    // Another may have been set while this one was on its way.
    guard alarm?.moment == moment else { return }
    alarm = nil
    ring()
  }

  /// Lines up what is due, and calls as much of it as may be called now.
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
      while underWay < Self.most, let key = agenda.next(in: line, at: now) {
        underWay += 1
        entries[key]?.isUnderWay = true
        // It ends with its own work, and takes the next one then.
        Task(executorPreference: lane) { await self.renew(key) }
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
      let session = try await work.renew(entry.wish)
      agenda.withBucket(entry.line) { $0.recover(at: clock.now()) }
      schedule(key, session)
    } catch {
      note(error, in: entry.line, paid: 1)
      await fail(key, entry, error)
      return
    }
    for (lease, requester) in entries[key]?.leases ?? [:] {
      do {
        try await work.deliver(entry.wish, lease, requester)
      } catch {
        // The new session exists, and could not be logged as handed out: the lease keeps the old one and the next turn tries again.
        agenda.put(key, due: clock.now().adding(seconds: 1))
      }
    }
  }

  /// What a call's failure says of its endpoint.
  ///
  /// - Parameter paid: tokens that were taken for it.
  func note(_ error: any Error, in line: Int, paid: Int) {
    let now = clock.now()
    let calls = (error as? AWSError)?.attempts ?? paid
    agenda.withBucket(line) { bucket in
      bucket.charge(max(0, calls - paid), at: now)
      if Failure(error).exitStatus == .temporary { bucket.slowDown(at: now) }
    }
  }

  /// - Parameter entry: as it was when the call began.
  private func fail(_ key: Key, _ entry: Entry, _ error: any Error) async {
    // One who asked got a new session meanwhile, which has its own place.
    guard let now = entries[key], now.endsAt == entry.endsAt else { return }
    let failure = Failure(error)
    let attention: SessionState?
    switch error {
    case SignInError.needed: attention = .needsLogin
    case AgentError.nobodyToAsk, AgentError.badMFACode: attention = .needsMFA
    default: attention = failure.exitStatus == .unavailable || failure.exitStatus == .temporary ? nil : .failing
    }
    if let attention {
      entries[key]?.waits = true
      agenda.withdraw(key)
      waiting.append(key)
      await work.announce(key.profile, attention, failure)
      return
    }
    let failures = now.failures + 1
    entries[key]?.failures = failures
    let most = min(Self.longestPause, Double(1 << min(failures, 20)))
    agenda.put(key, due: clock.now().adding(milliseconds: Int64(random() * most * 1_000) + 100))
  }
}
