import VaultModel

/// The statements that would have allowed a refused call.
struct DenialStatements {
  let denial: Denial
  let call: AccessNeeds?
  let caller: CallerName?

  var role: RoleARN? { denial.role ?? call?.role }

  /// What the caller needs for `AssumeRole` with all that the profile sends, and what AWS's words miss.
  var actions: [String] {
    var actions = call?.trustedActions ?? ["sts:AssumeRole"]
    for extra in ["sts:SetSourceIdentity", "sts:TagSession"]
    where denial.action?.lowercased() == extra.lowercased() && !actions.contains(extra) {
      actions.append(extra)
    }
    return actions
  }

  /// The statement for the caller's own policy.
  var identity: PolicyDocument? {
    if denial.isAssumeRole || denial.action == nil {
      guard let role else { return nil }
      return PolicyDocument([Statement(actions: PatternElement(actions), resources: PatternElement([role.text]))])
    }
    // Without a resource in AWS's words, a statement would have to allow the action on everything.
    guard let action = denial.action, let resource else { return nil }
    return PolicyDocument([Statement(actions: PatternElement([action]), resources: PatternElement([resource]))])
  }

  /// The same for the policy of a VPC endpoint, which names whom it is for (AWS PrivateLink Guide, "Control access to VPC endpoints
  /// using endpoint policies").
  var endpoint: PolicyDocument? {
    guard var document = identity else { return nil }
    document.statements[0].principals = PrincipalElement([.anyone])
    return document
  }

  /// The resource as a policy names it.
  private var resource: String? {
    guard let words = denial.resource else { return nil }
    if words.hasPrefix("arn:") || words == "*" { return words }
    // IAM's own: "user ann".
    let parts = words.split(separator: " ")
    guard parts.count == 2, ["user", "role", "group", "policy"].contains(parts[0]), denial.action?.hasPrefix("iam:") == true,
      let caller
    else { return nil }
    return "arn:\(caller.partition):iam::\(caller.account):\(parts[0])/\(parts[1])"
  }

  /// The statement for the role's trust policy, in the form that lasts (``TrustPolicy``): never a session's ARN, which names one
  /// person's session.
  var trust: PolicyDocument? {
    guard let caller, let role, let trusted = trusted(caller) else { return nil }
    var conditions = TrustConditions()
    conditions.externalId = call?.sent.externalId
    var document = TrustPolicy(
      trusted, of: role, actions: Array(actions.dropFirst()), conditions: conditions, region: nil
    ).document
    if case .role(let known) = trusted, known.text != chained?.text, caller.session != nil {
      // The session's ARN does not have the role's path.
      let name = "arn:\(caller.partition):iam::\(caller.account):role/"
      let condition = PolicyCondition(
        ConditionOperator(.arnLike), key: "aws:PrincipalArn", values: [name + known.name, name + "*/" + known.name])
      for index in document.statements.indices {
        document.statements[index].conditions.removeAll { $0.key == condition.key }
        document.statements[index].conditions.insert(condition, at: 0)
      }
    }
    return document
  }

  /// The role that signed, with its path, if the vault assumed it.
  private var chained: RoleARN? { if case .role(let role)? = call?.door { role } else { nil } }

  private func trusted(_ caller: CallerName) -> TrustedCaller? {
    switch caller.kind {
    case .user: return IAMUser(caller.arn).map { .user($0) }
    case .permissionSet(let name):
      var region = "*"
      if case .permissionSet(_, _, let known)? = call?.door { region = known }
      return .permissionSet(name: name, account: caller.account, region: region)
    case .role(let name):
      if let chained, chained.name == name, chained.account == caller.account { return .role(chained) }
      let arn = caller.session == nil ? caller.arn : "arn:\(caller.partition):iam::\(caller.account):role/\(name)"
      return RoleARN(arn).map { .role($0) }
    case .root, .federated: return nil
    }
  }
}
