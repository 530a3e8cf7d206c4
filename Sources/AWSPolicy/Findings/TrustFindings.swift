import VaultModel

// The role's trust policy: whether it allows the call, and whom else.
extension AccountCheck {
  var trustPolicy: [Finding] {
    guard let role = snapshot.role.value else {
      if case .absent = snapshot.role { return [] }
      return [unread(.trustPolicy, "the trust policy of \(needs.role.name)", by: snapshot.role.obstacle)]
    }
    guard let document = policies.trust else {
      return [Finding(.trustPolicy, .unknown, detail: "the trust policy of \(role.arn) cannot be parsed")]
    }
    var review = TrustReview(check: self, document: document)
    for index in document.statements.indices { review.lookAt(index) }
    review.judge()
    return review.findings
  }
}

/// One look through a trust policy. Every repair goes into the same document, since a trust policy is replaced as a whole.
private struct TrustReview {
  let check: AccountCheck
  let document: PolicyDocument
  private var repaired: PolicyDocument
  private var problems: [(text: String, isRepaired: Bool)] = []
  private var unknowns: [String] = []
  /// Statements whose principals a problem is already about.
  private var named: Set<Int> = []
  /// Whether the caller's own statement was added.
  private var isCallerAdded = false

  init(check: AccountCheck, document: PolicyDocument) {
    self.check = check
    self.document = document
    repaired = document
  }

  private var needs: AccessNeeds { check.needs }

  var findings: [Finding] {
    var repaired = repaired
    repaired.statements.removeAll { $0.principals?.principals.isEmpty == true }
    let fix = Finding.Fix(document: repaired.json, terraform: Terraform.trust(repaired, of: needs.role))
    // The same condition refuses each of the call's actions.
    var told: Set<String> = []
    var findings = problems.filter { told.insert($0.text).inserted }.map {
      Finding(.trustPolicy, .differs, detail: $0.text, fix: $0.isRepaired ? fix : nil)
    }
    findings += unknowns.filter { told.insert($0).inserted }.map { Finding(.trustPolicy, .unknown, detail: $0) }
    if findings.isEmpty {
      findings = [Finding(.trustPolicy, .ok, detail: "it allows \(check.words(needs.trustedActions)) to \(check.callerName)")]
    }
    return findings
  }

  // MARK: whom it names

  mutating func lookAt(_ index: Int) {
    let statement = document.statements[index]
    guard statement.effect == .allow, let element = statement.principals, !element.isNegated else { return }
    for principal in element.principals {
      switch principal {
      case .anyone, .aws("*"): if !isPinned(statement) { wildcard(index) }
      case .aws(let text): lookAt(text, index)
      case .service(let name): service(name, index)
      case .federated(let provider): federated(provider, index)
      case .canonicalUser: break
      }
    }
  }

  private mutating func lookAt(_ text: String, _ index: Int) {
    if text.contains(":assumed-role/") {
      // Another role's session keeps what it has.
      if isOfCaller(text) {
        named.insert(index)
        replace(text, in: index)
      }
      problems.append(
        ("it names one session, \(text): a person with another name, or another person, is refused", isRepaired: isOfCaller(text))
      )
    } else if text.hasPrefix("AROA") || text.hasPrefix("AIDA") {
      named.insert(index)
      replace(text, in: index)
      let what = text.hasPrefix("AROA") ? "role" : "user"
      problems.append(
        ("it names \(text), the id of a \(what) that was deleted: one made again with the same name is refused", isRepaired: true)
      )
    } else if let account = Self.account(text), account != needs.role.account, account != callerAccount,
      !isPinned(document.statements[index])
    {
      demand(
        PolicyCondition(ConditionOperator(.stringEquals), key: "sts:ExternalId", values: ["AN-ID-THAT-THE-OTHER-PARTY-SENDS"]),
        of: .aws(text), in: index)
      problems.append(
        (
          "it trusts another account, \(account), without an external ID: whoever uses that account's service can reach the role "
            + "(confused deputy)", isRepaired: true
        ))
    }
  }

