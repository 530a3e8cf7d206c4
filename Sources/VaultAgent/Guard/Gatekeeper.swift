import AWSPolicy
import Glibc
import Synchronization
import VaultBytes
import VaultModel
import VaultSecrets
import VaultStore

/// Decides what a request gets before any session is looked up for it: by the guard rules of the settings, and by the tree that acts by
/// itself to which the requester belongs.
///
/// It only ever narrows, shortens and refuses. Without rules and trees it does nothing.
final class Gatekeeper: Sendable {
  /// Whether a person may be asked to agree.
  enum Asking {
    /// The requester waits for the answer.
    case wait
    /// A served program: it is refused until somebody has agreed, and asks again.
    case later
    /// Nobody has asked: work that the agent does by itself.
    case never
    /// A person has agreed already.
    case agreed
  }

  private let rules: LiveGuardRules
  private let trees: AutomationTrees
  private let approvals: Approvals
  private let store: VaultStore
  private let clock: any WallClock
  /// The file of the vault's own client.
  private let client: String
  /// When each refusal of a served program was last logged: a program that polls must not fill the log.
  private let logged = Mutex<[String: Timestamp]>([:])
  /// The rules whose change was last logged.
  private let known = Mutex<GuardRules?>(nil)

  init(
    rules: LiveGuardRules, trees: AutomationTrees, approvals: Approvals, store: VaultStore, clock: any WallClock, client: String
  ) {
    self.rules = rules
    self.trees = trees
    self.approvals = approvals
    self.store = store
    self.clock = clock
    self.client = client
  }

  /// What a request gets: narrower, shorter, and with its reason.
  ///
  /// - Parameters:
  ///   - handsOut: whether a program gets the credentials; false for a session that is made ahead.
  ///   - asking: whether a person may be asked to agree, which ``confirm(_:plan:_:)`` does.
  /// - Returns: nil if no rule and no tree has a say in it.
  /// - Throws: ``GuardRefusal``, which is logged.
  func admit(
    _ request: CredentialRequest, plan: CredentialPlan, requester: Requester, prompter: any Prompter, handsOut: Bool,
    asking: Asking
  ) async throws -> Admission? {
    let rules = rules.current
    try await logChange(to: rules, requester, request.trigger)
    let tree = trees.tree(for: requester, variable: request.agentVariable)
    if rules.isEmpty, tree == nil { return nil }
    let decision = rules.decision(profile: request.profile, roleARNs: plan.deliveredRoleARNs)
    guard decision.isGuarded || tree != nil else { return nil }
    // The question for the passphrase comes first: the answers to others would be lost while the vault is locked.
    guard await store.isUnlocked else { throw StoreError.locked }
    var admission = Admission(request: request, requester: requester, decision: decision, tree: tree, prompter: prompter)
    do {
      try admission.checkTree()
      try admission.checkHours(clock.now())
      if handsOut { try admission.checkCommands(client: client) }
      try await admission.askReason()
      try admission.narrow()
      try admission.shorten(plan)
      return admission
    } catch let refusal as GuardRefusal {
      try await log(refusal, admission, asking)
      throw refusal
    }
  }

  /// Whether a requester may look at the AWS side of a profile, with credentials that no program gets.
  ///
  /// - Throws: ``GuardRefusal``, which is logged.
  func inspect(_ request: CredentialRequest, plan: CredentialPlan, requester: Requester) async throws {
    let rules = rules.current
    let tree = trees.tree(for: requester, variable: request.agentVariable)
    if rules.isEmpty, tree == nil { return }
    let admission = Admission(
      request: request, requester: requester,
      decision: rules.decision(profile: request.profile, roleARNs: plan.deliveredRoleARNs), tree: tree,
      prompter: NonInteractivePrompter())
    do {
      try admission.checkTree()
      try admission.checkHours(clock.now())
    } catch let refusal as GuardRefusal {
      try await log(refusal, admission, .wait)
      throw refusal
    }
  }

