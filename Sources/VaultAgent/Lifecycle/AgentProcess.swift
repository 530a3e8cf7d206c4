import AWSClient
import CSystem
import Glibc
import VaultBytes
import VaultConcurrency
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// Builds the agent's parts and runs them until it is told to stop.
public struct AgentProcess: Sendable {
  private let paths: VaultPaths
  private let environment: [String: String]
  private let readyDescriptor: Int32?
  private let events: AgentEvents
  private let executor: StoreExecutor

  /// Runs the agent: the main thread is its executor's, on which every task runs.
  ///
  /// - Parameter readyDescriptor: where to report that the agent is listening, or why it is not.
  public static func main(readyDescriptor: Int32?) -> Never {
    // First, so that no thread takes one.
    let signals = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]
    EventLoop.block(signals)
    signal(SIGPIPE, SIG_IGN)
    let (events, executor) = (AgentEvents(), AgentExecutor.begin())
    executor.loop.onSignals(signals) { events.report($0 == SIGUSR1 ? .socketLost : .stopRequested(by: nil)) }
    // Not awaited: it ends with the process, by `exit`.
    _ = Task(executorPreference: executor) {
      do {
        try await AgentProcess(
          environment: processEnvironment(), readyDescriptor: readyDescriptor, events: events, executor: executor
        ).run()
        exit(ExitStatus.success.rawValue)
      } catch {
        let failure = Failure(error)
        AgentLog.write(failure.message)
        if let readyDescriptor, let frame = try? failure.frame() { tell(frame, on: readyDescriptor) }
        exit(failure.exitStatus.rawValue)
      }
    }
    executor.run()
  }

  private init(environment: [String: String], readyDescriptor: Int32?, events: AgentEvents, executor: StoreExecutor) throws {
    guard let paths = VaultPaths(environment: { environment[$0] }) else { throw AgentError.noHome }
    self.paths = paths
    self.environment = environment
    self.readyDescriptor = readyDescriptor
    self.events = events
    self.executor = executor
  }

  /// Runs until SIGTERM, SIGINT or a client's `stop`.
  private func run() async throws {
    for folder in [paths.dataDirectory, paths.runtimeDirectory] { try PrivateDirectory.ensure(folder) }
    try PrivateDirectory.check(file: paths.agentLock)
    // Held until the process ends, not only until this returns.
    _ = Unmanaged.passRetained(try AgentLock(path: paths.agentLock, socket: paths.socket))
    let clock = executor.loop
    let inspector = PeerInspector()
    let settings = try AgentSettings(files: paths.settingsFiles, environment: environment)
    let store = try await VaultStore(path: paths.database, clock: clock, host: inspector.agent, executor: executor) { [events] in
      events.report(.store($0))
    }
    let session = PersonSession()
    let masterKeys = MasterKeyService(
      store: store, defaultStore: settings.keyStore, clock: clock, events: events, keyStores: keyStores(store.vaultId, session))
    let catalog = ProfileCatalog(
      store: store, masterKeys: masterKeys, reader: try VaultReader(path: paths.database, isBrief: false),
      defaultSessionName: RoleSessionName(user: inspector.user, host: inspector.host), clock: clock
    ) { [events] in events.report(.profilesChanged) }
    var started = AuditEvent(action: .agentStarted, outcome: .success, trigger: .start, requester: inspector.agent)
    started.detail = "vaultd \(vaultVersion)"
    await store.begin(with: started)
    let exporters = AuditExporters(store: store, clock: clock)
    let deferredRows = DeferredRowWriter(store: store, clock: clock)
    let clients = Clients(clock: clock, trust: NetworkTrust(settingsFiles: paths.settingsFiles, store: store))
    let programs = ProgramRunner()
    let trees = AutomationTrees(
      store: store, loop: executor.loop, agent: inspector.agent, programs: programs.children, clock: clock)
    let endpoint = CredentialEndpoint(clock: clock, events: events, tokenFolder: paths.runtimeDirectory, trees: trees)
    let place = ApprovalDesktop(startedIn: environment)
    let approvals = Approvals(
      channels: [
        NotificationApproval(place: place, clock: clock) { trees.tree(of: $0) != nil },
        PinentryApproval(place: place, clock: clock),
      ],
      clock: clock, onExit: { pid, body in executor.loop.onExit(of: pid, body) },
      record: { try await store.record($0) })
    let redirect = OneTimeRedirect(clock: clock, rejections: endpoint.rejections)
    let ssoSessions = SSOSessions(
      store: store, clients: clients, clock: clock, redirect: redirect, rejections: endpoint.rejections)
    let issuer = CredentialIssuer(store: store, clients: clients, ssoSessions: ssoSessions, programs: programs, clock: clock)
    let rules = LiveGuardRules(PeerInspector.guardFiles(paths), home: environment["HOME"])
    let broker = Broker(
      store: store, catalog: catalog, masterKeys: masterKeys,
      gatekeeper: Gatekeeper(
        rules: rules, trees: trees, approvals: approvals, store: store, catalog: catalog, clock: clock, client: inspector.client),
      issuer: issuer, endpoint: endpoint, loop: executor.loop,
      events: events,
      files: CredentialFiles(clock: clock), agent: inspector.agent, clock: clock)
    let autoLock = AutoLock(clock: clock, executor: executor, isUnlocked: { await store.isUnlocked }) { cause in
      await broker.lockItself(cause)
    } shutOut: {
      await masterKeys.shutOut($0)
    }
    let live = LiveSettings(
      files: paths.settingsFiles, environment: environment, store: store, exporters: exporters, autoLock: autoLock)
    try await live.reload(requester: inspector.agent, trigger: .start)
    let notifier = Notifier(session: session, clock: clock, client: inspector.client, programs: programs)
    let scheduler = await broker.beginSchedule(executor: executor, notifier)
    let exitWithLastProgram = settings.endsWithPrograms ? ExitWithLastProgram(loop: executor.loop, events: events) : nil
    let service = RequestHandler(
      store: store, broker: broker, catalog: catalog, masterKeys: masterKeys, ssoSessions: ssoSessions, clients: clients,
      clock: clock,
      scheduler: scheduler, notifier: notifier, redirect: redirect, settings: live, exporters: exporters, autoLock: autoLock,
      inspector: inspector, trees: trees, approvals: approvals, session: session, paths: paths, identity: paths.identity,
      startedAt: clock.now(),
      exitWithLastProgram: exitWithLastProgram, stop: { [events] in events.report(.stopRequested(by: $0)) })
    // Removes the keys that a killed agent left in files; the first unlock writes them again.
    await broker.clearFiles()
    await broker.endExpired()
    _ = GuardRulesWatch(rules, loop: executor.loop) { [events] in events.report(.rulesChanged($0)) }
    try await trees.resume()
    // It would end with the run, or keep it alive, and have its environment.
    if let tree = trees.tree(of: getpid()) {
      throw AgentError.closedToTree(name: tree.run.name, run: tree.run.run, what: "start an agent")
    }
    for pid in try await broker.resumeLeases() { exitWithLastProgram?.began(pid) }
    let listener = try AgentListener(path: paths.socket, executor: executor) { connection, message in
      await service.handle(connection, message)
    }
    AgentLog.write("vaultd \(vaultVersion) listens at \(paths.socket)")
    if let fault = MemoryLock.fault { AgentLog.write("secrets could be swapped out: memory cannot be locked (\(fault))") }
    if let readyDescriptor { Self.tell(try .frame(.done, Done()), on: readyDescriptor) }
    _ = sys_notify("READY=1\nSTATUS=listening at \(paths.socket)")
    let watchdog = Self.watchdog(environment, clock)
    let signIns = Task(executorPreference: executor) { await notifier.signIn() }
    defer {
      watchdog?.cancel()
      signIns.cancel()
    }
    async let serving: Void = listener.run()
    var stopper: Requester?
    acting: for await event in events.all {
      switch event {
      case .store(.rowsAdded(let isDelivery)):
        masterKeys.recordRows(isDelivery: isDelivery, clock: clock)
        exporters.recordRows()
      case .store(.rowDeferred): deferredRows.begin()
      // Whoever took them back: the schedule and the files learn of it too.
      case .store(.sessionsWithdrawn): Task(executorPreference: executor) { await broker.withdraw() }
      // Not awaited, those that wait for AWS or the store: other events do not wait for them.
      case .unlocked:
        Task(executorPreference: executor) {
          await autoLock.unlocked()
          await trees.prove()
          await broker.unlocked()
        }
      case .sessionDue(let lease): Task(executorPreference: executor) { await broker.freshen(lease) }
      case .profilesChanged: Task(executorPreference: executor) { await broker.reviewServed() }
      case .rulesChanged(let before): Task(executorPreference: executor) { await broker.rulesChanged(from: before) }
      case .programEnded(let lease): Task(executorPreference: executor) { await broker.closeLease(lease) }
      case .requestsRefused(let detail): Task(executorPreference: executor) { await broker.logRefusal(detail) }
      case .tokenRefused(let run, let pid): Task(executorPreference: executor) { await broker.logRefusal(of: run, pid: pid) }
      case .socketLost: listener.listenAgain()
      case .stopRequested(let requester):
        stopper = requester
        break acting
      }
    }
    listener.stop()
    await serving
    _ = sys_notify("STOPPING=1")
    await broker.clearFiles()
    await scheduler.stop()
    await broker.endLeases()
    endpoint.closeAll()
    var ended = AuditEvent(
      action: .agentStopped, outcome: .success, trigger: .manual, requester: stopper ?? inspector.agent)
    ended.detail = stopper == nil ? "by a signal, or with its last program" : nil
    do { try await store.end(with: ended) } catch {
      AgentLog.write("the agent's end could not be logged: \(Failure(error).message)")
    }
    await masterKeys.anchorCheckpoint(within: 3, clock: clock)
    await exporters.end()
    do { try await store.writeLateRows() } catch {
      AgentLog.write("\(await store.deferredRows) deliveries are not in the audit log: \(Failure(error).message)")
    }
    try await store.close()
    AgentLog.write("vaultd has stopped")
  }

  /// Tells a service manager that asks for it (`WATCHDOG_USEC`, sd_notify(3)) that requests are still answered: the notification is
  /// sent from the same lane on which requests run.
  private static func watchdog(_ environment: [String: String], _ clock: any WallClock) -> Task<Void, Never>? {
    guard let text = environment["WATCHDOG_USEC"], let microseconds = Int64(text), microseconds >= 2_000 else { return nil }
    return Task(executorPreference: AgentExecutor.current) {
      while !Task.isCancelled {
        _ = sys_notify("WATCHDOG=1")
        do { try await clock.sleep(until: clock.now().adding(milliseconds: microseconds / 2_000)) } catch { return }
      }
    }
  }

  private func keyStores(_ vaultId: String, _ session: PersonSession) -> @Sendable (KeyStoreKind) -> any KeyStore {
    let secretService = SecretServiceKeyStore(vaultId: vaultId, buses: { session.buses })
    let answers = PassphraseAnswers(vaultId: vaultId, environment: environment)
    let passphrase = PassphraseKeyStore(vaultId: vaultId, directory: paths.dataDirectory) { request in
      try await answers.answer(request)
    }
    let ephemeral = EphemeralKeyStore(hasOwnFolder: environment["VAULT_HOME"]?.isEmpty == false)
    return { kind in
      switch kind {
      case .secretService: secretService
      case .passphrase: passphrase
      case .ephemeral: ephemeral
      }
    }
  }

  /// Sends one frame to the process that started the agent, and closes the descriptor.
  private static func tell(_ frame: WireBuffer, on descriptor: Int32) {
    _ = frame.withBytes { write(descriptor, $0.baseAddress!, $0.count) }
    close(descriptor)
  }

  private static func processEnvironment() -> [String: String] {
    var environment: [String: String] = [:]
    var entry = sys_environment()
    while let variable = entry?.pointee {
      let text = String(cString: variable)
      if let equals = text.firstIndex(of: "=") {
        environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      entry = entry?.advanced(by: 1)
    }
    return environment
  }
}

/// The agent's log: standard error, which is a file or the journal. One line per event, control characters escaped, never a secret.
enum AgentLog {
  static func write(_ text: String) {
    var line = "\(SystemClock().now().iso8601) \(safeText(text))\n"
    line.withUTF8 { _ = Glibc.write(2, $0.baseAddress!, $0.count) }
  }
}
