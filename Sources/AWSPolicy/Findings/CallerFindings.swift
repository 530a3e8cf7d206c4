import VaultModel

// What the caller may do: the call, and what it should not do directly.
extension AccountCheck {
  /// Whether the caller's own policies, its boundary and its organization allow the call.
  var assumePolicy: [Finding] {
    guard !needs.identityActions.isEmpty else { return [] }
    let what = "the policies of \(callerName)"
    if needsNoPolicy {
      return [
        Finding(
          .assumePolicy, .ok, detail: "the trust policy names the caller itself, whose own policies need not allow the call")
      ]
    }
    if let simulated = snapshot.simulation.value {
      let denied = simulated.filter { !$0.isAllowed }
      guard !denied.isEmpty else {
        return [Finding(.assumePolicy, .ok, detail: "\(what) allow \(words(simulated.map(\.action))) on \(needs.role.text)")]
      }
      return [denial(denied)]
    }
    guard policies.identity != nil, let decision else {
      return [unread(.assumePolicy, what, by: snapshot.simulation.obstacle ?? caller?.policies.obstacle)]
    }
    let refusals = decision.refusals.filter { $0.side != .trustPolicy }
    guard let first = refusals.first else {
      return [Finding(.assumePolicy, .ok, detail: "\(what) allow \(words(needs.identityActions)) on \(needs.role.text)")]
    }
    let actions = refusals.map(\.action).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    if first.side == .permissionsBoundary {
      return [
        Finding(
          .assumePolicy, .differs,
          detail:
            "the permissions boundary \(caller?.boundary.value?.name ?? "") of \(callerName) does not allow \(words(actions))")
      ]
    }
    return [
      Finding(
        .assumePolicy, .differs, detail: "\(what) \(reason(first.decision, actions))",
        fix: first.isExplicit ? nil : addition(actions))
    ]
  }

  private func denial(_ denied: [SimulatedAction]) -> Finding {
    let actions = words(denied.map(\.action))
    if denied.contains(where: { $0.isAllowedByOrganization == false }) {
      return Finding(
        .assumePolicy, .differs, detail: "a service control policy of the organization does not allow \(callerName) \(actions)")
    }
    if denied.contains(where: { $0.isAllowedByBoundary == false }) {
      return Finding(.assumePolicy, .differs, detail: "the permissions boundary of \(callerName) does not allow \(actions)")
    }
    let isExplicit = denied.contains(where: \.isExplicitDeny)
    var why = isExplicit ? "deny \(actions) on \(needs.role.text)" : "do not allow \(actions) on \(needs.role.text)"
    if let refusal = decision?.refusals.first(where: { $0.side == .identityPolicy }) {
      why = reason(refusal.decision, denied.map(\.action))
    }
    return Finding(
      .assumePolicy, .differs, detail: "the policies of \(callerName) \(why)",
      fix: isExplicit ? nil : addition(denied.map(\.action)))
  }

  private func reason(_ decision: PolicyDecision, _ actions: [String]) -> String {
    if decision.outcome == .explicitDeny {
      return "deny \(words(actions)) on \(needs.role.text)"
        + (decision.statement?.sid.map { " (statement \($0))" } ?? "")
    }
    let near = decision.nearMisses.first { !$0.mismatches.contains(.action) }
    if let near, near.mismatches == [.resource], let statement = statement(near.place) {
      return "allow \(words(actions)) on \(words(statement.resources?.patterns ?? [])), not on \(needs.role.text)"
    }
    if let near, case .condition(let condition, let actual)? = near.mismatches.first {
      return "allow \(words(actions)) only where \(Self.text(condition)); the call has \(Self.text(actual))"
    }
    return "do not allow \(words(actions)) on \(needs.role.text)"
  }

  private func statement(_ place: PolicyDecision.StatementPlace) -> Statement? {
    guard let identity = policies.identity, identity.indices.contains(place.policy),
      identity[place.policy].statements.indices.contains(place.statement)
    else { return nil }
    return identity[place.policy].statements[place.statement]
  }

  /// Whether the trust policy makes policies of the caller's own needless.
  private var needsNoPolicy: Bool {
    guard let request, let trust = policies.trust, decision?.refusals.allSatisfy({ $0.side == .trustPolicy }) == true else {
      return false
    }
    let alone = AssumeRoleDecision(request, AssumeRolePolicies(identity: [], trust: trust))
    return !alone.refusals.contains { $0.side == .identityPolicy }
  }

  /// The policy to add to the caller's. A permission set has one inline policy, and so gets that with what is added.
  private func addition(_ actions: [String]) -> Finding.Fix {
    let statement = Statement(.allow, actions: PatternElement(actions), resources: PatternElement([needs.role.text]))
    guard case .permissionSet = needs.door else { return fix(PolicyDocument([statement])) }
    let known = snapshot.permissionSet?.value?.policies.value?.first { $0.name == PermissionSetSnapshot.inlinePolicy }
    guard var document = known.flatMap({ Self.document($0.text, .permissionSetInline) }) else { return onlyTheRole }
    let same = document.statements.firstIndex {
      $0.effect == .allow && $0.resources == statement.resources && $0.conditions.isEmpty && !$0.actions.isNegated
    }
    if let same { document.statements[same].actions.patterns += actions } else { document.statements.append(statement) }
    return fix(document)
  }