  /// Has a person agree to what a request was admitted to, if that is needed.
  ///
  /// - Parameter plan: that of the admitted request.
  /// - Throws: ``GuardRefusal``, or what ``Approvals`` throws if nobody agrees.
  func confirm(_ admission: Admission, plan: CredentialPlan, _ asking: Asking) async throws {
    guard asking != .agreed, let confirmation = admission.confirmation else { return }
    guard asking != .never else {
      throw admission.refusal(
        .confirm, "somebody has to agree to a new session, and nobody has asked for one", hint: "use the profile"
      ) { $0.confirm != .never }
    }
    var ask = ApprovalAsk(
      profile: admission.request.profile, roleARN: plan.roleARN, scope: admission.request.scope, duration: plan.deliveredDuration,
      reason: admission.request.reason, requester: admission.requester, remembered: confirmation.seconds)
    ask.trigger = admission.request.trigger
    try await approvals.confirm(ask, for: admission.prompter, wait: asking == .wait)
  }

  /// The refusal of a request whose profile cannot have the session to which the request was admitted.
  func refusal(of admission: Admission, after error: any Error, _ asking: Asking) async throws -> any Error {
    let failure = Failure(error)
    guard failure.exitStatus == .configuration, admission.isNarrowed else { return error }
    let refusal = admission.refusal(
      .scope, failure.message, hint: failure.hint ?? "have the rule changed", exitStatus: .configuration
    ) { !$0.scopes.isEmpty }
    try await log(refusal, admission, asking)
    return refusal
  }

  /// Logs that the rules are no longer those of the last request.
  private func logChange(to rules: GuardRules, _ requester: Requester, _ trigger: AuditTrigger) async throws {
    let isKnown = known.withLock { known in
      defer { known = rules }
      return known == rules
    }
    if isKnown { return }
    do {
      try await store.recordSettings(
        [("guard_rules", rules.summary, GuardRules().summary)], requester: requester, trigger: trigger)
    } catch {
      known.withLock { $0 = nil }
      throw error
    }
  }

