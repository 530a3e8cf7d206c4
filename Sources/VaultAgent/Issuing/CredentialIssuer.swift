import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

/// Walks a plan: from the identity over each role to the session that was asked for, an audit row before and after every call.
struct CredentialIssuer: Sendable {
  let store: VaultStore
  let clients: Clients
  let ssoSessions: SSOSessions
  let clock: any WallClock
  let programs = ProgramRunner()
  /// One call for a link of a chain, however many chains lead over it. What it brings is in the store, but for credentials without an
  /// end, which are not kept.
  private let links: SingleFlightGroup<Credential?>

  init(store: VaultStore, clients: Clients, ssoSessions: SSOSessions, clock: any WallClock) {
    self.store = store
    self.clients = clients
    self.ssoSessions = ssoSessions
    self.clock = clock
    links = SingleFlightGroup(clock: clock)
  }

  /// Makes a new session for the plan's last link.
  ///
  /// - Parameter mayWait: whether a call for a role is tried again at once where that may help.
  /// - Returns: the credentials, where they have no end and are not kept; else nil.
  func issue(
    _ plan: CredentialPlan, _ request: CredentialRequest, _ requester: Requester, _ prompter: any Prompter, mayWait: Bool
  ) async throws
    -> Credential?
  {
    let call = IssueContext(
      plan: plan, request: request, requester: requester, prompter: prompter, store: store, programs: programs,
      trust: clients.trust, clock: clock, mayWait: mayWait)
    guard let last = plan.steps.indices.last else {
      return if let own = plan.own { try await issueIdentity(own, call) } else { try await keys(plan) }
    }
    try await mintRole(last, call)
    return nil
  }

  // MARK: one link

  private func mintRole(_ index: Int, _ call: IssueContext) async throws {
    do {
      try await assumeRole(index, signedBy: try await source(before: index, call), call)
    } catch let error as AWSError where error.saysSourceIsOver {
      // A source session that AWS no longer takes (revoked, or its clock is not ours) is dropped, once, and made anew.
      guard try await dropSource(before: index, call) else { throw error }
      try await assumeRole(index, signedBy: try await source(before: index, call), call)
    }
  }

  /// The credentials that sign the call for link `index`.
  private func source(before index: Int, _ call: IssueContext) async throws -> Credential {
    if index > 0 {
      let step = call.plan.steps[index - 1]
      return try await live(profile: step.link.profile, fingerprint: step.fingerprint, call) { call in
        try await mintRole(index - 1, call)
        return nil
      }
    }
    if let own = call.plan.own {
      return try await live(profile: own.owner, fingerprint: own.fingerprint, call) { call in try await issueIdentity(own, call) }
    }
    return try await keys(call.plan)
  }

  private func live(
    profile: String, fingerprint: String, _ call: IssueContext,
    issue: @escaping @Sendable (IssueContext) async throws -> Credential?
  ) async throws -> Credential {
    if let kept = try await store.openSession(profile: profile, fingerprint: fingerprint, freshness: .notDue(at: clock.now())) {
      return kept.credential
    }
    let passing = try await links.share(profile + "\n" + fingerprint, for: call.prompter) { prompter in
      try await issue(call.asked(by: prompter))
    }
    if let passing { return passing }
    guard let fresh = try await store.openSession(profile: profile, fingerprint: fingerprint, freshness: .alive(at: clock.now()))
    else {
      throw AgentError.unknownSession(profile: profile)
    }
    return fresh.credential
  }

  private func dropSource(before index: Int, _ call: IssueContext) async throws -> Bool {
    let profile: String
    if index > 0 {
      profile = call.plan.steps[index - 1].link.profile
    } else if let own = call.plan.own {
      profile = own.owner
    } else {
      return false
    }
    return try await store.forget(profile: profile, requester: call.requester, trigger: call.request.trigger) > 0
  }

  /// The access keys of a plan that uses them as they are.
  func keys(_ plan: CredentialPlan) async throws -> Credential {
    guard case .keys(let name, _, _) = plan.identity else { throw AgentError.unknownSession(profile: plan.profile) }
    guard let credential = try await store.openAccessKey(name: name) else {
      throw AgentError.noKeyForProfile(profile: plan.profile, key: name)
    }
    return credential
  }
}

/// What the calls of one walk have in common.
struct IssueContext: Sendable {
  let plan: CredentialPlan
  let request: CredentialRequest
  let requester: Requester
  private(set) var prompter: any Prompter
  let store: VaultStore
  let programs: ProgramRunner
  let trust: NetworkTrust
  let clock: any WallClock
  var mayWait = true

  /// The same, for other ears.
  func asked(by prompter: any Prompter) -> IssueContext {
    var call = self
    call.prompter = prompter
    return call
  }

  func event(_ action: AuditAction, profile: String) -> AuditEvent {
    var event = AuditEvent(action: action, outcome: .intent, trigger: request.trigger, profile: profile, requester: requester)
    event.reason = request.reason
    return event
  }

  /// The six digits of an MFA device: from the command line, from the device that the vault itself is, from the profile's command, else
  /// from the person.
  func code(_ device: CredentialPlan.Device) async throws -> SecretBytes {
    let code: SecretBytes
    if let given = request.mfaCode {
      code = given
    } else if let secret = try await store.openMFASecret(serial: device.serial) {
      code = try TOTP.code(secret: secret, at: clock.now())
    } else if let process = device.process {
      code = Self.firstLine(try await run(process, setting: "mfa_process", of: device.owner))
    } else {
      code = try await prompter.ask(.mfaCode(serial: device.serial, profile: plan.profile))
    }
    guard code.count == 6, code.withBytes({ $0.allSatisfy { (48...57).contains($0) } }) else { throw AgentError.badMFACode }
    return code
  }

  /// Runs a program that a profile names.
  func run(_ command: String, setting: String, of profile: String) async throws -> SecretBytes {
    try await programs.run(command, setting: setting, chain: request.chain + [profile], for: prompter)
  }

  /// Lends a code of a device, or none where there is no device. A person who mistyped it is asked again, three times in all.
  func withCode<Result>(_ device: CredentialPlan.Device?, _ body: (SecretBytes?) async throws -> Result) async throws -> Result {
    guard let device else { return try await body(nil) }
    var tries = 1
    while true {
      do {
        return try await body(try await code(device))
      } catch let error as AWSError where error.saysCodeIsWrong && tries < 3 {
        guard try await isTyped(device) else { throw error }
        tries += 1
        prompter.notice("AWS did not take that code; wait for the next one")
      }
    }
  }

  /// Whether the code comes from a person, who may mistype it.
  private func isTyped(_ device: CredentialPlan.Device) async throws -> Bool {
    guard request.mfaCode == nil, device.process == nil else { return false }
    return try await store.openMFASecret(serial: device.serial) == nil
  }

  static func firstLine(_ text: SecretBytes) -> SecretBytes {
    let end = text.withBytes { bytes in bytes.firstIndex { $0 == 10 || $0 == 13 } ?? bytes.count }
    return text.part(0..<end)
  }
}
