import CSystem
import VaultModel
import VaultStore
import VaultWire

// Taking back what was handed out, as far as it is here: what a program already holds is AWS's to refuse.
extension Broker {
  /// Ends what a target covers: its sessions, the programs that are served them, and the files that hold them. Nothing of it is served,
  /// renewed or kept, and no program gets more of it without a new command.
  ///
  /// - Throws: ``AgentError/nothingToRevoke(what:hint:)``.
  func revoke(_ target: RevocationTarget, reason: String?, requester: Requester, prompter: any Prompter) async throws -> Revoked {
    let sessions = try await store.sessions(of: target)
    let leases = await leases(of: target, sessions)
    let links = try await links(of: target, sessions)
    guard !sessions.isEmpty || !leases.isEmpty || !links.isEmpty || Self.isAlwaysThere(target) else {
      throw AgentError.nothingToRevoke(what: target.text)
    }
    // The programs first: one that asks meanwhile would otherwise be brought a new session.
    let requests = leases.map { ($0, endLease($0)) }
    for (lease, _) in requests { await scheduler?.close(lease) }
    let ended: [SessionRecord]
    do {
      ended = try await store.revoke(target, requester: requester, reason: reason)
    } catch {
      await logEnds(requests)
      throw error
    }
    // The environments that requesters have sent may contain credentials.
    if target == .all { issuer.programs.environments.forget() }
    await withdraw()
    await logEnds(requests)
    let left = await remove(links, requester: requester)
    if let left { prompter.notice(left) }
    return Revoked { reply in
      reply.sessions = ended.map(RevokedSession.init)
      reply.programs = leases.count
      reply.files = links.map { "[\($0.section)] in \($0.path)" }
    }
  }

  func serves(_ profile: String) -> Bool { served.values.contains { $0.request.profile == profile } }

  /// A profile has been found by name, and everything is always there.
  private static func isAlwaysThere(_ target: RevocationTarget) -> Bool {
    switch target {
    case .all, .profile: true
    default: false
    }
  }

  private func leases(of target: RevocationTarget, _ sessions: [SessionRecord]) async -> [String] {
    let keys = Set(sessions.map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
    var found: [String] = []
    for (lease, one) in served {
      let isMeant =
        switch target {
        case .all: true
        case .profile(let name): one.request.profile == name
        case .session: await scheduler?.key(of: lease).map { keys.contains($0) } ?? false
        case .automation: false
        case .process(let pid, _): one.requester.pid == pid
        }
      if isMeant { found.append(lease) }
    }
    return found
  }

  /// The files that are kept fresh with what is revoked. They have no program, so nothing but their link would fill them again.
  private func links(of target: RevocationTarget, _ sessions: [SessionRecord]) async throws -> [CredentialsLink] {
    let all = try await store.credentialsLinks()
    switch target {
    case .all: return all
    case .profile(let name): return all.filter { $0.profile == name }
    case .session:
      let keys = Set(sessions.map { Scheduler.Key(profile: $0.profile, fingerprint: $0.fingerprint) })
      var links: [CredentialsLink] = []
      for link in all {
        if let key = await scheduler?.key(of: CredentialFiles.lease(link)), keys.contains(key) { links.append(link) }
      }
      return links
    case .automation, .process: return []
    }
  }

  /// Serves a program nothing more.
  ///
  /// - Returns: what is to be logged once that is done.
  private func endLease(_ id: String) -> (ServedProgram, requests: Int)? {
    guard let one = served.removeValue(forKey: id) else { return nil }
    return (one, endpoint.revoke(id))
  }

  private func logEnds(_ leases: [(id: String, end: (program: ServedProgram, requests: Int)?)]) async {
    for case (let id, let end?) in leases { await logRevoked(id, end) }
  }

  private func logRevoked(_ id: String, _ end: (program: ServedProgram, requests: Int)) async {
    await logEnd(id, of: end.program, detail: "revoked after " + (end.requests == 1 ? "1 request" : "\(end.requests) requests"))
  }

  /// A lease whose session was revoked on its way to it.
  func revokeLease(_ id: String) async {
    guard let end = endLease(id) else { return }
    await scheduler?.close(id)
    await logRevoked(id, end)
  }

  /// Empties the files, and removes their links.
  ///
  /// - Returns: why links stay; nil if none does.
  private func remove(_ links: [CredentialsLink], requester: Requester) async -> String? {
    var fault: Failure?
    for link in links {
      do { try await unlink(link, requester: requester) } catch { fault = Failure(error) }
    }
    return fault.map { "a link to a file stays, and may be filled again: \($0.message)" }
  }
}

extension RevokedSession {
  fileprivate init(_ session: SessionRecord) {
    self.init {
      ($0.id, $0.profile, $0.accessKeyId, $0.expiration) = (session.id, session.profile, session.accessKeyId, session.expiresAt)
      ($0.roleARN, $0.roleSessionName) = (session.roleARN, session.roleSessionName)
    }
  }
}
