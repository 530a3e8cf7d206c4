import AWSClient
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// Signing in to and out of IAM Identity Center, and the roles that a sign-in offers.
extension RequestHandler {
  func login(_ request: LoginRequest, _ context: RequestContext) async throws -> SignedIn {
    do { return try await signIn(request, context) } catch {
      if request.isFirst, let name = request.name {
        // Not a part of this task, which is cancelled if the person leaves.
        await Task(executorPreference: AgentExecutor.current) { _ = try? await removeSignIn(name, context) }.value
      }
      throw error
    }
  }

  private func signIn(_ request: LoginRequest, _ context: RequestContext) async throws -> SignedIn {
    let place = try await place(request.name, context)
    try await ensureUnlocked(context)
    let record: SignInRecord
    if request.adopt {
      guard let home = request.home else { throw AgentError.noHome }
      record = try await ssoSessions.adopt(place, home: home, context.network)
    } else {
      record = try await ssoSessions.signIn(place, flow: request.flow, context.network)
    }
    if request.share {
      guard let home = request.home else { throw AgentError.noHome }
      try await ssoSessions.share(place.name, home: home, requester: context.requester)
    }
    notifier.forget()
    broker.endpoint.endPauses()
    await scheduler.resume()
    // Not awaited: it ends by itself.
    Task(executorPreference: AgentExecutor.current) { await broker.wakeLeases() }
    return SignedIn { ($0.name, $0.expiration, $0.isRenewable) = (record.name, record.expiresAt, record.isRenewable) }
  }

  func logout(_ request: LogoutRequest, _ context: RequestContext) async throws -> Int {
    try await ensureUnlocked(context)
    // A person can sign out even if the config no longer names the sign-in.
    let known = try await store.signIns().map(\.name)
    guard !request.all, let asked = request.name else {
      guard request.all || known.count <= 1 else { throw AgentError.whichSignIn(names: known) }
      return try await signOut(known, context.network)
    }
    let name = known.contains(asked) ? asked : try await place(asked, context).name
    return try await signOut([name], context.network)
  }

  /// - Returns: the number of sign-ins.
  private func signOut(_ names: [String], _ context: NetworkTrust.Context) async throws -> Int {
    var count = 0
    for name in names.sorted() {
      let place = try? await catalog.signInPlace(
        named: name, environment: context.environment, context.prompter, context.requester)
      if try await ssoSessions.signOut(name, context, place: place) { count += 1 }
      await broker.withdraw()
    }
    return count
  }

  /// Sends every account and permission set of the sign-in, as they are found.
  func discover(_ request: DiscoverRequest, _ asker: RequestContext) async throws -> DiscoveredPlace {
    let place = try await place(request.name, asker)
    try await ensureUnlocked(asker)
    let (prompter, context) = (asker.prompter, asker.network)
    func signedIn(_ token: () async throws -> SecretBytes) async throws -> SecretBytes {
      do { return try await token() } catch SignInError.needed {
        _ = try await ssoSessions.signIn(place, flow: request.flow, context)
        return try await ssoSessions.token(place, context)
      }
    }
    let endpoint = try ServiceEndpoint(.portal, region: place.region, settings: place.portal)
    var discovery = AccountDiscovery(
      portal: clients.portal, clock: clock, token: try await signedIn { try await ssoSessions.token(place, context) },
      endpoint: endpoint, route: try await context.route(to: endpoint, place.portal, by: clients.trust))
    let accounts: [SSOAccount]
    do {
      accounts = try await discovery.accounts(prompter)
    } catch let error as SSOPortalError where error.reason == .signInAgain {
      let token = discovery.token
      discovery.token = try await signedIn { try await ssoSessions.replacement(of: token, place, context) }
      accounts = try await discovery.accounts(prompter)
    }
    try await discovery.run(accounts, prompter) { found in
      let entry = AccountEntry {
        ($0.id, $0.name, $0.email, $0.roles) = (found.account.id, found.account.name, found.account.email, found.roles)
      }
      try await asker.connection.send(entry: entry, clock)
    }
    return DiscoveredPlace {
      ($0.name, $0.region, $0.startURL, $0.isSession) = (place.name, place.region, "\(place.startURL)", place.isSession)
    }
  }

  /// Makes an `sso-session` for a start URL. A vanity URL is resolved before anything is made.
  func addSignIn(_ request: AddSignInRequest, _ context: RequestContext) async throws -> AddedSignIn {
    guard let typed = StartURL(request.url) else { throw StartURLError.invalid }
    if let region = request.region, !Partition.isRegionName(region) {
      throw AgentError.badRequest("sso_region: \"\(region)\" is not the name of a region")
    }
    let start = try await ssoSessions.resolved(typed, context.network)
    if let asked = request.region, let region = start.region, asked != region {
      throw StartURLError.otherRegion(url: start.text, region: region)
    }
    try await ensureUnlocked(context)
    let wanted = ProfileCatalog.WantedSignIn(
      url: start, region: request.region ?? start.region, scopes: request.scopes, name: request.name, usualName: typed.name)
    return try await catalog.addSignIn(wanted, prompter: context.prompter, requester: context.requester)
  }

  /// Removes a vault-managed `sso-session`, after a sign-out.
  func removeSignIn(_ name: String, _ context: RequestContext) async throws -> Done {
    try await catalog.requireUnused(signIn: name)
    _ = try await signOut([name], context.network)
    try await catalog.removeSignIn(name, requester: context.requester)
    return Done()
  }

  /// Every role that a SAML assertion offers.
  func samlRoles(_ request: SAMLRolesRequest, _ context: RequestContext) async throws -> [OfferedRole] {
    let text: SecretBytes
    if let command = request.command {
      text = try await broker.issuer.programs.run(command, setting: "saml_process", for: context.prompter)
    } else {
      text = try await context.prompter.ask(.assertion(profile: "the list of roles"))
    }
    return try SAMLAssertion(text.trimmed).roles.map { role in
      OfferedRole { ($0.account, $0.role, $0.provider) = (role.roleARN.account, role.roleARN.text, role.principalARN) }
    }
  }

  private func place(_ name: String?, _ context: RequestContext) async throws -> SSOSessionConfig {
    try await catalog.observeChanges(context.prompter, context.requester)
    func find() async throws -> SSOSessionConfig {
      guard let name else {
        return try await catalog.onlySignInPlace(environment: context.environment, context.prompter, context.requester)
      }
      return try await catalog.signInPlace(
        named: name, environment: context.environment, context.prompter, context.requester)
    }
    do { return try await find() } catch StoreError.locked {
      try await ensureUnlocked(context)
      return try await find()
    }
  }
}

extension RequestContext {
  var network: NetworkTrust.Context {
    NetworkTrust.Context(requester: requester, trigger: .manual, environment: environment, prompter: prompter)
  }
}
