import AWSClient
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

// Signing in to and out of IAM Identity Center, and the roles that a sign-in offers.
extension RequestHandler {
  func login(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let place = try await place(message, requester, prompter)
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let flow = SignInFlow(rawValue: message.text(.flow) ?? "") ?? .device
    let context = context(message, requester, prompter)
    let home = message.text(.homeDirectory)
    let record: SignInRecord
    if message.has(.adopt) {
      guard let home else { throw AgentError.noHome }
      record = try await ssoSessions.adopt(place, home: home, context)
    } else {
      record = try await ssoSessions.signIn(place, flow: flow, context)
    }
    if message.has(.share) {
      guard let home else { throw AgentError.noHome }
      try await ssoSessions.share(place.name, home: home, requester: requester)
    }
    notifier.forget()
    broker.endpoint.endPauses()
    await scheduler.resume()
    // Not awaited: it ends by itself.
    Task(executorPreference: AgentExecutor.current) { await broker.wakeLeases() }
    let reply = ReplyBuilder(.done)
    reply.add(.name, record.name)
    reply.add(.expiration, record.expiresAt.iso8601)
    if record.isRenewable { reply.add(.item, "renewable\tyes") }
    return reply
  }

  func logout(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let context = context(message, requester, prompter)
    // A person can sign out even if the config no longer names the sign-in.
    let known = try await store.signIns().map(\.name)
    if message.has(.all) { return ReplyBuilder(.done, count: try await signOut(known, context)) }
    guard let asked = message.text(.name) else {
      guard known.count <= 1 else { throw AgentError.whichSignIn(names: known) }
      return ReplyBuilder(.done, count: try await signOut(known, context))
    }
    let name = known.contains(asked) ? asked : try await place(message, requester, prompter).name
    return ReplyBuilder(.done, count: try await signOut([name], context))
  }

  /// - Returns: the number of sign-ins.
  private func signOut(_ names: [String], _ context: NetworkTrust.Context) async throws -> Int {
    var count = 0
    for name in names.sorted() {
      let place = try? await catalog.signInPlace(
        named: name, environment: context.environment, context.prompter, context.requester)
      if try await ssoSessions.signOut(name, context, place: place) { count += 1 }
      await broker.takeBack()
    }
    return count
  }

  /// Sends every account and permission set of the sign-in, as they are found.
  func discover(_ connection: ClientConnection, _ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws
    -> ReplyBuilder
  {
    let place = try await place(message, requester, prompter)
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let context = context(message, requester, prompter)
    func signedIn(_ token: () async throws -> SecretBytes) async throws -> SecretBytes {
      do { return try await token() } catch SignInError.needed where message.has(.flow) {
        _ = try await ssoSessions.signIn(place, flow: SignInFlow(rawValue: message.text(.flow) ?? "") ?? .device, context)
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
      let entry = MessageWriter(.entry)
      entry.add(.accountId, found.account.id)
      entry.add(.accountName, found.account.name ?? "")
      entry.add(.email, found.account.email ?? "")
      for role in found.roles { entry.add(.item, role) }
      try connection.send(try entry.frame())
    }
    let reply = ReplyBuilder(.done)
    reply.add(.name, place.name)
    reply.add(.region, place.region)
    reply.add(.item, "startUrl\t\(place.startURL)")
    reply.add(.item, "session\t\(place.isSession ? "yes" : "no")")
    return reply
  }

  /// Sends every role that a SAML assertion offers.
  func samlRoles(_ connection: ClientConnection, _ message: Message, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let text: SecretBytes
    if let command = message.text(.text) {
      text = try await ProgramRunner().run(command, setting: "saml_process", for: prompter)
    } else {
      text = try await prompter.ask(.assertion(profile: "the list of roles"))
    }
    for role in try SAMLAssertion(text.trimmed).roles {
      let entry = MessageWriter(.entry)
      entry.add(.accountId, role.roleARN.account)
      entry.add(.item, role.roleARN.text)
      entry.add(.text, role.principalARN)
      try connection.send(try entry.frame())
    }
    return ReplyBuilder(.done)
  }

  private func context(_ message: Message, _ requester: Requester, _ prompter: any Prompter) -> NetworkTrust.Context {
    NetworkTrust.Context(
      requester: requester, trigger: .manual, environment: CredentialRequest.environment(of: message), prompter: prompter)
  }

  private func place(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> SSOSessionConfig {
    try await catalog.observeChanges(prompter, requester)
    let environment = CredentialRequest.environment(of: message)
    func find() async throws -> SSOSessionConfig {
      guard let name = message.text(.name) else {
        return try await catalog.onlySignInPlace(environment: environment, prompter, requester)
      }
      return try await catalog.signInPlace(named: name, environment: environment, prompter, requester)
    }
    do { return try await find() } catch StoreError.locked {
      try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
      return try await find()
    }
  }
}
