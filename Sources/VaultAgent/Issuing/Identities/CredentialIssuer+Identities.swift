import AWSClient
import Glibc
import VaultModel
import VaultSecrets
import VaultStore

// The first link of a chain: the identity's own temporary credentials, however they come.
extension CredentialIssuer {
  /// - Returns: the credentials, where they have no end and are not kept; else nil.
  func issueIdentity(_ step: CredentialPlan.IdentityStep, _ call: IssueContext) async throws -> Credential? {
    switch call.plan.identity {
    case .keys: step.isFederated ? try await getFederationToken(step, call) : try await getSessionToken(step, call)
    case .sso(_, let account, let role, let place): try await roleCredentials(step, account, role, place, call)
    case .webIdentity(let link, let token): try await webIdentity(step, link, token, call)
    case .saml(let link, let provider, let command): try await saml(step, link, provider, command, call)
    case .process(_, let command): try await process(step, command, call)
    case .container: try await container(step, call)
    case .instance: try await instance(step, call)
    case .environment: try await environment(step, call)
    }
  }

  private func record(_ step: CredentialPlan.IdentityStep, _ kind: SessionKind, role: String? = nil, name: String? = nil)
    -> (IssueResult, AuditEvent) -> SessionRecord
  {
    { minted, event in
      SessionRecord(
        id: Identifier.make("ses"), profile: step.owner, kind: kind, fingerprint: step.fingerprint, roleARN: role,
        roleSessionName: name, sourceIdentity: minted.sourceIdentity, accessKeyId: minted.credential.accessKeyId,
        issuedAt: event.issuedAt ?? clock.now(), expiresAt: event.expiresAt ?? clock.now())
    }
  }

  /// `GetSessionToken`: the temporary form of access keys, for as long as one MFA code can serve.
  private func getSessionToken(_ step: CredentialPlan.IdentityStep, _ call: IssueContext) async throws -> Credential? {
    let keys = try await keys(call.plan)
    // Temporary keys in a file are used as they are: a session gets no session of its own (STS API, `GetSessionToken`).
    guard keys.sessionToken == nil else { return keys }
    return try await call.withCode(step.mfa) { code in try await getSessionToken(step, keys, code, call) }
  }

  private func getSessionToken(
    _ step: CredentialPlan.IdentityStep, _ keys: Credential, _ code: SecretBytes?, _ call: IssueContext
  ) async throws
    -> Credential?
  {
    var event = call.event(.getSessionToken, profile: step.owner)
    event.mfa = step.mfa != nil
    event.durationSeconds = step.duration.seconds
    event.sourceAccessKeyId = keys.accessKeyId
    let (endpoint, route) = try await call.sts(region: step.region, step.endpoint, sending: "calls signed with an access key")
    event.go(to: endpoint, by: route)
    call.prompter.progress("asking STS for a session of \(step.owner) …")
    if step.mfa == nil {
      call.prompter.notice(
        "\(step.owner): AWS refuses IAM's calls to this session, which had no MFA; --no-session gives the key itself")
    }
    return try await log(event) {
      IssueResult(
        try await clients.sts.getSessionToken(
          duration: step.duration, mfa: code.flatMap { code in step.mfa.map { ($0.serial, code) } }, signedBy: keys, at: endpoint,
          via: route))
    } session: {
      record(step, .token)($0, $1)
    }
  }

  /// `GetFederationToken`: what the console takes of access keys. It takes no code, and is good for one way to the console, so that it is
  /// not kept.
  private func getFederationToken(_ step: CredentialPlan.IdentityStep, _ call: IssueContext) async throws -> Credential? {
    let keys = try await keys(call.plan)
    guard keys.sessionToken == nil else { return keys }
    var event = call.event(.getFederationToken, profile: step.owner)
    event.roleSessionName = String(step.sessionName.text.prefix(FederationRequest.maxNameLength))
    event.durationSeconds = step.duration.seconds
    event.sourceAccessKeyId = keys.accessKeyId
    let (endpoint, route) = try await call.sts(region: step.region, step.endpoint, sending: "calls signed with an access key")
    event.go(to: endpoint, by: route)
    call.prompter.progress("asking STS for a session of \(step.owner) for the console …")
    if case .keys(_, _, .some) = call.plan.identity {
      call.prompter.notice("\(step.owner): the console's session of access keys takes no code and has no MFA")
    }
    let parameters = FederationRequest(name: step.sessionName, duration: step.duration)
    return try await log(event, keeps: false) {
      IssueResult(try await clients.sts.getFederationToken(parameters, signedBy: keys, at: endpoint, via: route))
    } session: {
      record(step, .token)($0, $1)
    }
  }

  // MARK: IAM Identity Center

