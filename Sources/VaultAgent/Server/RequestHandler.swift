import AWSClient
import Glibc
import VaultAudit
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// Answers clients: one request, one response, with notices and prompts in between.
struct RequestHandler: Sendable {
  let store: VaultStore
  let broker: Broker
  let catalog: ProfileCatalog
  let masterKeys: MasterKeyService
  let ssoSessions: SSOSessions
  let clients: Clients
  let clock: any WallClock
  let scheduler: Scheduler
  let notifier: Notifier
  let redirect: OneTimeRedirect
  let settings: LiveSettings
  let exporters: AuditExporters
  let autoLock: AutoLock
  let inspector: PeerInspector
  let trees: AutomationTrees
  let approvals: Approvals
  let session: PersonSession
  let paths: VaultPaths
  /// The vault that this agent serves, as of its start.
  let identity: String
  let startedAt: Timestamp
  /// Set if the agent ends with its programs.
  let exitWithLastProgram: ExitWithLastProgram?
  /// Ends the agent, after the response has been sent.
  let stop: @Sendable (Requester) -> Void

  /// Handles one request to its end. Never throws: errors are reported to the client.
  func handle(_ connection: ClientConnection, _ message: Message) async {
    var stopper: Requester?
    let asker = PeerProcess(connection)
    let client = Result { () throws(WireError) in try message.context() }
    let ancestry = Ancestry(of: asker.pid)
    let said = try? client.get()
    let tree = trees.tree(ancestry, marker: said?.run, variable: said?.agentVariable)
    var requester = inspector.requester(asker, uid: connection.uid, ancestry: ancestry, commandIndex: said?.commandIndex)
    if let tree, tree.isHint { requester.hint = tree.run.name } else { requester.automation = tree?.run }
    let pending = message.kind?.handsOut == true ? PendingRequest(requester, isAsked: true) : nil
    if let pending { store.withdrawals.begin(pending) }
    defer { if let pending { store.withdrawals.end(pending) } }
    do {
      if let fault = asker.fault { throw await refuse(message, requester: requester, fault: fault) }
      let context = RequestContext(try client.get(), requester: requester, tree: tree, connection: connection)
      let frame = try await PendingRequest.$current.withValue(pending) { try await answer(message, context) }
      // Nothing runs between this check and the response.
      if let fault = asker.fault { throw await refuse(message, requester: requester, fault: fault) }
      try pending?.require()
      try connection.send(frame)
      if message.kind == .stop { stopper = requester }
    } catch {
      if let frame = try? Failure(error).frame() { try? connection.send(frame) }
    }
    if let stopper { stop(stopper) }
  }

  /// Logs a request that must not be answered.
  private func refuse(_ message: Message, requester: Requester, fault: PeerProcess.Fault) async -> AgentError {
    var who = requester
    if case .sender(let pid) = fault { who = inspector.stranger(pid, uid: requester.uid) }
    await logRefusal(message, requester: who, why: fault.text)
    return .unprovenPeer(why: fault.text)
  }

  func logRefusal(_ message: Message, requester: Requester, why: String) async {
    let issue: IssueRequest? =
      switch message.kind {
      case .credential: try? message.request()
      case .automation: (try? message.request() as AutomationRequest)?.credentials
      case .console: (try? message.request() as ConsoleRequest)?.credentials
      case .denial: (try? message.request() as DenialRequest)?.credentials
      default: nil
      }
    var event = AuditEvent(
      action: .requestRefused, outcome: .refused, trigger: issue?.trigger ?? .manual,
      profile: issue.map { String($0.profile.prefix(200)) }, requester: requester)
    event.detail = why
    AgentLog.write("a request was refused: \(why)")
    do { try await store.record(event) } catch { AgentLog.write("the refusal could not be logged: \(Failure(error).message)") }
  }

