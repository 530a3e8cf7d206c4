import VaultModel
import VaultSecrets

/// One request at the gate, with all that decides on it.
struct Admission {
  /// What the requester gets.
  private(set) var request: CredentialRequest
  let requester: Requester
  let decision: GuardDecision
  let tree: AutomationTree?
  let prompter: any Prompter
  /// Whether another session is needed than for the request as it came.
  private(set) var isChanged = false
  private(set) var isNarrowed = false

  init(
    request: CredentialRequest, requester: Requester, decision: GuardDecision, tree: AutomationTree?, prompter: any Prompter
  ) {
    (self.request, self.requester, self.decision) = (request, requester, decision)
    (self.tree, self.prompter) = (tree, prompter)
  }

  /// A refusal by the first rule that `isCause` names.
  func refusal(
    _ key: GuardKey, _ why: String, hint: String, exitStatus: ExitStatus = .refused, isCause: (GuardLimits) -> Bool
  ) -> GuardRefusal {
    guard let rule = decision.rules.first(where: { isCause($0.limits) }) ?? decision.rules.first else {
      return GuardRefusal("\(request.profile): \(why)", hint: hint, exitStatus: exitStatus)
    }
    return GuardRefusal(request.profile, key, of: rule, because: why, hint: hint, exitStatus: exitStatus)
  }

  /// Refuses the request, or makes of it what it gets.
  ///
  /// - Parameters:
  ///   - plan: that of the request as it came.
  ///   - client: the file of the vault's own client; nil if no program gets the credentials.
  mutating func check(_ plan: CredentialPlan, now: Timestamp, client: String?) async throws {
    try checkTree()
    try checkHours(now)
    if let client { try checkCommands(client: client) }
    try await askReason()
    separate()
    try narrow()
    try shorten(plan)
  }

  // MARK: who and when

  func checkTree() throws {
    guard let tree else { return }
    if tree.isRevoked { throw refusalOfRevokedTree }
    if decision.automation?.isRefused == true {
      throw refusal(
        .automation, "\(tree.run.name) acts by itself, and such programs are refused", hint: "a person has to do this"
      ) { $0.automation?.isRefused == true }
    }
  }

  var refusalOfRevokedTree: GuardRefusal {
    let run = tree.map { "\($0.run.name) (\($0.run.run))" } ?? "of this program"
    return GuardRefusal(
      "\(request.profile): the automation run \(run) was revoked or has ended",
      hint: "start it again with `vault exec --automation`")
  }

  func checkHours(_ now: Timestamp) throws {
    guard let hours = decision.hours, !hours.contains(now) else { return }
    throw refusal(.hours, "it is outside its hours, \(hours.text)", hint: "ask again within them, or have the rule changed") {
      $0.hours?.contains(now) == false
    }
  }

  private func checkCommands(client: String) throws {
    guard let commands = decision.commands else { return }
    let program = AskingProgram(requester, client: client)
    let isAllowed = { (commands: GuardCommands) in
      program.map {
        commands.contains(path: $0.path, resolved: AskingProgram.resolved, installed: AskingProgram.installed)
      } ?? false
    }
    // By each rule's own list, since only the files tell whether a name and a path mean the same program.
    if decision.rules.allSatisfy({ $0.limits.commands.map(isAllowed) ?? true }) { return }
    let shown = program?.name ?? "the program"
    var hint = commands.entries.isEmpty ? "no program may have it" : "only for \(commands.entries.joined(separator: ", "))"
    if let program, !program.path.isEmpty, commands.entries.contains(program.name) {
      hint += "; a name stands for a program in /usr/bin and the like, so the rule has to say \(program.path)"
    }
    throw refusal(
      .commands, program == nil ? "the program that asks cannot be proven" : "\(shown) is not one of its commands", hint: hint
    ) { $0.commands.map { !isAllowed($0) } ?? false }
  }

  // MARK: what it gets

  /// Asks the person for a reason, if one is needed and there is none.
  private mutating func askReason() async throws {
    guard decision.isReasonRequired, !GuardReason.isValid(request.reason ?? "") else { return }
    // Where nobody can be asked, the rule refuses.
    if prompter.isInteractive, let answer = try? await prompter.ask(.reason(profile: request.profile)) {
      let text = answer.withBytes { String(decoding: $0, as: UTF8.self) }
      if GuardReason.isValid(text) {
        request = request.because(text)
        return
      }
    }
    throw refusal(.reason, "it needs a reason", hint: "give it with --reason, with a letter or a digit at least") {
      $0.isReasonRequired
    }
  }

