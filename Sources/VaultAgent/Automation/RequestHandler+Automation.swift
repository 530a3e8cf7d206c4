import VaultBytes
import VaultModel
import VaultStore
import VaultWire

// Trees of processes that act by themselves.
extension RequestHandler {
  /// The requester's process is the root of a tree from now on, and gets the tree's first credentials. A person may still be asked for
  /// them: the root starts its command only then.
  func beginAutomation(_ request: AutomationRequest, _ context: RequestContext) async throws -> AutomationReply {
    guard request.hasValidName, request.credentials.shell == nil else { throw AgentError.badRequest("invalid automation run") }
    guard context.requester.pid > 0 else {
      throw AgentError.unprovenPeer(why: "the process that asked is in another PID namespace")
    }
    try await ensureUnlocked(context)
    let run = AutomationRun(name: request.name, run: Identifier.make("run"), rootPid: context.requester.pid)
    let cgroup = await RunScope.make(for: run, buses: session.buses)
    let tree = try await trees.begin(
      run, scope: request.credentials.scope ?? .none, cgroup: cgroup, adopter: Int32(truncatingIfNeeded: request.adopter),
      by: context.requester)
    do {
      try PendingRequest.current?.join(run)
      let credentials = try await credential(request.credentials, context.within(tree))
      if let line = await warnOfFiles() { context.prompter.notice(line) }
      return AutomationReply { ($0.run, $0.credentials) = (run.run, credentials) }
    } catch {
      // The root has started nothing.
      await trees.end(tree)
      throw error
    }
  }

  /// The keys that a run can read in files, whatever it is narrowed to.
  private func warnOfFiles() async -> String? {
    var open: [CredentialsLink] = []
    for link in (try? await store.credentialsLinks()) ?? [] where !link.scope.narrows {
      if await broker.files.has(CredentialFiles.lease(link)) { open.append(link) }
    }
    guard let first = open.first else { return nil }
    let more = open.count > 1 ? " and \(open.count - 1) more" : ""
    return "the run can read keys that are not narrowed: [\(first.section)] in \(first.path)\(more); "
      + "`vault unlink --credentials-file \(ShellText.word(first.profile))` removes them"
  }

  /// Nothing of a tree is left, as its root says: whatever lost its parents had become the root's child, and the root has waited for all.
  func endAutomation(_ context: RequestContext) async throws -> Done {
    guard let tree = context.tree, tree.root.pid == context.requester.pid, tree.root.isRunning else {
      throw AgentError.badRequest("not the root of an automation run")
    }
    await trees.end(tree)
    return Done()
  }

  /// Refuses and logs a request that a process of a tree may not make.
  func requireOpenness(_ message: Message, _ context: RequestContext) async throws {
    guard let tree = context.tree, !tree.isHint else { return }
    let isOpen = message.kind?.isOpenToTrees ?? false
    if isOpen, await store.isUnlocked || message.kind == .status || message.kind == .automationEnd { return }
    throw await refuse(
      message, tree, requester: context.requester, what: isOpen ? "unlock the vault" : message.kind?.words ?? "do this")
  }

  func refuse(_ message: Message, _ tree: AutomationTree, requester: Requester, what: String) async -> AgentError {
    let error = AgentError.closedToTree(name: tree.run.name, run: tree.run.run, what: what)
    await logRefusal(message, requester: requester, why: error.message)
    return error
  }
}

extension MessageKind {
  /// Whether a process that acts by itself may ask for it: for credentials, which are narrowed, and for what changes nothing.
  /// Everything else it cannot do: unlock, lock, agree to anything, change profiles, keys, settings, links or sessions, take over or
  /// import, read the account with credentials that are not narrowed, stop the agent, begin another run.
  var isOpenToTrees: Bool {
    switch self {
    case .credential, .console, .denial, .release, .refresh, .status, .auditCheckpoint, .automationEnd: true
    default: false
    }
  }

  /// Whether the reply, or what it is about, are credentials.
  var handsOut: Bool {
    switch self {
    case .credential, .automation, .console, .linkFile: true
    default: false
    }
  }

  /// What a request that is not open to trees is about, after "cannot".
  ///
  /// - Returns: nil for what any process may ask for, and for what only the agent sends.
  var words: String? {
    switch self {
    case .automation: "begin another run"
    case .lock: "lock the vault"
    case .unlock: "unlock the vault"
    case .settings: "change settings"
    case .stop: "stop the agent"
    case .putProfiles, .removeProfile, .importFiles, .takeOver, .takeKeys: "change profiles"
    case .addAccessKey, .removeAccessKey, .rotateAccessKey, .keyRotate, .keyCopy, .auditKey: "change keys"
    case .linkFile, .unlinkFile, .linkProfiles: "link files"
    case .rotate, .forget, .revoke, .revokeInAWS: "renew or take back sessions"
    case .login, .logout, .addSignIn, .discover, .samlRoles: "sign in or out"
    case .approvals: "see what waits for a confirmation"
    case .approve: "confirm a request"
    case .auditAccept, .auditArchive: "change the audit log"
    case .iamCheck: "check what a profile may do"
    default: nil
    }
  }
}