  /// Whether a session is one of the caller's role, whoever has it.
  private func isOfCaller(_ session: String) -> Bool {
    switch needs.door {
    case .permissionSet(let name, _, _): session.contains(":assumed-role/AWSReservedSSO_\(name)_")
    case .role(let role): session.contains(":assumed-role/\(role.name)/")
    default: false
    }
  }

  private mutating func wildcard(_ index: Int) {
    named.insert(index)
    replace("*", in: index)
    problems.append(("it trusts everyone: the principal is \"*\", and no condition says whose", isRepaired: true))
  }

  /// Services that only take a role which somebody in its account passed to them (IAM User Guide, "Grant a user permissions to pass a
  /// role to an AWS service").
  private static let passed = ["ec2.", "ecs-tasks.", "lambda.", "pods.eks.", "edgelambda."]

  private mutating func service(_ name: String, _ index: Int) {
    guard !Self.passed.contains(where: { name.hasPrefix($0) }), !isPinned(document.statements[index]) else { return }
    demand(
      PolicyCondition(ConditionOperator(.stringEquals), key: "aws:SourceAccount", values: [needs.role.account]),
      of: .service(name),
      in: index)
    problems.append(
      ("it trusts the service \(name) on behalf of any account: aws:SourceAccount is missing (confused deputy)", isRepaired: true)
    )
  }

  /// Adds a condition for one principal of a statement; the others go on without it.
  private mutating func demand(_ condition: PolicyCondition, of principal: Principal, in index: Int) {
    guard let all = repaired.statements[index].principals?.principals, all.count > 1 else {
      return repaired.statements[index].demand(condition)
    }
    var own = repaired.statements[index]
    (own.sid, own.principals) = (nil, PrincipalElement([principal]))
    own.demand(condition)
    repaired.statements.append(own)
    repaired.statements[index].principals?.principals.removeAll { $0 == principal }
  }

  /// A provider that many share vouches for everybody's jobs: the subject says whose.
  private mutating func federated(_ provider: String, _ index: Int) {
    let shared = ["token.actions.githubusercontent.com", "gitlab.com", "app.terraform.io", "oidc.circleci.com"]
    guard let host = shared.first(where: { provider.hasSuffix("/" + $0) || provider == $0 }) else { return }
    let subject = document.statements[index].conditions.filter {
      $0.key.lowercased() == host + ":sub" && !$0.test.comparison.isNegated
    }
    // Conditions are joined by "and", the values of one by "or".
    guard subject.allSatisfy({ $0.values.contains { !Self.namesOwner($0) } }) else { return }
    let whose = subject.isEmpty ? "no condition on \(host):sub says whose" : "\(host):sub has a pattern for every owner's"
    problems.append(("it trusts every job of \(host): \(whose)", isRepaired: false))
  }

  /// Whether a subject names its owner and project without a wildcard: `repo:ORG/REPO:…`, `project_path:GROUP/PROJECT:…`.
  private static func namesOwner(_ subject: String) -> Bool {
    let parts = subject.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count > 1 else { return !subject.contains("*") && !subject.contains("?") }
    return !parts[0].contains("*") && !parts[1].contains("*") && !parts[1].contains("?")
  }

  /// Whether a condition says which callers of an account, or which accounts of a service, are meant.
  private func isPinned(_ statement: Statement) -> Bool {
    let keys = [
      "sts:externalid", "aws:principalorgid", "aws:principalorgpaths", "aws:principalarn", "aws:principalaccount",
      "aws:sourceaccount",
      "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:userid", "saml:aud",
    ]
    return statement.conditions.contains { condition in
      keys.contains(condition.key.lowercased()) && !condition.test.comparison.isNegated && condition.test.comparison != .null
        && !condition.test.ifExists && !condition.values.contains("*")
    }
  }