  private func answer(_ message: Message, _ context: RequestContext) async throws -> WireBuffer {
    /// Reads the request, and writes the reply.
    func reply<Asked: Request & WireFields>(_ work: (Asked, RequestContext) async throws -> Asked.Reply) async throws
      -> WireBuffer
    {
      try .frame(.done, try await work(try message.request(), context))
    }
    func reply<Argument: FieldValue>(argument work: (Argument, RequestContext) async throws -> some FieldValue) async throws
      -> WireBuffer
    { try .frame(.done, try await work(try message.request(), context)) }
    func reply(_ work: (RequestContext) async throws -> some FieldValue) async throws -> WireBuffer {
      let _: Done = try message.request()
      return try .frame(.done, try await work(context))
    }
    try requireVault(context.client)
    try await requireOpenness(message, context)
    // The desktop of a process that acts by itself would not be the person's.
    if context.tree == nil { session.update(context.client.session) }
    // A client of any version may request the agent's state, and stop it.
    if message.kind == .stop { return try .frame(.done, Done()) }
    if message.kind == .status { return try .frame(.done, await status()) }
    guard message.version == protocolVersion else {
      throw AgentError.otherVersion(client: message.version, agent: protocolVersion)
    }
    if message.kind == .automationEnd { return try .frame(.done, try await endAutomation(context)) }
    autoLock.recordUse()
    return try await CurrentPrompter.$environment.withValue(context.environment) {
      switch message.kind {
      case .credential: try await reply(credential)
      case .importFiles: try await reply(importFiles)
      case .refresh: try await reply(refresh)
      case .putProfiles: try await reply(argument: putProfiles)
      case .removeProfile: try await reply(argument: removeProfile)
      case .addAccessKey: try await reply(addAccessKey)
      case .removeAccessKey: try await reply(argument: removeAccessKey)
      case .rotateAccessKey: try await reply(rotateAccessKey)
      case .rotate: try await reply(rotate)
      case .forget: try await reply(forget)
      case .release: try await reply(release)
      case .automation: try await reply(beginAutomation)
      case .revoke: try await reply(revoke)
      case .revokeInAWS: try await reply(revokeInAWS)
      case .console: try await reply(console)
      case .denial: try await reply(denial)
      case .login: try await reply(login)
      case .logout: try await reply(logout)
      case .discover: try await reply(discover)
      case .samlRoles: try await reply(samlRoles)
      case .addSignIn: try await reply(addSignIn)
      case .lock: try await reply(lock)
      case .unlock: try await reply(unlock)
      case .keyRotate: try await reply(rotateKey)
      case .keyCopy: try await reply(copyKey)
      case .takeKeys: try await reply(takeKeys)
      case .linkFile: try await reply(linkFile)
      case .unlinkFile: try await reply(unlinkFile)
      case .linkProfiles: try await reply(linkProfiles)
      case .auditCheckpoint: try await reply(argument: auditCheckpoint)
      case .auditAccept: try await reply(auditAccept)
      case .auditKey: try await reply(auditKey)
      case .auditArchive: try await reply(auditArchive)
      case .settings: try await reply(reloadSettings)
      case .iamCheck: try await reply(checkAccount)
      case .takeOver: try await reply(takeOver)
      case .approvals: try await reply(waitingApprovals)
      case .approve: try await reply(approve)
      default: throw AgentError.unknownRequest
      }
    }
  }

  /// Another home or another `XDG_DATA_HOME` means another vault, and both may lead to this agent's socket. A client of another
  /// version does not name its vault.
  private func requireVault(_ client: ClientContext) throws(AgentError) {
    guard !client.vaultPath.isEmpty, client.vaultIdentity != identity,
      // A client that starts the first agent of a vault had no folder yet when it asked.
      !(client.vaultIdentity.isEmpty && client.vaultPath == paths.dataDirectory)
    else { return }
    throw .otherVault(asked: client.vaultPath, own: paths.dataDirectory)
  }

  // MARK: credentials

