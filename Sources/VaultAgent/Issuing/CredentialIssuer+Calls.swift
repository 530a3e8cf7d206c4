import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

// The call for a role, between its intent and its outcome.
extension CredentialIssuer {
  /// `AssumeRole` for one link.
  func assumeRole(_ index: Int, signedBy source: Credential, _ call: IssueContext) async throws {
    let step = call.plan.steps[index]
    let link = step.link
    let duration = step.duration.limited(chained: source.sessionToken != nil)
    if let asked = step.cutFrom ?? (duration == step.duration ? nil : step.duration) {
      call.prompter.notice(
        "\(link.profile): a role that is assumed with temporary credentials lives one hour at most; "
          + "\(asked.seconds / 60) min were cut to 60")
    }
    // The keys' own session has the code already; any other caller has to give it here, keys that have no session of their own too.
    let hasCode = index == 0 && call.plan.own?.mfa != nil && source.expiresAt != nil
    let device = link.mfaSerial.flatMap { serial in
      hasCode ? nil : CredentialPlan.Device(serial: serial, process: link.mfaProcess, owner: link.profile)
    }
    try await call.withCode(device) { code in
      try await assumeRole(index, for: duration, signedBy: source, code, call)
    }
  }

  private func assumeRole(
    _ index: Int, for duration: SessionDuration, signedBy source: Credential, _ code: SecretBytes?, _ call: IssueContext
  ) async throws {
    let step = call.plan.steps[index]
    let link = step.link
    var event = call.event(.assumeRole, profile: link.profile)
    event.roleARN = link.roleARN.text
    event.roleSessionName = step.sessionName.text
    event.sourceIdentity = link.sourceIdentity
    event.mfa = link.mfaSerial != nil
    event.durationSeconds = duration.seconds
    let parameters = AssumeRoleRequest(link: link, sessionName: step.sessionName, duration: duration, tokenCode: code)
    call.prompter.progress("asking STS for \(link.roleARN.name) …")
    event.sourceAccessKeyId = source.accessKeyId
    let (endpoint, route) = try await call.sts(
      region: link.region, link.endpoint,
      sending: source.sessionToken == nil ? "calls signed with an access key" : "a session's token")
    event.go(to: endpoint, by: route)
    try await log(event) {
      IssueResult(
        try await clients.sts.assumeRole(parameters, signedBy: source, at: endpoint, via: route, mayWait: call.mayWait))
    } session: { minted, event in
      SessionRecord(
        id: Identifier.make("ses"), profile: link.profile, kind: .role, fingerprint: step.fingerprint, roleARN: link.roleARN.text,
        roleSessionName: step.sessionName.text, sourceIdentity: minted.sourceIdentity ?? link.sourceIdentity,
        accessKeyId: minted.credential.accessKeyId, issuedAt: event.issuedAt ?? clock.now(),
        expiresAt: event.expiresAt ?? clock.now())
    }
  }

  /// Intent, call, outcome. The credentials are kept, and reach anybody, only once the outcome's row has committed.
  ///
  /// - Parameters:
  ///   - keeps: whether a session comes of it.
  ///   - session: the session's row; not asked for credentials that are not kept, or have no end.
  /// - Returns: those credentials.
  @discardableResult
  func log(
    _ intent: AuditEvent, keeps: Bool = true, ask: () async throws -> IssueResult,
    session: (IssueResult, AuditEvent) -> SessionRecord
  ) async throws -> Credential? {
    var event = intent
    let intentId = try await store.begin(event)
    var minted: IssueResult
    do {
      minted = try await ask()
      if minted.credential.accountId == nil { minted.credential.accountId = event.roleARN.flatMap { RoleARN($0)?.account } }
    } catch {
      event.fail(error)
      try await store.fail(intentId, event: event)
      throw error
    }
    event.outcome = .success
    event.requestId = minted.requestId
    event.accessKeyId = minted.credential.accessKeyId
    event.expiresAt = minted.credential.expiresAt
    event.issuedAt = clock.now()
    guard keeps, minted.credential.expiresAt != nil else {
      try await store.conclude(intentId, event: event)
      return minted.credential
    }
    try await store.complete(intentId, session: session(minted, event), credential: minted.credential, event: event)
    return nil
  }
}

/// What a call or a program brought.
struct IssueResult: Sendable {
  var credential: Credential
  var requestId: String?
  var sourceIdentity: String?
  /// Whose credentials they are, where that is a role.
  var assumedRoleARN: String?

  init(_ credential: Credential) { self.credential = credential }

  init(_ issued: IssuedCredential) {
    credential = issued.credential
    requestId = issued.requestId
  }

  init(_ result: STSResult) {
    credential = result.credential
    requestId = result.requestId
    sourceIdentity = result.sourceIdentity
    assumedRoleARN = result.assumedRoleARN
  }
}

extension IssueContext {
  /// Where a call to STS goes, and how.
  ///
  /// - Parameter what: what it is signed or proven with, and so sends.
  func sts(region: String?, _ settings: EndpointSettings, sending what: String) async throws -> (STSEndpoint, NetworkSettings) {
    let endpoint = try STSEndpoint(region: region ?? plan.region, settings: settings)
    return (endpoint, try await route(to: endpoint, settings, sending: what))
  }

  func route(to place: some NetworkPlace, _ settings: EndpointSettings, sending what: String) async throws -> NetworkSettings {
    try await trust.route(to: place, settings, sending: what, for: asker)
  }

  var asker: NetworkTrust.Context {
    NetworkTrust.Context(
      requester: requester, trigger: request.trigger, environment: request.environment, prompter: prompter)
  }
}

extension AuditEvent {
  /// Says where a call goes, and how, where the way is not AWS's own.
  mutating func go(to place: some NetworkPlace, by route: NetworkSettings) {
    endpoint = place.address.hostHeader
    let way = [place.address.scheme == "https" ? nil : "by plain http", route.detail].compactMap { $0 }
    guard !way.isEmpty else { return }
    detail = ([detail].compactMap { $0 } + way).joined(separator: "; ")
  }
}