  private var callerAccount: String? { check.request?.caller.account ?? needs.door.account }

  private static func account(_ principal: String) -> String? {
    if principal.utf8.count == 12, principal.utf8.allSatisfy({ (48...57).contains($0) }) { return principal }
    let parts = principal.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    return parts.count == 6 && parts[4].utf8.count == 12 ? String(parts[4]) : nil
  }

  /// Takes out a principal that does not last, and lets the caller in by one that does. Everybody else keeps what they have.
  private mutating func replace(_ principal: String, in index: Int) {
    guard addCaller() else { return }
    repaired.statements[index].principals?.principals.removeAll { $0 == .aws(principal) || principal == "*" && $0 == .anyone }
  }

  /// Adds a statement for the caller alone, once.
  ///
  /// - Returns: whether it is there; false if the caller cannot be named.
  @discardableResult
  private mutating func addCaller() -> Bool {
    guard let (principal, condition) = lasting else { return false }
    guard !isCallerAdded else { return true }
    isCallerAdded = true
    var conditions = [condition]
    if let id = needs.sent.externalId {
      conditions.append(PolicyCondition(ConditionOperator(.stringEquals), key: "sts:ExternalId", values: [id]))
    }
    repaired.statements.append(
      Statement(
        principals: PrincipalElement([principal]), actions: PatternElement(needs.trustedActions), conditions: conditions))
    return true
  }

  /// The account of the caller, and a condition that names the caller in a form that outlives its being made again.
  private var lasting: (Principal, PolicyCondition)? {
    let caller: TrustedCaller
    switch needs.door {
    case .permissionSet(let name, let account, let region): caller = .permissionSet(name: name, account: account, region: region)
    case .role(let role): caller = .role(role)
    default:
      guard let user = check.request?.caller.arn.flatMap(IAMUser.init) else { return nil }
      caller = .user(user)
    }
    let trust = TrustPolicy(caller, of: needs.role, actions: [], conditions: TrustConditions(), region: needs.region)
    let statement = trust.document.statements.first
    guard let principal = statement?.principals?.principals.first, let condition = statement?.conditions.first else { return nil }
    return (principal, condition)
  }

  // MARK: whether it allows the call

  mutating func judge() {
    if case .succeeded = check.snapshot.outcome { return }
    guard let decision = check.decision else {
      if problems.isEmpty { unknowns.append("whether it allows the call of \(check.callerName) is known to AWS alone") }
      return
    }
    for refusal in decision.refusals where refusal.side == .trustPolicy { judge(refusal) }
  }

  private mutating func judge(_ refusal: AssumeRoleDecision.Refusal) {
    if refusal.isExplicit {
      let place = refusal.decision.statement
      let which = place?.sid.map { "the statement \($0)" } ?? "statement \((place?.statement ?? 0) + 1)"
      problems.append(("\(which) denies \(refusal.action)", isRepaired: false))
      return
    }
    let nearest = refusal.decision.nearMisses.min { Self.distance($0) < Self.distance($1) }
    guard let near = nearest else {
      problems.append(("no statement allows \(refusal.action)", isRepaired: false))
      return
    }
    let index = near.place.statement
    if near.mismatches.contains(.action) {
      missingAction(refusal.action, in: index, isForCaller: !near.mismatches.contains(.principal))
    }
    if near.mismatches.contains(.principal), !named.contains(index) {
      named.insert(index)
      let others = document.statements[index].principals?.principals.map { $0.parts.value } ?? []
      problems.append(("it names \(check.words(others)), not \(check.callerName)", isRepaired: addCaller()))
    }
    for case .condition(let condition, let actual) in near.mismatches { unmet(condition, actual: actual, in: index) }
  }

  /// A statement that allows the call itself is the one to which an action is added.
  private static func distance(_ near: PolicyDecision.NearMiss) -> Int {
    near.mismatches.reduce(0) { $0 + ($1 == .principal ? 10 : $1 == .action ? 4 : 1) }
  }