  func credential(_ request: IssueRequest, _ context: RequestContext) async throws -> IssuedReply {
    var requester = context.requester
    if let pid = request.shell {
      guard request.server, let shell = Int32(exactly: pid).flatMap({ inspector.shell($0, of: requester) }) else {
        throw AgentError.notInShell(pid: pid)
      }
      if let run = requester.automation {
        guard trees.tree(of: shell.pid)?.run == run else { throw AgentError.notInShell(pid: pid) }
      }
      requester = shell
      (requester.automation, requester.hint) = (context.requester.automation, context.requester.hint)
    }
    if request.server {
      try PeerReach.require(requester, folder: request.tokenFile ? paths.runtimeDirectory : nil)
    }
    let issued = try await broker.issue(
      try CredentialRequest(request, context), to: requester, prompter: context.prompter)
    do { try issued.permit.require(for: request.profile) } catch {
      if let lease = issued.lease { await broker.closeLease(lease.id) }
      throw error
    }
    exitWithLastProgram?.began(requester.pid)
    return IssuedReply { reply in
      if let lease = issued.lease {
        reply.endpoint = lease.url
        reply.tokenFile = lease.tokenFile
        if lease.tokenFile == nil { reply.endpointToken = WireBytes(lease.token) }
      } else {
        reply.accessKeyId = issued.credential.accessKeyId
        reply.secretAccessKey = WireBytes(issued.credential.secretAccessKey)
        reply.sessionToken = issued.credential.sessionToken.map { WireBytes($0) }
        reply.expiration = issued.credential.expiresAt
        reply.accountId = issued.credential.accountId
      }
      reply.region = issued.region
      reply.sessionId = issued.session?.record.id
    }
  }

  private func release(_ request: ReleaseRequest, _ context: RequestContext) async throws -> Int {
    await broker.endLease(of: SecretBytes(request.token)) ? 1 : 0
  }

  private func rotate(_ request: RotateRequest, _ context: RequestContext) async throws -> [RotatedSession] {
    let asked = IssueRequest {
      $0.profile = request.profile ?? "*"
      $0.mfaCode = request.mfaCode
      $0.reason = request.reason
    }
    return try await broker.rotate(
      try CredentialRequest(asked, context), all: request.profile == nil, requester: context.requester,
      prompter: context.prompter)
  }

  private func forget(_ request: ForgetRequest, _ context: RequestContext) async throws -> Int {
    guard request.profile != nil || request.all else { throw AgentError.badRequest("missing profile") }
    if let profile = request.profile { try await catalog.requireProfile(profile) }
    let count = try await store.forget(
      profile: request.all ? nil : request.profile, requester: context.requester, trigger: .manual, evenUnderWay: true)
    // The environments that requesters have sent may contain credentials.
    if request.all { broker.issuer.programs.environments.forget() }
    await broker.withdraw()
    return count
  }

  // MARK: profiles and keys

  private func importFiles(_ request: ImportRequest, _ context: RequestContext) async throws -> ImportOutcome {
    var reply = try await catalog.importFiles(request, requester: context.requester, prompter: context.prompter)
    reply.warnings = Array(reply.warnings.prefix(100))
    return reply
  }

  private func refresh(_ context: RequestContext) async throws -> Done {
    try await catalog.observeChanges(context.prompter, context.requester)
    return Done()
  }

  private func putProfiles(_ changes: [ProfileChange], _ context: RequestContext) async throws -> Done {
    guard !changes.isEmpty else { throw AgentError.badRequest("missing profile") }
    try await ensureUnlocked(context)
    try await catalog.put(changes, requester: context.requester, prompter: context.prompter)
    return Done()
  }

  private func removeProfile(_ profile: String, _ context: RequestContext) async throws -> Done {
    try await ensureUnlocked(context)
    if try await catalog.isOwnSignIn(profile) { return try await removeSignIn(profile, context) }
    try await catalog.remove(profile, requester: context.requester)
    await broker.withdraw()
    for link in try await store.credentialsLinks() where link.profile == profile {
      try await broker.unlink(link, requester: context.requester)
    }
    return Done()
  }

  private func addAccessKey(_ request: AddAccessKeyRequest, _ context: RequestContext) async throws -> Done {
    let credential = Credential(
      accessKeyId: request.accessKeyId, secretAccessKey: SecretBytes(request.secretAccessKey), sessionToken: nil, expiresAt: nil)
    try await ensureUnlocked(context)
    let device = try request.mfaSecret.map { try TOTP.secret(base32: SecretBytes($0)) }
    guard device == nil || request.mfaSerial != nil else {
      throw AgentError.badRequest("missing serial number of the MFA device")
    }
    try await catalog.addAccessKey(
      request.name, credential, mfaSerial: request.mfaSerial, replace: request.replace, requester: context.requester)
    if let device, let serial = request.mfaSerial {
      try await store.putMFASecret(device, serial: serial, requester: context.requester)
    }
    return Done()
  }