  /// The policy of a caller that may do nothing but assume the role.
  private var onlyTheRole: Finding.Fix {
    fix(
      PolicyDocument([
        Statement(
          sid: "AssumeRole", .allow, actions: PatternElement(needs.identityActions), resources: PatternElement([needs.role.text]))
      ]))
  }

  private func fix(_ document: PolicyDocument) -> Finding.Fix {
    Finding.Fix(document: document.json, terraform: Terraform.policy(document, of: needs.door, caller: caller?.arn))
  }

  /// The permission set, user or role, as a person knows it.
  var callerName: String {
    switch needs.door {
    case .permissionSet(let name, _, _): "the permission set \(name)"
    case .role(let role): "the role \(role.name)"
    default: caller?.arn ?? "the caller"
    }
  }

  // MARK: direct access

  /// The actions that a person needs for the way over the role, and those that `vault iam check` itself reads with.
  private static let harmless: Set<String> = [
    "sts:assumerole", "sts:setsourceidentity", "sts:tagsession", "sts:getcalleridentity", "sts:decodeauthorizationmessage",
    "sts:getaccesskeyinfo", "iam:getrole", "iam:listattachedrolepolicies", "iam:listrolepolicies", "iam:getrolepolicy",
    "iam:getpolicy", "iam:getpolicyversion", "iam:simulateprincipalpolicy", "iam:generateservicelastaccesseddetails",
    "iam:getservicelastaccesseddetails", "sso:listinstances", "sso:listpermissionsets",
    "sso:listpermissionsetsprovisionedtoaccount",
    "sso:describepermissionset", "sso:getinlinepolicyforpermissionset", "sso:listmanagedpoliciesinpermissionset",
    "sso:listcustomermanagedpolicyreferencesinpermissionset", "sso:getpermissionsboundaryforpermissionset",
    "sso:listaccountassignments", "identitystore:describegroup",
  ]

  /// Whether a permission set lets the person do more than assume roles.
  var directAccess: [Finding] {
    guard case .permissionSet(let name, _, _) = needs.door, let set = snapshot.permissionSet else { return [] }
    // What the account has of it counts only where the permission set itself cannot be read.
    let reading: Reading<[AttachedPolicy]> =
      switch set {
      case .found(let set) where set.policies.value != nil: set.policies
      case .absent: .absent
      default: caller.map(\.policies) ?? .unread(set.obstacle ?? .permission("sso:GetInlinePolicyForPermissionSet"))
      }
    guard case .found(let attached) = reading else {
      if case .absent = reading { return [] }
      return [unread(.directAccess, "the policies of the permission set \(name)", by: reading.obstacle)]
    }
    var more: [String] = []
    var allRoles = false
    var isUnclear = false
    for policy in attached {
      if policy.isAWSManaged {
        more.append(policy.name)
        continue
      }
      guard let document = Self.document(policy.text, .permissionSetInline) else {
        isUnclear = true
        continue
      }
      for statement in document.statements where statement.effect == .allow {
        if statement.actions.isNegated {
          more.append("all but \(words(statement.actions.patterns))")
        } else {
          more += statement.actions.patterns.filter { !Self.harmless.contains($0.lowercased()) }
        }
        let assumes = statement.actions.patterns.contains { $0.lowercased() == "sts:assumerole" }
        if assumes, statement.resources?.patterns.contains(where: { $0 == "*" || $0.hasSuffix(":role/*") }) == true {
          allRoles = true
        }
      }
    }
    more += set.value?.references.map { "the policy \($0)" } ?? []
    let fix = onlyTheRole
    if !more.isEmpty {
      return [
        Finding(
          .directAccess, .differs,
          detail: "the permission set \(name) gives direct access beyond sts:AssumeRole: \(words(more))", fix: fix)
      ]
    }
    if allRoles {
      return [
        Finding(
          .directAccess, .differs,
          detail: "the permission set \(name) may assume every role that trusts its account, not \(needs.role.name) alone",
          fix: fix)
      ]
    }
    if isUnclear { return [Finding(.directAccess, .unknown, detail: "a policy of the permission set \(name) cannot be parsed")] }
    return [Finding(.directAccess, .ok, detail: "the permission set \(name) may only assume roles")]
  }

  // MARK: words

  /// `a, b and c`; of a long list, the beginning.
  func words(_ list: [String]) -> String {
    let shown = list.prefix(6).map { String($0.prefix(200)) }
    if list.count > shown.count { return shown.joined(separator: ", ") + " and \(list.count - shown.count) more" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "nothing" }
    return shown.dropLast().joined(separator: ", ") + " and " + last
  }

  static func text(_ condition: PolicyCondition) -> String {
    "\(condition.key) \(condition.test.name) \(condition.values.prefix(4).map { "\"\($0.prefix(200))\"" }.joined(separator: " or "))"
  }

  static func text(_ actual: [String]?) -> String {
    actual.map { $0.prefix(4).map { "\"\($0.prefix(200))\"" }.joined(separator: ", ") } ?? "none"
  }
}
