import AWSClient
import VaultModel

// The schedule's work when its alarm fires.
extension Scheduler {
  /// Schedules an entry for its new session.
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
    // Never before it was issued, however short the session is.
    agenda.put(key, due: max(early, session.issuedAt))
  }

  /// Sets the alarm for the next possible action.
  func arm() {
    var next = agenda.firstDue()
    // If the maximum of calls is running, the end of one of them continues the lines.
    if underWay < Self.maximum, let token = agenda.nextToken(at: clock.now()) { next = min(next ?? token, token) }
    guard alarm?.moment != next else { return }
    alarm?.task.cancel()
    alarm = next.map { moment in
      let task = Task(executorPreference: executor) { [clock] in
        do { try await clock.sleep(until: moment) } catch { return }
        await self.wake(at: moment)
      }
      return (task, moment)
    }
  }

  private func wake(at moment: Timestamp) {
    // Another alarm may have been set meanwhile.
    guard alarm?.moment == moment else { return }
    alarm = nil
    ring()
  }

  /// Queues the due sessions, and starts as many calls as are allowed now.
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
      while underWay < Self.maximum, let key = agenda.next(in: line, at: now) {
        underWay += 1
        entries[key]?.isUnderWay = true
        // It ends with its own work, and then takes the next session.
        Task(executorPreference: executor) { await self.renew(key) }
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
      let session = try await work.renew(entry.request)
      recordAnswer(in: entry.line)
      schedule(key, session)
    } catch {
      record(error, in: entry.line, paid: 1)
      await fail(key, entry: entry, error: error)
      return
    }
    await deliver(key, entry.request)
  }

  /// Delivers a new session to the programs that it serves.
  func deliver(_ key: Key, _ request: CredentialRequest) async {
    for (lease, requester) in entries[key]?.leases ?? [:] {
      do {
        try await work.deliver(request, lease, requester)
      } catch {
        // The new session exists, but its delivery could not be logged: the lease keeps the old one, and the next turn tries again.
        agenda.put(key, due: clock.now().adding(seconds: 1))
      }
    }
  }

  /// An endpoint has answered. After an outage, its paused sessions are due now, at the bucket's pace.
  func recordAnswer(in line: Int) {
    let now = clock.now()
    let wasDown = agenda.lines[line].isDown
    let pausing = wasDown ? agenda.lines[line].pausing : []
    agenda.withLine(line) { line in
      line.bucket.recover(at: now)
      line.silences = 0
      line.bucket.setDown(false, at: now)
      if wasDown { line.pausing.removeAll() }
    }
    for key in pausing {
      guard let entry = entries[key], entry.failures > 0, !entry.waits, !entry.isUnderWay else { continue }
      agenda.put(key, due: now)
    }
  }

  /// Records the failure of a call to an endpoint.
  ///
  /// - Parameter paid: tokens that were taken for the call.
  func record(_ error: any Error, in line: Int, paid: Int) {
    let now = clock.now()
    let calls = (error as? AWSError)?.attempts ?? paid
    agenda.withLine(line) { line in
      line.bucket.charge(max(0, calls - paid), at: now)
      switch Failure(error).exitStatus {
      case .temporary: line.bucket.slowDown(at: now)
      case .unavailable:
        line.silences += 1
        line.bucket.setDown(line.isDown, at: now)
      default: break
      }
    }
  }

  /// - Parameter entry: its value when the call began.
  private func fail(_ key: Key, entry: Entry, error: any Error) async {
    // A request got a new session meanwhile, which has its own place.
    guard let now = entries[key], now.endsAt == entry.endsAt else { return }
    // The session was taken back meanwhile.
    if now.waits, !entry.waits { return }
    let failure = Failure(error)
    let pendingAction: SessionState?
    switch error {
    case SignInError.needed: pendingAction = .needsLogin
    case AgentError.nobodyToAsk, AgentError.badMFACode: pendingAction = .needsMFA
    default: pendingAction = failure.isRetryable ? nil : .failing
    }
    if let pendingAction {
      entries[key]?.waits = true
      // AWS may grant later what it refuses now, without any action here, and a served program has no other way to learn of it.
      if pendingAction == .failing, !now.leases.isEmpty {
        agenda.put(key, due: clock.now().adding(seconds: Self.refusedPause))
      } else {
        agenda.withdraw(key)
      }
      guard !now.waits else { return }
      waiting.append(key)
      await work.announce(key.profile, pendingAction, failure)
      return
    }
    let failures = now.failures + 1
    entries[key]?.failures = failures
    if failures == 1 { recordPause(of: key, in: now.line) }
    let maxLength = now.leases.isEmpty ? Self.maxDelay.usual : Self.maxDelay.served
    let maximum = min(maxLength, Double(1 << min(failures, 20)))
    agenda.put(key, due: clock.now().adding(milliseconds: Int64(random() * maximum * 1_000) + 100))
  }

  private func recordPause(of key: Key, in line: Int) {
    agenda.withLine(line) { line in
      line.pausing.append(key)
      // The list is emptied only at the end of an outage, so recovered sessions are removed here.
      guard line.pausing.count > 2 * entries.count + 64 else { return }
      var seen: Set<Key> = []
      line.pausing = line.pausing.filter { (entries[$0]?.failures ?? 0) > 0 && seen.insert($0).inserted }
    }
  }
}