  private func rotateAccessKey(_ asked: RotateAccessKeyRequest, _ context: RequestContext) async throws -> RotatedAccessKey {
    try await ensureUnlocked(context)
    let keys = try await store.accessKeys()
    guard keys.contains(where: { $0.name == asked.name }) else {
      throw AgentError.unknownKey(name: asked.name, suggestion: Suggestion.nearest(to: asked.name, in: keys.map(\.name)))
    }
    let request = try CredentialRequest(
      IssueRequest {
        $0.profile = asked.name
        $0.mfaCode = asked.mfaCode
        $0.reason = asked.reason
      }, context)
    let (chain, iam) = try await catalog.keyPlace(
      asked.name, environment: context.environment, prompter: context.prompter, requester: context.requester)
    let plan = CredentialPlan(
      chain, duration: nil, sessionName: nil, defaultSessionName: RoleSessionName(cleaning: context.requester.user))
    let call = IssueContext(
      plan: plan, request: request, requester: context.requester, prompter: context.prompter, store: store,
      programs: broker.issuer.programs, clients: clients, ssoSessions: ssoSessions, clock: clock)
    let place = AccessKeyRotation.Place(iam: iam, sts: chain.endpoint, region: chain.region)
    let rotated = try await AccessKeyRotation(store: store, clients: clients, clock: clock).rotate(asked.name, at: place, call)
    try await catalog.keyChanged(asked.name, accessKeyId: rotated.new, requester: context.requester)
    return RotatedAccessKey { ($0.old, $0.new) = rotated }
  }

  private func removeAccessKey(_ name: String, _ context: RequestContext) async throws -> Done {
    try await ensureUnlocked(context)
    try await catalog.removeAccessKey(name, requester: context.requester)
    await broker.withdraw()
    return Done()
  }

  // MARK: the vault itself

  func ensureUnlocked(_ context: RequestContext) async throws {
    try await masterKeys.ensureUnlocked(for: context.prompter, requester: context.requester)
  }

  private func lock(_ context: RequestContext) async throws -> Done {
    // The key is forgotten first: running work then has none, and writes nothing to a file that was already cleared.
    let result: Result<Void, any Error>
    do {
      result = .success(try await masterKeys.lock(requester: context.requester, trigger: .manual))
    } catch {
      result = .failure(error)
    }
    await approvals.forget()
    await broker.sleepLeases()
    await broker.clearFiles()
    try result.get()
    return Done()
  }

  private func unlock(_ context: RequestContext) async throws -> Done {
    try await masterKeys.unlock(for: context.prompter, requester: context.requester, trigger: .manual)
    notifier.forget()
    await scheduler.resume()
    return Done()
  }

  private func reloadSettings(_ context: RequestContext) async throws -> Done {
    try await settings.reload(requester: context.requester, trigger: .manual)
    return Done()
  }

  private func status() async -> AgentStatus {
    var reply = AgentStatus()
    reply.version = vaultVersion
    reply.protocolVersion = Int(protocolVersion)
    reply.pid = Int(getpid())
    reply.started = startedAt
    reply.vaultId = store.vaultId
    reply.memoryFault = MemoryLock.fault
    reply.isUnlocked = await store.isUnlocked
    if let next = await autoLock.next() { (reply.locksAt, reply.lockCause) = (next.at, next.cause) }
    for exporter in await exporters.states {
      reply.exporters.append(ExporterStatus { ($0.name, $0.state) = (exporter.name, exporter.state) })
    }
    return reply
  }
}

// The AWS console, signed in as a profile.
extension RequestHandler {
  func console(_ asked: ConsoleRequest, _ context: RequestContext) async throws -> WireBytes {
    let (requester, prompter) = (context.requester, context.prompter)
    let request = try CredentialRequest(asked.credentials, context, isForConsole: true)
    let issued = try await broker.issue(request, to: requester, prompter: prompter)
    let settings = try await catalog.endpoint(of: request.profile, .signin, environment: request.environment)
    let hosts = try ConsoleHosts(region: issued.region, settings: settings)
    let route = try await clients.trust.route(
      to: hosts, settings, sending: "the credentials of the session",
      for: NetworkTrust.Context(requester: requester, trigger: .console, environment: request.environment, prompter: prompter))
    prompter.progress("asking AWS to sign in to the console …")
    var event = AuditEvent(
      action: .getSigninToken, outcome: .intent, trigger: .console, profile: request.profile, requester: requester)
    event.sourceAccessKeyId = issued.credential.accessKeyId
    event.sessionId = issued.session?.record.id
    event.go(to: hosts, by: route)
    // No duration of the console session is requested: AWS refuses one for a chained role, and the session ends with the
    // credentials.
    let token = try await audited(event, in: store) { _ in
      try await clients.signIn.getSigninToken(issued.credential, at: hosts, via: route)
    }
    // AWS took its time.
    try issued.permit.require(for: request.profile)
    let page = hosts.page(asked.service.map { "/\($0)/home" } ?? "/console/home", region: issued.region)
    let url = SignInClient.loginURL(token: token, issuer: nil, destination: page, at: hosts)
    return asked.once ? WireBytes(try redirect.open(url) { issued.permit.isValid }) : WireBytes(url)
  }
}

