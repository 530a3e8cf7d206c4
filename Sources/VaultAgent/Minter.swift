import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

/// Walks a plan: from the identity over each role to the session that was asked for, an audit row before and after every call.
struct Minter: Sendable {
  let store: VaultStore
  let sts: STSClient
  let clock: any WallClock
  /// One call for a link of a chain, however many chains lead over it.
  private let links = Flights<Bool>()

  init(store: VaultStore, sts: STSClient, clock: any WallClock) {
    self.store = store
    self.sts = sts
    self.clock = clock
  }

  /// Makes a new session for the plan's last link.
  func mint(_ plan: Plan, _ wish: Wish, _ requester: Requester, _ prompter: any Prompter) async throws {
    let call = Call(plan: plan, wish: wish, requester: requester, prompter: prompter)
    guard let last = plan.steps.indices.last else {
      if let token = plan.token { try await mintToken(token, call) }
      return
    }
    try await mintRole(last, call)
  }

  /// What the calls of one walk have in common.
  struct Call: Sendable {
    let plan: Plan
    let wish: Wish
    let requester: Requester
    let prompter: any Prompter

    func event(_ action: AuditAction, profile: String) -> AuditEvent {
      var event = AuditEvent(action: action, outcome: .intent, trigger: wish.trigger, profile: profile, requester: requester)
      event.reason = wish.reason
      return event
    }

    /// The six digits of the MFA device: from the command line, else from the person.
    func code(serial: String) async throws -> SecretBytes {
      let code = try await prompter.ask(.mfaCode(serial: serial, profile: plan.profile))
      guard code.count == 6, code.withBytes({ $0.allSatisfy { (48...57).contains($0) } }) else { throw AgentError.badMFACode }
      return code
    }
  }

  /// Credentials that need no session: temporary ones that the vault holds as they are.
  func deliverAsIs(_ plan: Plan, _ wish: Wish, _ requester: Requester) async throws -> Credential {
    let credential = try await identity(plan)
    var event = AuditEvent(
      action: .deliver, outcome: .success, trigger: wish.trigger, profile: wish.profile, requester: requester)
    event.reason = wish.reason
    event.accessKeyId = credential.accessKeyId
    try await store.record(event)
    return credential
  }

  // MARK: one link

  private func mintRole(_ index: Int, _ call: Call) async throws {
    do {
      try await assumeRole(index, signedBy: try await source(before: index, call), call)
    } catch let error as AWSError where error.saysSourceIsOver {
      // A source session that AWS no longer takes (revoked, or its clock is not ours) is dropped, once, and made anew.
      guard try await dropSource(before: index, call) else { throw error }
      try await assumeRole(index, signedBy: try await source(before: index, call), call)
    }
  }

  /// The credentials that sign the call for link `index`.
  private func source(before index: Int, _ call: Call) async throws -> Credential {
    if index > 0 {
      let step = call.plan.steps[index - 1]
      return try await live(profile: step.link.profile, fingerprint: step.fingerprint, call) { call in
        try await mintRole(index - 1, call)
      }
    }
    if let token = call.plan.token {
      return try await live(profile: token.keyName, fingerprint: token.fingerprint, call) { call in
        try await mintToken(token, call)
      }
    }
    return try await identity(call.plan)
  }

  private func live(
    profile: String, fingerprint: String, _ call: Call, mint: @escaping @Sendable (Call) async throws -> Void
  ) async throws -> Credential {
    if let kept = try await store.openSession(profile: profile, fingerprint: fingerprint, freshness: .notDue(at: clock.now())) {
      return kept.credential
    }
    _ = try await links.share(profile + "\n" + fingerprint, for: call.prompter) { prompter in
      try await mint(Call(plan: call.plan, wish: call.wish, requester: call.requester, prompter: prompter))
      return true
    }
    guard let fresh = try await store.openSession(profile: profile, fingerprint: fingerprint, freshness: .alive(at: clock.now()))
    else {
      throw AgentError.unknownSession(profile: profile)
    }
    return fresh.credential
  }

  private func dropSource(before index: Int, _ call: Call) async throws -> Bool {
    let profile: String
    if index > 0 {
      profile = call.plan.steps[index - 1].link.profile
    } else if let token = call.plan.token {
      profile = token.keyName
    } else {
      return false
    }
    return try await store.forget(profile: profile, requester: call.requester, trigger: call.wish.trigger) > 0
  }

  private func identity(_ plan: Plan) async throws -> Credential {
    switch plan.identity {
    case .keys(let name, _, _):
      guard let credential = try await store.openAccessKey(name: name) else {
        throw AgentError.noKeyForProfile(profile: plan.profile, key: name)
      }
      return credential
    case .sso: throw AgentError.unsupported(what: "IAM Identity Center", profile: plan.profile)
    case .webIdentity: throw AgentError.unsupported(what: "web identity", profile: plan.profile)
    case .process: throw AgentError.unsupported(what: "credential_process", profile: plan.profile)
    case .container: throw AgentError.unsupported(what: "the container endpoint", profile: plan.profile)
    case .instance: throw AgentError.unsupported(what: "instance metadata", profile: plan.profile)
    case .environment: throw AgentError.unsupported(what: "the environment", profile: plan.profile)
    }
  }
}
