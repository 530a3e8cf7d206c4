import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

// The two calls that mint, each between its intent and its outcome.
extension Minter {
  /// `AssumeRole` for one link.
  func assumeRole(_ index: Int, signedBy source: Credential, _ call: Call) async throws {
    let step = call.plan.steps[index]
    let link = step.link
    if let asked = step.cutFrom {
      call.prompter.notice(
        "\(link.profile): a role assumed from a role lives one hour at most; \(asked.seconds / 60) min were cut to 60")
    }
    // The keys' own session has the code already; any other caller has to give it here.
    let needsCode = link.mfaSerial != nil && !(index == 0 && call.plan.token != nil)
    let code = needsCode ? try await call.code(serial: link.mfaSerial ?? "") : nil
    var event = call.event(.assumeRole, profile: link.profile)
    event.roleARN = link.roleARN.text
    event.roleSessionName = step.sessionName.text
    event.sourceIdentity = link.sourceIdentity
    event.mfa = link.mfaSerial != nil
    event.durationSeconds = step.duration.seconds
    let request = AssumeRoleRequest(link: link, sessionName: step.sessionName, duration: step.duration, tokenCode: code)
    call.prompter.progress("asking STS for \(link.roleARN.name) …")
    try await log(event, source, region: link.region, link.endpoint, call) { endpoint, route in
      try await sts.assumeRole(request, signedBy: source, at: endpoint, via: route)
    } session: { result, event in
      SessionRecord(
        id: Identifier.make("ses"), profile: link.profile, kind: .role, fingerprint: step.fingerprint, roleARN: link.roleARN.text,
        roleSessionName: step.sessionName.text, sourceIdentity: result.sourceIdentity ?? link.sourceIdentity,
        accessKeyId: result.credential.accessKeyId,
        issuedAt: event.issuedAt ?? clock.now(), expiresAt: event.expiresAt ?? clock.now())
    }
  }

  /// `GetSessionToken`: the temporary form of access keys, for as long as one MFA code can serve.
  func mintToken(_ token: Plan.TokenStep, _ call: Call) async throws {
    guard let keys = try await store.openAccessKey(name: token.keyName) else {
      throw AgentError.noKeyForProfile(profile: call.plan.profile, key: token.keyName)
    }
    let code: SecretBytes? = if let serial = token.mfaSerial { try await call.code(serial: serial) } else { nil }
    var event = call.event(.getSessionToken, profile: token.keyName)
    event.mfa = token.mfaSerial != nil
    event.durationSeconds = token.duration.seconds
    call.prompter.progress("asking STS for a session of \(token.keyName) …")
    try await log(event, keys, region: token.region, token.endpoint, call) { endpoint, route in
      try await sts.getSessionToken(
        duration: token.duration, mfa: code.flatMap { code in token.mfaSerial.map { ($0, code) } }, signedBy: keys, at: endpoint,
        via: route)
    } session: { result, event in
      SessionRecord(
        id: Identifier.make("ses"), profile: token.keyName, kind: .token, fingerprint: token.fingerprint, roleARN: nil,
        roleSessionName: nil,
        sourceIdentity: nil, accessKeyId: result.credential.accessKeyId, issuedAt: event.issuedAt ?? clock.now(),
        expiresAt: event.expiresAt ?? clock.now())
    }
  }

  /// Intent, call, outcome. The credentials are kept, and reach anybody, only once the outcome's row has committed.
  private func log(
    _ intent: AuditEvent, _ source: Credential, region: String?, _ settings: EndpointSettings, _ call: Call,
    ask: (STSEndpoint, Route) async throws -> STSResult, session: (STSResult, AuditEvent) -> SessionRecord
  ) async throws {
    let endpoint = try STSEndpoint(region: region ?? call.plan.region, settings: settings)
    let route = Route(proxies: ProxySettings(environment: { call.wish.environment[$0] }), caBundle: settings.caBundle)
    var event = intent
    event.sourceAccessKeyId = source.accessKeyId
    event.endpoint = endpoint.host
    let intentId = try await store.begin(event)
    let result: STSResult
    do {
      result = try await ask(endpoint, route)
    } catch {
      let failure = Failure(error)
      event.outcome = failure.exitStatus == .refused ? .refused : .failure
      event.error = failure.message
      event.requestId = (error as? AWSError)?.requestId
      try await store.fail(intentId, event: event)
      throw error
    }
    event.outcome = .success
    event.requestId = result.requestId
    event.accessKeyId = result.credential.accessKeyId
    event.expiresAt = result.credential.expiresAt
    event.issuedAt = clock.now()
    try await store.complete(intentId, session: session(result, event), credential: result.credential, event: event)
  }
}
