import VaultModel
import VaultStore
import VaultWire

// Taking back what was handed out.
extension RequestHandler {
  func revoke(_ asked: RevokeRequest, _ context: RequestContext) async throws -> Revoked {
    let target = try target(asked)
    if case .profile(let name) = target { try await requireKnown(name) }
    // Whoever gets it again needs a new agreement.
    await approvals.forget(profile: asked.profile)
    // Runs first: a program of theirs that asks meanwhile gets nothing. What cannot be written down keeps nothing else from being revoked.
    var (runs, fault): (Int, (any Error)?) = (0, nil)
    for tree in trees.all where target.covers(tree.run) {
      runs += 1
      do { _ = try await trees.revoke(run: tree.run.run) } catch { fault = error }
    }
    let isKnown =
      switch target {
      case .all, .profile: true
      case .session, .automation, .process: runs > 0
      }
    var revoked = try await broker.revoke(
      target, isKnown: isKnown, reason: asked.reason.map { String($0.prefix(AuditEvent.maxReasonLength)) },
      requester: context.requester,
      prompter: context.prompter)
    if let fault { throw fault }
    revoked.runs = runs
    return revoked
  }

  private func target(_ asked: RevokeRequest) throws(AgentError) -> RevocationTarget {
    var targets: [RevocationTarget] = []
    if let profile = asked.profile { targets.append(.profile(profile)) }
    if let session = asked.session { targets.append(.session(session)) }
    if let name = asked.automation { targets.append(.automation(name)) }
    if let pid = asked.pid {
      guard let pid = Int32(exactly: pid), pid > 0 else { throw .badRequest("\(pid) is not a process ID") }
      targets.append(.process(pid, since: ProcessIdentity(running: pid)?.startTime(at: clock.now())))
    }
    if asked.all { targets.append(.all) }
    guard targets.count == 1 else { throw .badRequest("a revocation has one target") }
    return targets[0]
  }

  /// A profile that was removed may have left programs that are served.
  private func requireKnown(_ profile: String) async throws {
    do { try await catalog.requireProfile(profile) } catch {
      let target = RevocationTarget.profile(profile)
      guard try await store.sessions(of: target).isEmpty, await !broker.serves(profile) else { return }
      throw error
    }
  }
}

extension RevocationTarget {
  /// Whether a run that acts by itself gets nothing more.
  fileprivate func covers(_ run: AutomationRun) -> Bool {
    switch self {
    case .all: true
    case .automation(let name): run.name == name
    case .profile, .session, .process: false
    }
  }
}
