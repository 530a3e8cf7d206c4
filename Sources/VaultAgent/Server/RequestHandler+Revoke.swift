import CSystem
import VaultModel
import VaultStore
import VaultWire

// Taking back what was handed out.
extension RequestHandler {
  func revoke(_ asked: RevokeRequest, _ context: RequestContext) async throws -> Revoked {
    var (target, giver): (RevocationTarget, Int32?) = (try target(asked), nil)
    switch target {
    case .profile(let name): try await requireKnown(name, context)
    case .process(let pid, _):
      if let found = try await self.giver(of: pid), found != pid { (target, giver) = (process(found), found) }
    case .session, .automation, .all: break
    }
    // Whoever gets it again needs a new agreement.
    await approvals.forget(profile: asked.profile)
    // Runs first: a program of theirs that asks meanwhile gets nothing. What cannot be written down keeps nothing else from being revoked.
    var (runs, fault): (Int, (any Error)?) = (0, nil)
    for tree in trees.all where target.covers(tree.run) {
      runs += 1
      do { _ = try await trees.revoke(run: tree.run.run) } catch { fault = error }
    }
    // Then what is under way, and what waits for a person.
    let pending = store.withdrawals.revoke(target)
    await approvals.withdraw { target.covers($0, by: $1) }
    let isKnown =
      switch target {
      case .all, .profile: true
      case .session, .automation, .process: runs > 0 || pending.clients > 0
      }
    var revoked = try await broker.revoke(
      target, isKnown: isKnown, coming: pending.sessions,
      reason: asked.reason.map { String($0.prefix(AuditEvent.maxReasonLength)) }, requester: context.requester,
      prompter: context.prompter)
    if let fault { throw fault }
    (revoked.runs, revoked.requests) = (runs, pending.clients)
    if let giver { (revoked.pid, revoked.program) = (Int(giver), PeerInspector.link("/proc/\(giver)/exe")) }
    return revoked
  }

  /// The process that was given what another has: that one itself, the root of the run for which it stays, or else the nearest process
  /// above it to which something was given.
  ///
  /// - Returns: nil if there is none.
  private func giver(of pid: Int32) async throws -> Int32? {
    let roots = trees.all.map(\.root).filter { root in
      // The process that was started for a run (`AutomationFront`) is the root's parent, and the same program.
      root.isRunning && Ancestry(of: root.pid).parents.first == pid
        && PeerInspector.link("/proc/\(root.pid)/exe") == PeerInspector.link("/proc/\(pid)/exe")
    }
    for one in [pid] + roots.map(\.pid) + Ancestry(of: pid).parents where try await broker.has(anythingOf: process(one)) {
      return one
    }
    return nil
  }

  private func process(_ pid: Int32) -> RevocationTarget {
    .process(pid, since: ProcessIdentity(running: pid)?.startTime(at: clock.now()))
  }

  private func target(_ asked: RevokeRequest) throws(AgentError) -> RevocationTarget {
    var targets: [RevocationTarget] = []
    if let profile = asked.profile { targets.append(.profile(profile)) }
    if let session = asked.session { targets.append(.session(session)) }
    if let name = asked.automation { targets.append(.automation(name)) }
    if let pid = asked.pid {
      guard let pid = Int32(exactly: pid), pid > 0 else { throw .badRequest("\(pid) is not a process ID") }
      targets.append(process(pid))
    }
    if asked.all { targets.append(.all) }
    guard targets.count == 1 else { throw .badRequest("a revocation has one target") }
    return targets[0]
  }

  /// A profile that was removed may have left programs that are served.
  private func requireKnown(_ profile: String, _ context: RequestContext) async throws {
    do {
      if (try? await catalog.requireProfile(profile)) == nil {
        try await catalog.observeChanges(context.prompter, context.requester)
      }
      try await catalog.requireProfile(profile)
    } catch {
      let target = RevocationTarget.profile(profile)
      guard try await store.sessions(of: target).isEmpty, await !broker.serves(profile) else { return }
      throw error
    }
  }
}

extension RevocationTarget {
  /// Whether a request that waits for a confirmation gets nothing more.
  fileprivate func covers(_ ask: ApprovalAsk, by asker: Int32) -> Bool {
    switch self {
    case .all: true
    case .profile(let name): ask.profile == name
    case .automation(let name): ask.requester.automation?.name == name
    case .process(let pid, _):
      asker == pid || [.env, .credentials].contains(ask.trigger) && ask.requester.parents.first?.pid == pid
    case .session: false
    }
  }

  /// Whether a run that acts by itself gets nothing more.
  fileprivate func covers(_ run: AutomationRun) -> Bool {
    switch self {
    case .all: true
    case .automation(let name): run.name == name
    case .profile, .session, .process: false
    }
  }
}