// Credentials files that are kept fresh.
extension RequestHandler {
  func linkFile(_ request: LinkFileRequest, _ context: RequestContext) async throws -> Done {
    guard request.file.hasPrefix("/"), !request.section.isEmpty,
      request.section.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x5B && $0 != 0x5D && $0 < 0x7F })
    else { throw AgentError.badRequest("missing file or section of the link") }
    try await catalog.requireProfile(request.profile)
    let asked = IssueRequest { ($0.profile, $0.trigger, $0.scope) = (request.profile, .credentials, request.scope) }
    try await broker.link(
      CredentialsLink(
        path: request.file, section: request.section, profile: request.profile, scope: request.scope ?? .none),
      try CredentialRequest(asked, context), requester: context.requester, prompter: context.prompter)
    return Done()
  }

  func unlinkFile(_ request: UnlinkFileRequest, _ context: RequestContext) async throws -> [String] {
    try await ensureUnlocked(context)
    let links = try await store.credentialsLinks().filter {
      $0.path == request.file && (request.name == nil || request.name == $0.profile || request.name == $0.section)
    }
    for link in links { try await broker.unlink(link, requester: context.requester) }
    return links.map(\.section)
  }

  /// The client writes the file, which is the person's and not the vault's; this records that first.
  func linkProfiles(_ request: LinkProfilesRequest, _ context: RequestContext) async throws -> [String] {
    let isLinked = !request.unlink
    guard !request.names.isEmpty else { throw AgentError.badRequest("missing name of the profile to link") }
    for name in request.names where isLinked { try await catalog.requireProfile(name) }
    try await store.record(
      request.names.map { name in
        var event = AuditEvent(
          action: isLinked ? .profilesLinked : .profilesUnlinked, outcome: .success, trigger: .manual,
          profile: isLinked ? name : nil, requester: context.requester)
        event.detail = isLinked ? "in \(request.file)" : "[\(name)] in \(request.file)"
        return event
      })
    var regions: [String] = []
    for name in request.names where isLinked {
      regions.append((try? await catalog.region(of: name, context.environment)) ?? "")
    }
    return regions
  }
}

// Requests about the master key.
extension RequestHandler {
  func rotateKey(_ context: RequestContext) async throws -> RotatedKey {
    let (id, rows) = try await masterKeys.rotate(for: context.prompter, requester: context.requester)
    return RotatedKey { ($0.keyId, $0.count) = (id.description, rows) }
  }

  /// Backs the key up, or restores it.
  func copyKey(_ request: KeyCopyRequest, _ context: RequestContext) async throws -> KeyCopy {
    guard request.file.hasPrefix("/"), !request.file.hasSuffix("/") else {
      throw AgentError.badRequest("missing file of the backup")
    }
    let passphrase = MasterKeyService.BackupPassphrase(file: request.passphraseFile, prompter: context.prompter)
    return try await CurrentPrompter.$value.withValue(context.prompter) {
      guard request.restore else {
        let id = try await masterKeys.backUp(to: request.file, passphrase, requester: context.requester)
        return KeyCopy { $0.keyId = id.description }
      }
      let restored = try await masterKeys.restore(from: request.file, passphrase, requester: context.requester)
      return KeyCopy { reply in
        reply.keyId = restored.id.description
        guard restored.lostCheckpoint else { return }
        reply.notice =
          "the key store had lost the head of the audit log with the key; the log goes on from its newest row, and says so"
      }
    }
  }
}