  /// A run's sessions are its own, and have its name: none of its processes passes for a person or another run.
  private mutating func separate() {
    guard let tree, !tree.isHint else { return }
    // The root's request is the command with which a person started the run.
    let isRoot = tree.root.pid > 0 && requester.pid == tree.root.pid
    if request.sessionName != nil, !isRoot {
      prompter.notice("\(request.profile): --session-name has no effect in an automation run")
    }
    request = request.within(tree.run, keepsName: isRoot)
    isChanged = true
  }

  private mutating func narrow() throws {
    for rule in decision.rules {
      for scope in rule.limits.scopes { try narrow(by: try session(scope, of: rule), of: rule) }
    }
    if let tree {
      try narrow(by: tree.effectiveScope(allowed: decision.automation.map { !$0.isReadOnly } ?? false), of: nil)
      if decision.automation?.isReadOnly == true {
        try narrow(by: .readOnly, of: decision.rules.first { $0.limits.automation?.isReadOnly == true })
      }
    }
    if let tree, !tree.isHint, decision.isRunTagged || request.scope.tags.contains(where: \.namesRun) {
      try narrow(by: SessionScope { $0.tags = tree.run.tags }, of: nil)
    }
    if decision.isReasonTagged, let reason = request.reason {
      try narrow(by: SessionScope { $0.tags = [SessionTag(reason: reason)] }, of: nil)
    }
  }

  private mutating func narrow(by scope: SessionScope, of rule: GuardRule?) throws {
    let narrowed: CredentialRequest
    do { narrowed = try request.narrowed(by: scope, isRule: tree == nil) } catch {
      guard let rule else {
        throw GuardRefusal("\(request.profile): \(error.message)", hint: error.hint, exitStatus: error.exitStatus)
      }
      throw GuardRefusal(
        request.profile, .scope, of: rule, because: error.message, hint: error.hint ?? "have the rule changed",
        exitStatus: error.exitStatus)
    }
    if narrowed.scope != request.scope { (isChanged, isNarrowed) = (true, true) }
    request = narrowed
  }

  private func session(_ scope: GuardScope, of rule: GuardRule) throws -> SessionScope {
    switch scope {
    case .readOnly: return .readOnly
    case .policyARNs(let arns): return SessionScope { $0.policyARNs = arns }
    case .nothing:
      throw GuardRefusal(request.profile, .scope, of: rule, because: "no session is narrow enough", hint: "have the rule changed")
    case .policy(let file):
      do {
        let policy = try GuardPolicy.read(file, ofMachine: rule.line(of: .scope).file == VaultPaths.machineSettings)
        return SessionScope { $0.policy = policy }
      } catch {
        throw GuardRefusal(
          request.profile, .scope, of: rule, because: error.message, hint: error.hint ?? "correct that file",
          exitStatus: error.exitStatus)
      }
    }
  }

  private mutating func shorten(_ plan: CredentialPlan) throws {
    guard let limit = decision.maxDuration, let longest = SessionDuration(seconds: limit) else { return }
    guard plan.delivered != nil, !plan.steps.isEmpty || plan.source.acceptsDuration else {
      throw refusal(
        .maxDuration, "its sessions last at most \(limit / 60) min here, and its source decides how long they last",
        hint: "put a role after it, or leave --no-session out", exitStatus: .configuration
      ) { $0.maxDuration == limit }
    }
    guard let planned = plan.deliveredDuration, planned.seconds > limit else { return }
    if request.duration != nil { prompter.notice("\(request.profile): its sessions last at most \(limit / 60) min") }
    request = request.lasting(longest)
    isChanged = true
  }

  /// Nil if nobody has to agree.
  var confirmation: GuardConfirmation? {
    var confirm = decision.confirm
    // Once for the whole run.
    if tree != nil, decision.automation?.isConfirmed == true { confirm = max(confirm, .every(seconds: 7 * 86_400)) }
    return confirm == .never ? nil : confirm
  }
}

extension SessionTag {
  /// A request's reason as AWS accepts it in a tag: what has no place there becomes a blank.
  fileprivate init(reason: String) {
    let text = String(
      reason.unicodeScalars.prefix(256).map { SessionTag(key: "k", value: String($0)).hasValidValue ? Character($0) : " " })
    self.init(key: "vault:reason", value: text)
  }
}

extension CredentialPlan {
  /// The role whose credentials are delivered; nil if it is not known.
  var roleARN: String? {
    steps.last?.link.roleARN.text ?? (deliveredRoleARNs.count == 1 ? deliveredRoleARNs.first : nil)
  }
  /// How long the delivered session lasts at most; nil if its source decides it, or if there is no session.
  var deliveredDuration: SessionDuration? { steps.last?.duration ?? (source.acceptsDuration ? own?.duration : nil) }
}