  /// Logs a refusal; the agent's own work only in its log file.
  private func log(_ refusal: GuardRefusal, _ admission: Admission, _ asking: Asking) async throws {
    let (request, requester) = (admission.request, admission.requester)
    AgentLog.write(refusal.message)
    guard requester.pid != getpid() else { return }
    if asking != .wait {
      let now = clock.now()
      let key = "\(requester.pid) \(refusal.message)"
      let isNew = logged.withLock { logged in
        if let last = logged[key], now.since(last) < 60_000 { return false }
        if logged.count >= 1_000 { logged.removeAll() }
        logged[key] = now
        return true
      }
      guard isNew else { return }
    }
    var event = AuditEvent(
      action: .guardRefused, outcome: .refused, trigger: request.trigger, profile: request.profile, requester: requester)
    event.reason = request.reason
    event.error = refusal.message
    try await store.record(event)
  }
}

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
    return GuardRefusal(request.profile, key, of: rule, why, hint: hint, exitStatus: exitStatus)
  }

  // MARK: who and when

  func checkTree() throws {
    guard let tree else { return }
    if tree.isRevoked {
      throw GuardRefusal(
        "\(request.profile): the automation run \(tree.run.name) (\(tree.run.run)) was revoked or has ended",
        hint: "start it again with `vault exec --automation`")
    }
    if decision.automation?.isRefused == true {
      throw refusal(
        .automation, "\(tree.run.name) acts by itself, and such programs are refused", hint: "a person has to do this"
      ) { $0.automation?.isRefused == true }
    }
  }

  func checkHours(_ now: Timestamp) throws {
    guard let hours = decision.hours, !hours.contains(now) else { return }
    throw refusal(.hours, "it is outside its hours, \(hours.text)", hint: "ask again within them, or have the rule changed") {
      $0.hours?.contains(now) == false
    }
  }

  func checkCommands(client: String) throws {
    guard let commands = decision.commands else { return }
    let program = AskingProgram(requester, client: client)
    let isAllowed = { (commands: GuardCommands) in
      program.map { commands.contains(names: $0.names, path: $0.path, resolved: AskingProgram.resolved) } ?? false
    }
    if isAllowed(commands) { return }
    let shown = program.map { $0.names.first ?? $0.path } ?? "the program"
    throw refusal(
      .commands, program == nil ? "the program that asks cannot be proven" : "\(shown) is not one of its commands",
      hint: commands.entries.isEmpty ? "no program may have it" : "only for \(commands.entries.joined(separator: ", "))"
    ) { $0.commands.map { !isAllowed($0) } ?? false }
  }

  // MARK: what it gets

  /// Asks the person for a reason, if one is needed and there is none.
  mutating func askReason() async throws {
    guard decision.isReasonRequired, Self.isBlank(request.reason) else { return }
    if prompter.isInteractive {
      let answer = try await prompter.ask(.reason(profile: request.profile))
      let text = answer.withBytes { String(decoding: $0, as: UTF8.self) }
      if !Self.isBlank(text) {
        request = request.because(text)
        return
      }
    }
    throw refusal(.reason, "it needs a reason", hint: "give it with --reason") { $0.isReasonRequired }
  }

  private static func isBlank(_ text: String?) -> Bool { text?.allSatisfy(\.isWhitespace) ?? true }

  mutating func narrow() throws {
    for rule in decision.rules {
      for scope in rule.limits.scopes { try narrow(by: try session(scope, of: rule), of: rule) }
    }
    if let tree {
      try narrow(by: tree.effectiveScope(allowed: decision.automation.map { !$0.isReadOnly } ?? false), of: nil)
      if decision.automation?.isReadOnly == true {
        try narrow(by: .readOnly, of: decision.rules.first { $0.limits.automation?.isReadOnly == true })
      }
    }
    if decision.isReasonTagged, let reason = request.reason {
      try narrow(by: SessionScope { $0.tags = [SessionTag(reason: reason)] }, of: nil)
    }
  }

  private mutating func narrow(by scope: SessionScope, of rule: GuardRule?) throws {
    let narrowed: CredentialRequest
    do { narrowed = try request.narrowed(by: scope) } catch {
      guard let rule else {
        throw GuardRefusal("\(request.profile): \(error.message)", hint: error.hint, exitStatus: error.exitStatus)
      }
      throw GuardRefusal(
        request.profile, .scope, of: rule, error.message, hint: error.hint ?? "have the rule changed",
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
      throw GuardRefusal(request.profile, .scope, of: rule, "no session is narrow enough", hint: "have the rule changed")
    case .policy(let file):
      do {
        let policy = try GuardPolicy.read(file, ofMachine: rule.line(of: .scope).file == VaultPaths.machineSettings)
        return SessionScope { $0.policy = policy }
      } catch {
        throw GuardRefusal(
          request.profile, .scope, of: rule, error.message, hint: error.hint ?? "correct that file", exitStatus: error.exitStatus)
      }
    }
  }

  /// - Parameter plan: that of the request as it came.
  mutating func shorten(_ plan: CredentialPlan) throws {
    guard let limit = decision.maxDuration, let longest = SessionDuration(seconds: limit) else { return }
    guard plan.delivered != nil, !plan.steps.isEmpty || plan.source.acceptsDuration else {
      throw refusal(
        .maxDuration, "its sessions last at most \(limit / 60) min here, and its source decides how long they last",
        hint: "put a role after it, or leave --no-session out", exitStatus: .configuration
      ) { $0.maxDuration == limit }
    }
    guard plan.deliveredDuration.seconds > limit else { return }
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

extension GuardRules {
  /// How many there are, and a digest of what they demand: for the row of a change.
  fileprivate var summary: String {
    if isEmpty { return "none" }
    let lines = rules.map { rule in
      ([rule.glob.text] + GuardKey.allCases.map { rule.limits.text(of: $0) ?? "" }).joined(separator: "\n")
    }
    return "\(rules.count), \(hex(blake2b(Array(lines.joined(separator: "\n\n").utf8), length: 16)))"
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
  fileprivate var roleARN: String? {
    steps.last?.link.roleARN.text ?? (deliveredRoleARNs.count == 1 ? deliveredRoleARNs.first : nil)
  }
  /// How long the delivered session lasts at most.
  fileprivate var deliveredDuration: SessionDuration { steps.last?.duration ?? own?.duration ?? .default }
}
