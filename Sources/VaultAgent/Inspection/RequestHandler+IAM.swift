import AWSClient
import AWSConfig
import AWSPolicy
import VaultBytes
import VaultModel
import VaultStore
import VaultWire

// The AWS side of a profile.
extension RequestHandler {
  /// The most bytes of a reply, with room for its frame.
  private static let maxReply = maxPayloadBytes - 1_024

  func checkAccount(_ asked: IAMCheckRequest, _ context: RequestContext) async throws -> WireBytes {
    try await ensureUnlocked(context)
    let (own, wait) = try await reader(asked.profile, mfaCode: asked.mfaCode, reason: asked.reason, context)
    defer { broker.issuer.programs.waits.end(wait) }
    let chain = try await chain(of: asked.profile, context)
    guard !AccessNeeds.calls(of: chain).isEmpty else {
      throw Failure(
        "profile \"\(asked.profile)\" assumes no role: there is nothing to check", hint: "check a profile with a role_arn",
        exitStatus: .configuration)
    }
    var other: (AccountInspection.Reader, Int?)?
    // The code is of the profile's own device; another profile asks for its own.
    if let name = asked.reader, name != asked.profile {
      other = try await reader(name, mfaCode: nil, reason: asked.reason, context)
    }
    defer { broker.issuer.programs.waits.end(other?.1) }
    let inspection = AccountInspection(
      issuer: broker.issuer, clients: clients, chain: chain, own: own, other: other?.0)
    var event = AuditEvent(
      action: .readAccount, outcome: .intent, trigger: .manual, profile: asked.reader ?? asked.profile,
      requester: context.requester)
    event.reason = asked.reason
    event.detail = "roles, policies and permission sets, for \(asked.profile)"
    var findings = try await audited(event, in: store) { _ in try await inspection.findings() }
    var text = Finding.json(findings).compact()
    if text.utf8.count > Self.maxReply {
      for index in findings.indices { findings[index].fix = nil }
      text = Finding.json(findings).compact()
    }
    try await store.keepIAMCheck(of: asked.profile, findings: text)
    return WireBytes(text)
  }

  private func chain(of profile: String, _ context: RequestContext) async throws -> CredentialChain {
    try await catalog.resolved(context.environment, prompter: context.prompter, requester: context.requester) {
      try $0.chain(for: profile)
    }
  }

  /// The credentials and endpoints of a profile for calls to IAM.
  ///
  /// - Returns: also what ``ProgramWaits/end(_:)`` takes once the calls are made.
  func reader(_ profile: String, mfaCode: WireBytes?, reason: String?, _ context: RequestContext) async throws -> (
    AccountInspection.Reader, Int?
  ) {
    // IAM refuses a session of access keys without MFA (STS API, `GetSessionToken`).
    var noSession = false
    if let chain = try? await chain(of: profile, context), chain.roles.isEmpty, case .keys(_, _, mfaSerial: nil) = chain.identity
    {
      noSession = true
    }
    let request = try CredentialRequest(
      IssueRequest {
        ($0.profile, $0.noSession) = (profile, noSession)
        ($0.mfaCode, $0.reason) = (mfaCode, reason)
      }, context)
    let (plan, wait) = try await broker.begin(request, requester: context.requester, prompter: context.prompter)
    let issue = IssueContext(
      plan: plan, request: request, requester: context.requester, prompter: context.prompter, store: store,
      programs: broker.issuer.programs, clients: clients, ssoSessions: ssoSessions, clock: clock)
    func endpoint(_ service: AWSConfig.Service) async throws -> EndpointSettings {
      try await catalog.endpoint(of: profile, service, environment: context.environment)
    }
    return (
      AccountInspection.Reader(
        context: issue, sts: try await endpoint(.sts), iam: try await endpoint(.iam), ssoAdmin: try await endpoint(.ssoAdmin),
        identityStore: try await endpoint(.identityStore)), wait
    )
  }
}
