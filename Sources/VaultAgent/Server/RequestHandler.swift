import Glibc
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
    let asker = Asker(connection)
    let requester = inspector.requester(asker, uid: connection.uid, commandIndex: message.number(.commandIndex))
    do {
      if let fault = asker.fault { throw await refuse(message, requester, fault) }
      let reply = try await answer(connection, message, requester)
      let frame = try reply.frame()
      // Nothing runs between this check and the response.
      if let fault = asker.fault { throw await refuse(message, requester, fault) }
      try connection.send(frame)
      if message.kind == .stop { stopper = requester }
    } catch {
      if let frame = try? Failure(error).frame() { try? connection.send(frame) }
    }
    if let stopper { stop(stopper) }
  }

  /// Logs a request that must not be answered.
  private func refuse(_ message: Message, _ requester: Requester, _ fault: Asker.Fault) async -> AgentError {
    var who = requester
    if case .sender(let pid) = fault { who = inspector.stranger(pid, uid: requester.uid) }
    var event = AuditEvent(
      action: .requestRefused, outcome: .refused, trigger: AuditTrigger(rawValue: message.text(.trigger) ?? "") ?? .manual,
      profile: message.text(.profile).map { String($0.prefix(200)) }, requester: who)
    event.detail = fault.text
    AgentLog.write("a request was refused: \(fault.text)")
    do { try await store.record(event) } catch { AgentLog.write("that could not be logged: \(Failure(error).message)") }
    return .unprovenAsker(why: fault.text)
  }

  private func answer(_ connection: ClientConnection, _ message: Message, _ requester: Requester) async throws -> ReplyBuilder {
    try requireVault(message)
    session.take(message)
    // A client of any version may request the agent's state, and stop it.
    if message.kind == .stop { return ReplyBuilder(.done) }
    if message.kind == .status { return try await status() }
    guard message.version == protocolVersion else {
      throw AgentError.otherVersion(client: message.version, agent: protocolVersion)
    }
    autoLock.recordUse()
    let prompter = ConnectionPrompter(connection: connection)
    return try await CurrentPrompter.$environment.withValue(CredentialRequest.environment(of: message)) {
      switch message.kind {
      case .credential: try await credential(message, requester, prompter)
      case .importFiles: try await importFiles(message, requester, prompter)
      case .refresh: try await refresh(requester, prompter)
      case .putProfile: try await putProfile(message, requester, prompter)
      case .removeProfile: try await removeProfile(message, requester, prompter)
      case .addAccessKey: try await addAccessKey(message, requester, prompter)
      case .removeAccessKey: try await removeAccessKey(message, requester, prompter)
      case .rotate: try await rotate(message, requester, prompter)
      case .forget: try await forget(message, requester)
      case .console: try await console(message, requester, prompter)
      case .login: try await login(message, requester, prompter)
      case .logout: try await logout(message, requester, prompter)
      case .discover: try await discover(connection, message, requester, prompter)
      case .rotateAccessKey: try await rotateAccessKey(message, requester, prompter)
      case .lock: try await lock(requester)
      case .unlock: try await unlock(requester, prompter)
      case .keyRotate: try await rotateKey(requester, prompter)
      case .keyBackup: try await backUpKey(message, requester, prompter)
      case .keyRestore: try await restoreKey(message, requester, prompter)
      case .samlRoles: try await samlRoles(connection, message, prompter)
      case .linkFile: try await linkFile(message, requester, prompter)
      case .unlinkFile: try await unlinkFile(message, requester, prompter)
      case .auditCheckpoint: try await auditCheckpoint(message, requester, prompter)
      case .auditAccept: try await auditAccept(requester, prompter)
      case .auditKey: try await auditKey(requester, prompter)
      case .linkProfiles: try await linkProfiles(message, requester)
      case .settings: try await takeSettings(requester)
      case .auditArchive: try await auditArchive(message, requester, prompter)
      default: throw AgentError.unknownRequest
      }
    }
  }

  /// Another home or another `XDG_DATA_HOME` means another vault, and both may lead to this agent's socket. A client from before
  /// this check does not name its vault.
  private func requireVault(_ message: Message) throws(AgentError) {
    guard let asked = message.text(.vault)?.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false),
      asked.count == 2, asked[0] != identity,
      // A client that starts the first agent of a vault had no folder yet when it asked.
      !(asked[0].isEmpty && asked[1] == paths.dataDirectory)
    else { return }
    throw .otherVault(asked: String(asked[1]), own: paths.dataDirectory)
  }

  // MARK: credentials

  private func credential(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    if message.has(.server) {
      try AskerReach.require(requester, folder: message.has(.tokenFile) ? paths.runtimeDirectory : nil)
    }
    let issued = try await broker.issue(
      try CredentialRequest(message, environment: CurrentPrompter.environment), to: requester, prompter: prompter)
    exitWithLastProgram?.began(requester.pid)
    let reply = ReplyBuilder(.issued)
    if let lease = issued.lease {
      reply.add(.endpoint, lease.url)
      if let file = lease.tokenFile {
        reply.add(.tokenFile, file)
      } else {
        lease.token.withBytes { reply.add(.endpointToken, $0) }
      }
    } else {
      reply.add(.accessKeyId, issued.credential.accessKeyId)
      issued.credential.secretAccessKey.withBytes { reply.add(.secretAccessKey, $0) }
      issued.credential.sessionToken?.withBytes { reply.add(.sessionToken, $0) }
      reply.add(.expiration, issued.credential.expiresAt?.iso8601)
      reply.add(.accountId, issued.credential.accountId)
    }
    reply.add(.region, issued.region)
    reply.add(.sessionId, issued.session?.record.id)
    return reply
  }

  private func rotate(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let rotated = try await broker.rotate(
      try CredentialRequest(message), all: message.has(.all), requester: requester, prompter: prompter)
    let reply = ReplyBuilder(.done)
    for one in rotated {
      switch one.result {
      case .success(let session): reply.add(.item, "\(one.profile)\t\(session.id)\t\(session.expiresAt.iso8601)")
      case .failure(let failure):
        reply.add(.item, "\(one.profile)\t\t\(failure.message)")
        reply.add(.exitStatus, String(failure.exitStatus.rawValue))
      }
    }
    return reply
  }

  private func forget(_ message: Message, _ requester: Requester) async throws -> ReplyBuilder {
    let profile = message.text(.profile)
    guard profile != nil || message.has(.all) else { throw AgentError.badRequest("no profile") }
    if let profile { try await catalog.requireProfile(profile) }
    let count = try await store.forget(
      profile: message.has(.all) ? nil : profile, requester: requester, trigger: .manual, evenUnderWay: true)
    // The environments that requesters have sent may contain credentials.
    if message.has(.all) { broker.issuer.programs.environments.forget() }
    await broker.takeBack()
    return ReplyBuilder(.done, count: count)
  }

  // MARK: profiles and keys

  private func importFiles(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let files = ImportRequest(
      config: message.text(.configFile), credentials: message.text(.credentialsFile), home: message.text(.homeDirectory),
      once: message.has(.once))
    let outcome = try await catalog.importFiles(files, requester: requester, prompter: prompter)
    let reply = ReplyBuilder(.done)
    for line in outcome.lines { reply.add(.item, line) }
    for warning in outcome.warnings.prefix(100) { reply.add(.text, warning) }
    return reply
  }

  private func refresh(_ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    try await catalog.observeChanges(prompter, requester)
    return ReplyBuilder(.done)
  }

  private func putProfile(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    let profiles = message.groups(of: .profile, .setting)
    guard !profiles.isEmpty else { throw AgentError.badRequest("no profile") }
    let changes = profiles.map {
      ProfileChange(name: $0.head, set: $0.parts, unset: message.texts(.unset), mustExist: message.has(.replace))
    }
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    try await catalog.put(changes, requester: requester, prompter: prompter)
    return ReplyBuilder(.done)
  }

  private func removeProfile(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    guard let name = message.text(.profile) else { throw AgentError.badRequest("no profile") }
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    try await catalog.remove(name, requester: requester)
    await broker.takeBack()
    for link in try await store.credentialsLinks() where link.profile == name {
      try await broker.unlink(link, requester: requester)
    }
    return ReplyBuilder(.done)
  }

  private func addAccessKey(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    guard let name = message.text(.name), let accessKeyId = message.text(.accessKeyId),
      let secret = message.withBytes(.secretAccessKey, { SecretBytes(copying: $0) })
    else { throw AgentError.badRequest("a key without a name, an id or a secret") }
    let credential = Credential(
      accessKeyId: accessKeyId, secretAccessKey: secret,
      sessionToken: message.withBytes(.sessionToken) { SecretBytes(copying: $0) }, expiresAt: nil)
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let device = try message.withBytes(.mfaSecret) { try TOTP.secret(base32: SecretBytes(copying: $0)) }
    let serial = message.text(.mfaSerial)
    guard device == nil || serial != nil else { throw AgentError.badRequest("the secret of an MFA device without its serial") }
    try await catalog.addAccessKey(name, credential, mfaSerial: serial, replace: message.has(.replace), requester: requester)
    if let device, let serial { try await store.putMFASecret(device, serial: serial, requester: requester) }
    return ReplyBuilder(.done)
  }

  private func rotateAccessKey(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder
  {
    guard let name = message.text(.name) else { throw AgentError.badRequest("no key") }
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    let keys = try await store.accessKeys()
    guard keys.contains(where: { $0.name == name }) else {
      throw AgentError.unknownKey(name: name, suggestion: Suggestion.nearest(to: name, in: keys.map(\.name)))
    }
    let request = try CredentialRequest(message)
    let (chain, iam) = try await catalog.keyPlace(
      name, environment: request.environment, prompter: prompter, requester: requester)
    let plan = CredentialPlan(
      chain, duration: nil, sessionName: nil, defaultSessionName: RoleSessionName(cleaning: requester.user))
    let call = IssueContext(
      plan: plan, request: request, requester: requester, prompter: prompter, store: store, programs: ProgramRunner(),
      clients: clients, ssoSessions: ssoSessions, clock: clock)
    let place = AccessKeyRotation.Place(iam: iam, sts: chain.endpoint, region: chain.region)
    let rotated = try await AccessKeyRotation(store: store, clients: clients, clock: clock).rotate(name, at: place, call)
    try await catalog.keyChanged(name, accessKeyId: rotated.new, requester: requester)
    let reply = ReplyBuilder(.done)
    reply.add(.item, "old\t\(rotated.old)")
    reply.add(.item, "new\t\(rotated.new)")
    return reply
  }

  private func removeAccessKey(_ message: Message, _ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder
  {
    guard let name = message.text(.name) else { throw AgentError.badRequest("no key") }
    try await masterKeys.ensureUnlocked(for: prompter, requester: requester)
    try await catalog.removeAccessKey(name, requester: requester)
    await broker.takeBack()
    return ReplyBuilder(.done)
  }

  // MARK: the vault itself

  private func lock(_ requester: Requester) async throws -> ReplyBuilder {
    // The key is forgotten first: running work then has none, and writes nothing to a file that was already cleared.
    let result: Result<Void, any Error>
    do { result = .success(try await masterKeys.lock(requester: requester, trigger: .manual)) } catch { result = .failure(error) }
    await broker.sleepLeases()
    await broker.clearFiles()
    try result.get()
    return ReplyBuilder(.done)
  }

  private func unlock(_ requester: Requester, _ prompter: any Prompter) async throws -> ReplyBuilder {
    try await masterKeys.unlock(for: prompter, requester: requester, trigger: .manual)
    notifier.forget()
    await scheduler.resume()
    return ReplyBuilder(.done)
  }

  private func takeSettings(_ requester: Requester) async throws -> ReplyBuilder {
    try await settings.take(requester: requester, trigger: .manual)
    return ReplyBuilder(.done)
  }

  private func status() async throws -> ReplyBuilder {
    let reply = ReplyBuilder(.done)
    reply.add(.item, "version\t\(vaultVersion)")
    reply.add(.item, "protocol\t\(protocolVersion)")
    reply.add(.item, "pid\t\(getpid())")
    reply.add(.item, "started\t\(startedAt.iso8601)")
    reply.add(.item, "vault\t\(store.vaultId)")
    reply.add(.item, "memory\t\(MemoryLock.fault.map { "not locked: \($0)" } ?? "locked")")
    reply.add(.item, "unlocked\t\(await store.isUnlocked ? "yes" : "no")")
    if let next = await autoLock.next() { reply.add(.item, "locks\t\(next.at.iso8601) (\(next.cause.rawValue))") }
    for exporter in await exporters.states { reply.add(.item, "audit_\(exporter.name)\t\(exporter.state)") }
    return reply
  }
}

/// A response being built. A class, so that closures can return it; the frame is taken once.
final class ReplyBuilder {
  private var writer: MessageWriter?

  init(_ kind: MessageKind) { writer = MessageWriter(kind) }

  convenience init(_ kind: MessageKind, count: Int) {
    self.init(kind)
    add(.item, "count\t\(count)")
  }

  func add(_ tag: FieldTag, _ text: String?) { writer?.add(tag, text) }
  func add(_ tag: FieldTag, _ bytes: UnsafeRawBufferPointer) { writer?.add(tag, bytes) }

  func frame() throws(WireError) -> WireBuffer {
    guard let taken = writer.take() else { throw .malformed }
    return try taken.frame()
  }
}