  private mutating func missingAction(_ action: String, in index: Int, isForCaller: Bool) {
    let why =
      switch action {
      case "sts:SetSourceIdentity": ", which is needed because the profile sends a source identity"
      case "sts:TagSession": ", which is needed because the profile sends tags"
      default: ""
      }
    problems.append(("it does not allow \(action)\(why)", isRepaired: true))
    if !isForCaller {
      addCaller()
    } else if !repaired.statements[index].actions.patterns.contains(action) {
      repaired.statements[index].actions.patterns.append(action)
    }
  }

  /// Condition keys whose values in the call are known here.
  private static let known: Set<String> = [
    "sts:externalid", "sts:sourceidentity", "sts:rolesessionname", "sts:transitivetagkeys", "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype", "aws:tagkeys", "aws:multifactorauthpresent", "aws:multifactorauthage", "aws:username", "aws:userid",
    "aws:securetransport",
  ]

  private mutating func unmet(_ condition: PolicyCondition, actual: [String]?, in index: Int) {
    let key = condition.key.lowercased()
    func repair(_ change: (inout PolicyCondition) -> Void) {
      for place in repaired.statements[index].conditions.indices where repaired.statements[index].conditions[place] == condition {
        change(&repaired.statements[index].conditions[place])
      }
    }
    switch key {
    case "aws:multifactorauthpresent", "aws:multifactorauthage":
      guard let never = needs.door.noMFA else {
        problems.append(("it demands MFA; the profile has no mfa_serial", isRepaired: false))
        return
      }
      // Others of the account can have MFA, and go on needing it.
      if repaired.statements[index].conditions.contains(where: { $0.key.lowercased() == "aws:principalarn" }) || !addCaller() {
        repaired.statements[index].conditions.removeAll { $0 == condition }
      }
      problems.append(("it demands MFA, which this call can never carry: \(never)", isRepaired: true))
    case "sts:externalid":
      let wanted = condition.values.prefix(4).map { "\"\($0.prefix(200))\"" }.joined(separator: " or ")
      if let sent = needs.sent.externalId {
        repair { $0.values.append(sent) }
        problems.append(("it wants the external ID \(wanted); the profile sends \"\(sent)\"", isRepaired: true))
      } else {
        problems.append(("it wants the external ID \(wanted); the profile has no external_id", isRepaired: false))
      }
    case "sts:sourceidentity" where actual == nil:
      problems.append(("it demands a source identity; the profile has no source_identity", isRepaired: false))
    case "aws:principalarn" where lasting != nil:
      guard !named.contains(index) else { return }
      named.insert(index)
      // The key is a role's own ARN and never a session's: nobody comes in by such a condition, and nobody loses it.
      if condition.values.allSatisfy({ $0.contains(":assumed-role/") }), let lasting {
        repaired.statements[index].conditions.removeAll { $0 == condition }
        repaired.statements[index].demand(lasting.1)
      } else {
        addCaller()
      }
      problems.append(
        ("it is for callers with \(AccountCheck.text(condition)); this one is \(AccountCheck.text(actual))", isRepaired: true))
    case _ where Self.known.contains(key) || key.hasPrefix("aws:requesttag/"):
      problems.append(
        (
          "it allows the call only where \(AccountCheck.text(condition)); the call has \(AccountCheck.text(actual))",
          isRepaired: false
        ))
    default:
      unknowns.append("it allows the call only where \(AccountCheck.text(condition)), which AWS alone can judge")
    }
  }
}

extension Statement {
  /// Adds a condition, in place of one that compares the same key in the same way: JSON has each name once.
  fileprivate mutating func demand(_ condition: PolicyCondition) {
    conditions.removeAll { $0.test == condition.test && $0.key.lowercased() == condition.key.lowercased() }
    conditions.append(condition)
  }
}