  private func roleCredentials(
    _ step: CredentialPlan.IdentityStep, _ account: String, _ role: String, _ place: SSOSessionConfig, _ call: IssueContext
  ) async throws -> Credential? {
    let asker = SSOSessions.SignInContext(
      requester: call.requester, trigger: call.request.trigger, environment: call.request.environment, prompter: call.prompter)
    let token = try await ssoSessions.token(place, asker)
    do {
      return try await roleCredentials(step, account, role, place, token, call)
    } catch let error as SSOPortalError where error.reason == .signInAgain {
      // Revoked before its time: a refresh token may still be good for another.
      let another = try await ssoSessions.replacement(of: token, place, asker)
      return try await roleCredentials(step, account, role, place, another, call)
    }
  }

  private func roleCredentials(
    _ step: CredentialPlan.IdentityStep, _ account: String, _ role: String, _ place: SSOSessionConfig, _ token: SecretBytes,
    _ call: IssueContext
  ) async throws -> Credential? {
    let endpoint = try ServiceEndpoint(.portal, region: place.region, settings: place.portal)
    var event = call.event(.getRoleCredentials, profile: step.owner)
    event.detail = "\(place.name): account \(account), permission set \(role)"
    let route = try await call.route(to: endpoint, place.portal, sending: "the token of your sign-in to \(place.name)")
    event.go(to: endpoint, by: route)
    call.prompter.progress("asking IAM Identity Center for \(role) in \(account) …")
    return try await log(event) {
      var minted = IssueResult(
        try await clients.portal.getRoleCredentials(
          account: account, role: role, token: token, at: endpoint, via: route))
      minted.credential.accountId = account
      return minted
    } session: {
      record(step, .role)($0, $1)
    }
  }

  // MARK: tokens and assertions

  /// - Parameter sessionName: another one than the plan's.
  private func webIdentity(
    _ step: CredentialPlan.IdentityStep, _ link: RoleLink, _ source: WebIdentityToken, sessionName: RoleSessionName? = nil,
    _ call: IssueContext
  ) async throws -> Credential? {
    let token = try await webIdentityToken(source, of: step.owner, call)
    let name = sessionName ?? step.sessionName
    var event = call.event(.assumeRoleWithWebIdentity, profile: step.owner)
    event.roleARN = link.roleARN.text
    event.roleSessionName = name.text
    event.durationSeconds = step.duration.seconds
    let (endpoint, route) = try await call.sts(region: step.region, step.endpoint, sending: "a web identity token")
    event.go(to: endpoint, by: route)
    call.prompter.progress("asking STS for \(link.roleARN.name) …")
    return try await log(event) {
      IssueResult(
        try await clients.sts.assumeRoleWithWebIdentity(
          FederatedRoleRequest(
            roleARN: link.roleARN, duration: step.duration, policy: link.policy, policyARNs: link.policyARNs),
          sessionName: name, token: token, at: endpoint, via: route))
    } session: {
      record(step, .role, role: link.roleARN.text, name: name.text)($0, $1)
    }
  }

  /// The agent's, which is the person's: what a renewal reads unasked must not depend on who asked last.
  private static var home: String? { getenv("HOME").map { String(cString: $0) } }

