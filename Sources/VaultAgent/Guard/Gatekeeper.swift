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
  private let catalog: ProfileCatalog
  private let clock: any WallClock
  /// The file of the vault's own client.
  private let client: String
  /// When each refusal of a served program was last logged: a program that polls must not fill the log.
  private let logged = Mutex<[String: Timestamp]>([:])
  /// The rules whose change was last logged.
  private let known = Mutex<GuardRules?>(nil)
  /// What rules say about profiles whose roles have other names, so that a request costs the same whatever their number.
  private let named = Mutex<Named?>(nil)

  private struct Named {
    struct Key: Hashable {
      let profile: String
      let roleARNs: [String]
    }
    let rules: GuardRules
    let profiles: ProfilesByRole
    var decisions: [Key: GuardDecision] = [:]
  }

  init(
    rules: LiveGuardRules, trees: AutomationTrees, approvals: Approvals, store: VaultStore, catalog: ProfileCatalog,
    clock: any WallClock, client: String
  ) {
    self.catalog = catalog
    self.rules = rules
    self.trees = trees
    self.approvals = approvals
    self.store = store
    self.clock = clock
    self.client = client
  }

  /// The rules as the files have them now.
  var currentRules: GuardRules { rules.current }

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
    let decision = try await decision(of: rules, on: request, plan)
    guard decision.isGuarded || tree != nil else { return nil }
    // The question for the passphrase comes first: the answers to others would be lost while the vault is locked.
    guard await store.isUnlocked else { throw StoreError.locked }
    var admission = Admission(request: request, requester: requester, decision: decision, tree: tree, prompter: prompter)
    do {
      try await admission.check(plan, now: clock.now(), client: handsOut ? client : nil)
      return admission
    } catch let refusal as GuardRefusal {
      try await log(refusal, of: admission, asking)
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
      decision: try await decision(of: rules, on: request, plan), tree: tree, prompter: NonInteractivePrompter())
    do {
      try admission.checkTree()
      try admission.checkHours(clock.now())
    } catch let refusal as GuardRefusal {
      try await log(refusal, of: admission, .wait)
      throw refusal
    }
  }

  /// What the rules say about a request, by its profile's name, by its role's ARN, and by every other name of that role.
  private func decision(of rules: GuardRules, on request: CredentialRequest, _ plan: CredentialPlan) async throws
    -> GuardDecision
  {
    let (profile, roleARNs) = (request.profile, plan.deliveredRoleARNs)
    guard rules.dependsOnNames(profile: profile, roleARNs: roleARNs) else {
      return rules.decision(profile: profile, roleARNs: roleARNs)
    }
    let profiles = try await catalog.profilesByRole()
    return named.withLock { named in
      if named?.profiles !== profiles || named?.rules != rules || named?.decisions.count ?? 0 >= 4_096 {
        named = Named(rules: rules, profiles: profiles)
      }
      let key = Named.Key(profile: profile, roleARNs: roleARNs)
      if let decision = named?.decisions[key] { return decision }
      let decision = rules.decision(profile: profile, roleARNs: roleARNs, otherNames: profiles.names(of: roleARNs))
      named?.decisions[key] = decision
      return decision
    }
  }

  /// What a request that is being served comes to under rules, without a person.
  ///
  /// - Returns: nil if they refuse it; else the request as it is admitted, and whether a person has to agree to it.
  func outcome(of request: CredentialRequest, plan: CredentialPlan, requester: Requester, under rules: GuardRules) async throws
    -> (request: CredentialRequest, isConfirmed: Bool)?
  {
    let tree = trees.tree(for: requester, variable: request.agentVariable)
    let decision = try await decision(of: rules, on: request, plan)
    var admission = Admission(
      request: request, requester: requester, decision: decision, tree: tree, prompter: NonInteractivePrompter())
    do {
      try await admission.check(plan, now: clock.now(), client: client)
    } catch is GuardRefusal {
      return nil
    }
    return (admission.request, admission.confirmation != nil)
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
    ask.credentials =
      admission.request.keyUse == .console ? .console : plan.delivered == nil ? .accessKey : .session
    ask.identity = plan.source.identifiers
    ask.sessionName = admission.request.sessionName?.text
    try await approvals.confirm(ask, for: admission.prompter, wait: asking == .wait)
    // A person took their time.
    guard trees.tree(for: admission.requester, variable: nil)?.isRevoked == true else { return }
    let refusal = admission.refusalOfRevokedTree
    try await log(refusal, of: admission, asking)
    throw refusal
  }

  /// The refusal of a request whose profile cannot have the session to which the request was admitted.
  func refusal(of admission: Admission, after error: any Error, _ asking: Asking) async throws -> any Error {
    let failure = Failure(error)
    guard failure.exitStatus == .configuration, admission.isNarrowed else { return error }
    let refusal = admission.refusal(
      .scope, failure.message, hint: failure.hint ?? "have the rule changed", exitStatus: .configuration
    ) { !$0.scopes.isEmpty }
    try await log(refusal, of: admission, asking)
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
  private func log(_ refusal: GuardRefusal, of admission: Admission, _ asking: Asking) async throws {
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
