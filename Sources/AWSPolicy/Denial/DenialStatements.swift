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
    guard let action = denial.action else { return nil }
    let resource = denial.resource.flatMap { $0.hasPrefix("arn:") ? $0 : nil } ?? "*"
    return PolicyDocument([Statement(actions: PatternElement([action]), resources: PatternElement([resource]))])
  }

  /// The statement for the role's trust policy, in the form that lasts: never a session's ARN, which names one person's session,
  /// and for a role its ARN in a condition, since a role in `Principal` is turned into an id that ends with it (IAM User Guide,
  /// "AWS JSON policy elements: Principal").
  var trust: PolicyDocument? {
    guard let caller, let door = door(caller) else { return nil }
    var conditions = door.conditions
    if let id = call?.sent.externalId { conditions.append(Self.equals("sts:ExternalId", id)) }
    return PolicyDocument([
      Statement(principals: PrincipalElement([.aws(door.principal)]), actions: PatternElement(actions), conditions: conditions)
    ])
  }

  private static func equals(_ key: String, _ value: String) -> PolicyCondition {
    PolicyCondition(ConditionOperator(.stringEquals), key: key, values: [value])
  }

  private func door(_ caller: CallerName) -> (principal: String, conditions: [PolicyCondition])? {
    let account = "arn:\(caller.partition):iam::\(caller.account):"
    func roles(_ names: [String]) -> (String, [PolicyCondition]) {
      (
        account + "root",
        [PolicyCondition(ConditionOperator(.arnLike), key: "aws:PrincipalArn", values: names.map { account + $0 })]
      )
    }
    switch caller.kind {
    case .user: return (caller.arn, [])
    case .permissionSet(let name):
      // Sixteen digits end the name; a region may stand before it (IAM Identity Center, "Referencing permission sets").
      let role = "AWSReservedSSO_\(name)_" + String(repeating: "?", count: 16)
      return roles(["role/aws-reserved/sso.amazonaws.com/\(role)", "role/aws-reserved/sso.amazonaws.com/*/\(role)"])
    case .role(let name):
      if case .role(let known)? = call?.door, known.name == name, known.text.hasPrefix(account) {
        return roles([String(known.text.dropFirst(account.count))])
      }
      if caller.session == nil { return roles([String(caller.arn.dropFirst(account.count))]) }
      // The session's ARN does not have the role's path.
      return roles(["role/\(name)", "role/*/\(name)"])
    case .root, .federated: return nil
    }
  }
}
