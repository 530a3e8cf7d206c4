import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

/// The values that the calls for one request share.
struct IssueContext: Sendable {
  let plan: CredentialPlan
  let request: CredentialRequest
  let requester: Requester
  private(set) var prompter: any Prompter
  let store: VaultStore
  let programs: ProgramRunner
  let clients: Clients
  let ssoSessions: SSOSessions
  let clock: any WallClock
  /// When the request began: a session that was taken back since is not stored. Nil for a call of the vault's own.
  var begun: Withdrawals.Moment?
  var mayWait = true

  /// The same context with another prompter.
  func asked(by prompter: any Prompter) -> IssueContext {
    var context = self
    context.prompter = prompter
    return context
  }

  func event(_ action: AuditAction, profile: String) -> AuditEvent {
    var event = AuditEvent(action: action, outcome: .intent, trigger: request.trigger, profile: profile, requester: requester)
    event.reason = request.reason
    return event
  }

  /// The six digits of an MFA device: from the command line, from a device whose secret the vault holds, from the profile's
  /// command, else from the person.
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
    try await programs.run(command, setting: setting, chain: request.chain + [profile], for: prompter, in: requester.automation)
  }

  /// Runs `body` with a code of a device, or with nil if there is no device. A person who mistypes it is asked again, three times
  /// in all.
  func withCode<Result>(_ device: CredentialPlan.Device?, _ body: (SecretBytes?) async throws -> Result) async throws -> Result {
    guard let device else { return try await body(nil) }
    var tries = 1
    while true {
      do {
        return try await body(try await code(device))
      } catch let error as AWSError where error.saysCodeIsWrong && tries < 3 {
        guard try await isTyped(device) else { throw error }
        tries += 1
        prompter.notice("AWS rejected the MFA code; wait for the next one")
      }
    }
  }

  /// Whether a person types the code, and may mistype it.
  private func isTyped(_ device: CredentialPlan.Device) async throws -> Bool {
    guard request.mfaCode == nil, device.process == nil else { return false }
    return try await store.openMFASecret(serial: device.serial) == nil
  }

  static func firstLine(_ text: SecretBytes) -> SecretBytes {
    let end = text.withBytes { bytes in bytes.firstIndex { $0 == 10 || $0 == 13 } ?? bytes.count }
    return text.part(0..<end)
  }

  // MARK: calls

  /// The requester, and their route to AWS.
  var asker: NetworkTrust.Context {
    NetworkTrust.Context(
      requester: requester, trigger: request.trigger, environment: request.environment, prompter: prompter)
  }

  func route(to place: some NetworkPlace, _ settings: EndpointSettings, sending what: String) async throws -> NetworkSettings {
    try await clients.trust.route(to: place, settings, sending: what, for: asker)
  }

  /// The endpoint for a call to STS, and the route to it.
  ///
  /// - Parameter what: the credentials or proof that the call sends.
  func sts(region: String?, _ settings: EndpointSettings, sending what: String) async throws -> (STSEndpoint, NetworkSettings) {
    let endpoint = try STSEndpoint(region: region ?? plan.region, settings: settings)
    return (endpoint, try await route(to: endpoint, settings, sending: what))
  }

  /// A call to STS that issues credentials.
  ///
  /// - Parameters:
  ///   - what: the credentials or proof that the call sends.
  ///   - goal: the aim of the call, as shown to the person.
  ///   - session: see ``issue(_:keeping:_:)``.
  func sts(
    _ intent: AuditEvent, region: String?, _ settings: EndpointSettings, sending what: String, for goal: String,
    keeping session: (kind: SessionKind, fingerprint: String)?, call: (STSEndpoint, NetworkSettings) async throws -> STSResult
  ) async throws -> Credential? {
    var event = intent
    let (endpoint, route) = try await sts(region: region, settings, sending: what)
    event.go(to: endpoint, by: route)
    prompter.progress("asking STS for \(goal) …")
    return try await issue(event, keeping: session) {
      let result = try await call(endpoint, route)
      return (result.credential, result.requestId, result.sourceIdentity)
    }
  }

  /// Intent, call, outcome. The credentials are stored, and leave the agent, only once the outcome's row has committed.
  ///
  /// - Parameter session: how the credentials are stored, for the event's profile and role; nil if they are not stored.
  /// - Returns: credentials that are not stored, such as those without an expiry; else nil.
  func issue(
    _ intent: AuditEvent, keeping session: (kind: SessionKind, fingerprint: String)?, _ call: () async throws -> IssueResult
  ) async throws -> Credential? {
    var intent = intent
    let isDelivered = session?.fingerprint == plan.delivered?.fingerprint
    if isDelivered { intent.scope = request.scope.shown }
    let issued = try await audited(intent, in: store) { event in
      var issued = try await call()
      if issued.credential.accountId == nil { issued.credential.accountId = event.roleARN.flatMap { RoleARN($0)?.account } }
      event.requestId = issued.requestId
      event.accessKeyId = issued.credential.accessKeyId
      event.expiresAt = issued.credential.expiresAt
      event.issuedAt = clock.now()
      return issued
    } keep: { id, issued, event in
      guard let session, let expiresAt = event.expiresAt else { return try await store.conclude(id, event: event) }
      let record = SessionRecord(
        id: Identifier.make("ses"), profile: event.profile ?? plan.profile, kind: session.kind, fingerprint: session.fingerprint,
        roleARN: event.roleARN, roleSessionName: event.roleSessionName,
        sourceIdentity: issued.sourceIdentity ?? event.sourceIdentity, accessKeyId: issued.credential.accessKeyId,
        issuedAt: event.issuedAt ?? clock.now(), expiresAt: expiresAt, scope: event.scope)
      try await store.complete(
        id, session: record, credential: issued.credential, event: event, begun: begun,
        isOwn: plan.isOwn || request.isOwn || !isDelivered)
    }
    return session == nil || issued.credential.expiresAt == nil ? issued.credential : nil
  }
}

/// The result of a call or a program.
typealias IssueResult = (credential: Credential, requestId: String?, sourceIdentity: String?)