  /// The token, anew each time: its file is rewritten by who issues it.
  private func webIdentityToken(_ source: WebIdentityToken, of owner: String, _ call: IssueContext) async throws -> SecretBytes {
    let token: SecretBytes
    let name: String
    switch source {
    case .file(let path):
      token = try SecretFile.read(path, atMost: 32 * 1_024, home: Self.home)
      name = path
    case .process(let command):
      token = try await call.run(command, setting: "web_identity_token_process", of: owner)
      name = "web_identity_token_process"
    case .gitHubActions(let audience):
      let values = try await call.asked(["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
      guard let url = values.text("ACTIONS_ID_TOKEN_REQUEST_URL"), let secret = values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] else {
        throw IdentityError.noGitHubToken
      }
      return try await clients.gitHub.getToken(
        url: url, requestToken: secret, audience: audience, proxies: ProxySettings { call.request.environment[$0] })
    }
    let trimmed = token.trimmed
    guard (4...20_000).contains(trimmed.count), trimmed.withBytes({ $0.allSatisfy { (33...126).contains($0) } }) else {
      throw IdentityError.badToken(source: name)
    }
    return trimmed
  }

  private func saml(
    _ step: CredentialPlan.IdentityStep, _ link: RoleLink, _ provider: String?, _ command: String?, _ call: IssueContext
  )
    async throws -> Credential?
  {
    let text: SecretBytes
    if let command {
      call.prompter.progress("waiting for \(command.prefix { $0 != " " }) …")
      text = try await call.run(command, setting: "saml_process", of: step.owner)
    } else {
      text = try await call.prompter.ask(.assertion(profile: call.plan.profile))
    }
    let assertion = try SAMLAssertion(text.trimmed)
    guard
      let offered = assertion.roles.first(where: {
        $0.roleARN == link.roleARN && (provider == nil || provider == $0.principalARN)
      })
    else {
      throw IdentityError.roleNotOffered(role: link.roleARN.text, offered: assertion.roles.map(\.roleARN.text))
    }
    var event = call.event(.assumeRoleWithSAML, profile: step.owner)
    event.roleARN = link.roleARN.text
    event.roleSessionName = assertion.roleSessionName
    event.durationSeconds = step.duration.seconds
    event.detail = offered.principalARN
    let (endpoint, route) = try await call.sts(region: step.region, step.endpoint, sending: "a SAML assertion")
    event.go(to: endpoint, by: route)
    call.prompter.progress("asking STS for \(link.roleARN.name) …")
    return try await log(event) {
      IssueResult(
        try await clients.sts.assumeRoleWithSAML(
          FederatedRoleRequest(
            roleARN: link.roleARN, duration: step.duration, policy: link.policy, policyARNs: link.policyARNs),
          principalARN: offered.principalARN, assertion: assertion, at: endpoint, via: route))
    } session: {
      record(step, .role, role: link.roleARN.text, name: assertion.roleSessionName)($0, $1)
    }
  }

  // MARK: programs and machines

  private func process(_ step: CredentialPlan.IdentityStep, _ command: String, _ call: IssueContext) async throws -> Credential? {
    let program = (try? ShellWords.split(command).first) ?? "credential_process"
    var event = call.event(.credentialProcess, profile: step.owner)
    event.detail = program
    call.prompter.progress("waiting for \(program) …")
    return try await log(event) {
      let printed = try await call.run(command, setting: "credential_process", of: step.owner)
      return IssueResult(try CredentialProcessAnswer(printed, now: clock.now()).credential)
    } session: {
      record(step, .token)($0, $1)
    }
  }

  private func container(_ step: CredentialPlan.IdentityStep, _ call: IssueContext) async throws -> Credential? {
    let values = try await call.asked([
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    ])
    let place = try ContainerEndpoint(
      relativeURI: values.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
      fullURI: values.text("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
    guard let place else { throw IdentityError.noContainer }
    var authorization = values["AWS_CONTAINER_AUTHORIZATION_TOKEN"].map { ContainerAuthorization.token($0) } ?? .none
    if let path = values.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") { authorization = .file(path) }
    var event = call.event(.containerCredentials, profile: step.owner)
    event.endpoint = place.host
    return try await log(event) { [authorization] in
      IssueResult(try await clients.container.getCredentials(from: place, authorization: authorization))
    } session: {
      record(step, .token)($0, $1)
    }
  }

  private func instance(_ step: CredentialPlan.IdentityStep, _ call: IssueContext) async throws -> Credential? {
    let values = try await call.asked([
      "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_DISABLED",
    ])
    guard values.text("AWS_EC2_METADATA_DISABLED")?.lowercased() != "true" else { throw IdentityError.metadataDisabled }
    let mode = values.text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").flatMap { InstanceMetadataEndpoint.Mode($0) } ?? .ipv4
    let endpoint = try InstanceMetadataEndpoint(url: values.text("AWS_EC2_METADATA_SERVICE_ENDPOINT"), mode: mode)
    var event = call.event(.instanceCredentials, profile: step.owner)
    event.endpoint = endpoint.host
    return try await log(event) {
      IssueResult(try await clients.instance.getCredentials(from: endpoint))
    } session: {
      record(step, .token)($0, $1)
    }
  }

  /// Keys of the asker's environment; a web identity of it, where there are none, as the SDKs have it.
  private func environment(_ step: CredentialPlan.IdentityStep, _ call: IssueContext) async throws -> Credential? {
    let values = try await call.asked(
      [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
      ], isKept: !call.plan.steps.isEmpty)
    if let id = values.text("AWS_ACCESS_KEY_ID"), let secret = values["AWS_SECRET_ACCESS_KEY"] {
      let end = values.text("AWS_CREDENTIAL_EXPIRATION").flatMap { Timestamp(iso8601: $0) }
      guard end.map({ $0 > clock.now() }) ?? true else { throw IdentityError.environmentExpired }
      var event = call.event(.environmentCredentials, profile: step.owner)
      event.accessKeyId = id
      return try await log(event) {
        // Never kept, whatever their end: they are the asker's, and may be others the next time.
        IssueResult(
          Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: values["AWS_SESSION_TOKEN"], expiresAt: nil))
      } session: {
        record(step, .token)($0, $1)
      }
    }
    guard let file = values.text("AWS_WEB_IDENTITY_TOKEN_FILE"), let arn = values.text("AWS_ROLE_ARN").flatMap({ RoleARN($0) })
    else { throw IdentityError.emptyEnvironment }
    let name = values.text("AWS_ROLE_SESSION_NAME").flatMap { RoleSessionName($0) }
    return try await webIdentity(step, RoleLink(profile: step.owner, roleARN: arn), .file(file), sessionName: name, call)
  }
}
