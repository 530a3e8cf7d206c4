import AWSClient
import VaultModel
import VaultSecrets

/// Long-lived access keys: their session, or a federation token for the console.
struct AccessKeys: IdentitySource {
  let name: String
  let accessKeyId: String?
  /// Set if the keys' own session requires a code.
  let mfaSerial: String?

  let action = AuditAction.getSessionToken
  var identifiers: [String?] { ["keys", name, accessKeyId] }
  let acceptsDuration = true
  var keyName: String? { name }

  func plan(_ step: inout CredentialPlan.IdentityStep, for request: IdentityRequest, digest: inout PlanDigest) -> Bool {
    let role = request.role
    step.owner = name
    digest.add(identifiers)
    let serial = role == nil ? mfaSerial : role?.mfaSerial
    guard request.keyUse != .themselves, role == nil || serial != nil else { return false }
    // One working day, so that one code is enough for it.
    step.duration = request.duration ?? .workingDay
    step.isFederated = role == nil && (request.keyUse == .console || !request.scope.isEmpty)
    if step.isFederated {
      let ofRun = request.run.map { RoleSessionName(of: $0, atMost: FederationRequest.maxNameLength) }
      step.sessionName = request.sessionName ?? ofRun ?? step.sessionName
      step.scope = request.scope
      // Console sessions are not stored, so that the scope alone tells the others from one another.
      digest.add("GetFederationToken", step.sessionName.text, String(step.duration.seconds))
      if let scope = request.scope.stored { digest.add("scope", scope, request.chain.endpoint.url) }
      return true
    }
    let process = role == nil ? request.chain.mfaProcess : role?.mfaProcess
    step.mfa = serial.map { .init(serial: $0, process: process, owner: role?.profile ?? request.chain.profile) }
    digest.add("GetSessionToken", serial, request.chain.endpoint.url, request.duration.map { String($0.seconds) })
    return true
  }

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let keys = try await context.plan.keys(in: context.store)
    // Temporary keys in a file are used as they are: a session cannot get its own session (STS API, `GetSessionToken`).
    guard keys.sessionToken == nil else {
      guard step.scope.isEmpty else {
        throw Failure(
          "the keys of \"\(step.owner)\" are temporary, and AWS cannot narrow them",
          hint: "put a role after it: --role ARN --source \(context.plan.profile)", exitStatus: .configuration)
      }
      return keys
    }
    if step.isFederated { return try await getFederationToken(step, signedBy: keys, context) }
    return try await context.withCode(step.mfa) { code in
      var event = context.event(action, profile: step.owner)
      event.mfa = step.mfa != nil
      event.durationSeconds = step.duration.seconds
      event.sourceAccessKeyId = keys.accessKeyId
      return try await context.sts(
        event, region: step.region, step.endpoint, sending: "calls signed with an access key", for: "a session of \(step.owner)",
        keeping: (.token, step.fingerprint)
      ) { endpoint, route in
        if step.mfa == nil {
          context.prompter.notice(
            "\(step.owner): AWS refuses IAM calls from a session without MFA; --no-session uses the key itself")
        }
        return try await context.clients.sts.getSessionToken(
          duration: step.duration, mfa: code.flatMap { code in step.mfa.map { ($0.serial, code) } }, signedBy: keys, at: endpoint,
          via: route)
      }
    }
  }

  /// `GetFederationToken`: the credentials that the console accepts for access keys, and the only narrower ones. It takes no code. The
  /// console's are used for one visit, and not stored.
  private func getFederationToken(_ step: CredentialPlan.IdentityStep, signedBy keys: Credential, _ context: IssueContext)
    async throws
    -> Credential?
  {
    var event = context.event(.getFederationToken, profile: step.owner)
    event.roleSessionName = String(step.sessionName.text.prefix(FederationRequest.maxNameLength))
    event.durationSeconds = step.duration.seconds
    event.sourceAccessKeyId = keys.accessKeyId
    event.scope = context.request.scope.shown
    let isForConsole = context.request.keyUse == .console
    return try await context.sts(
      event, region: step.region, step.endpoint, sending: "calls signed with an access key",
      for: "a session of \(step.owner)" + (isForConsole ? " for the console" : ""),
      keeping: isForConsole ? nil : (.token, step.fingerprint)
    ) { endpoint, route in
      if mfaSerial != nil {
        context.prompter.notice(
          "\(step.owner): a \(isForConsole ? "console" : "narrowed") session of an access key has no MFA; the MFA code is not used"
        )
      }
      return try await context.clients.sts.getFederationToken(
        FederationRequest(
          name: step.sessionName, duration: step.duration, scope: step.scope,
          partition: Partition(region: step.region ?? context.plan.region ?? Partition.aws.globalRegion)),
        signedBy: keys, at: endpoint, via: route)
    }
  }
}
