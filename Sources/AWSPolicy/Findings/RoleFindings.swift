import VaultModel

// The role that is assumed: its limits and what it may do.
extension AccountCheck {
  var role: [Finding] {
    switch snapshot.role {
    case .absent: return [Finding(.role, .differs, detail: "account \(needs.role.account) has no role \(needs.role.name)")]
    case .unread(let obstacle):
      return [
        unread(.role, "the role \(needs.role.name)", by: obstacle),
        unread(.maxSessionDuration, "the role's maximum", by: obstacle),
      ]
    case .found(let role):
      guard role.arn == needs.role.text else {
        return [
          Finding(.role, .differs, detail: "the role \(needs.role.name) is \(role.arn); the profile names \(needs.role.text)"),
          duration(role),
        ]
      }
      return [Finding(.role, .ok, detail: "\(role.arn) exists"), duration(role)]
    }
  }

  private func duration(_ role: RoleSnapshot) -> Finding {
    let (wanted, most) = (needs.sent.seconds, role.maxSessionDuration)
    guard wanted > most else {
      return Finding(.maxSessionDuration, .ok, detail: "\(wanted) s are asked for, of at most \(most) s")
    }
    return Finding(
      .maxSessionDuration, .differs, detail: "the role's sessions last \(most) s at most; the profile asks for \(wanted) s",
      fix: Finding.Fix(terraform: Terraform.role(needs.role, ("max_session_duration", "\(wanted)"))))
  }

  // MARK: what the role may do

  /// Whether the role's policies allow whole services that it never used.
  var applicationPolicy: [Finding] {
    guard let role = snapshot.role.value else { return [] }
    guard let attached = role.policies.value else {
      return [unread(.applicationPolicy, "the policies of the role \(needs.role.name)", by: role.policies.obstacle)]
    }
    guard !attached.isEmpty else {
      return [Finding(.applicationPolicy, .differs, detail: "the role \(needs.role.name) has no policy, and may do nothing")]
    }
    var findings: [Finding] = []
    for policy in attached {
      guard let document = Self.document(policy.text, .roleInline) else {
        findings.append(Finding(.applicationPolicy, .unknown, detail: "the policy \(policy.name) cannot be parsed"))
        continue
      }
      let broad = Self.broadServices(document)
      guard !broad.isEmpty else { continue }
      guard case .found(let report) = role.usedServices, let report else {
        findings.append(
          Finding(
            .applicationPolicy, .unknown,
            detail: "the policy \(policy.name) allows \(words(broad)) on every resource; what of it is used is not known",
            missingPermission: role.usedServices.obstacle?.missingPermission))
        continue
      }
      if let finding = unused(policy, document, broad: broad, report: report) { findings.append(finding) }
    }
    if !findings.isEmpty { return findings }
    return [Finding(.applicationPolicy, .ok, detail: "no policy of the role allows a whole service that it never used")]
  }

  private func unused(_ policy: AttachedPolicy, _ document: PolicyDocument, broad: [String], report: [String: Bool]) -> Finding? {
    let used = report.filter(\.value).keys.sorted()
    let isEverything = broad.contains("*")
    let never =
      isEverything
      ? report.filter { !$0.value }.keys.sorted() : broad.map { String($0.dropLast(2)) }.filter { report[$0] == false }
    guard !never.isEmpty else { return nil }
    var narrowed = document
    for index in narrowed.statements.indices where Self.isBroad(narrowed.statements[index]) {
      var patterns: [String] = []
      for pattern in narrowed.statements[index].actions.isNegated ? ["*"] : narrowed.statements[index].actions.patterns {
        if pattern == "*" {
          patterns += used.map { $0 + ":*" }
        } else if !never.contains(where: { $0 + ":*" == pattern.lowercased() }) {
          patterns.append(pattern)
        }
      }
      narrowed.statements[index].actions = PatternElement(patterns)
    }
    narrowed.statements.removeAll { $0.actions.patterns.isEmpty }
    let detail =
      isEverything
      ? "the policy \(policy.name) allows every action of every service; the role used only \(words(used))"
      : "the policy \(policy.name) allows \(words(never.map { $0 + ":*" })) on every resource, and the role never used it"
    return Finding(
      .applicationPolicy, .differs, detail: detail,
      fix: narrowed.statements.isEmpty
        ? nil : Finding.Fix(document: narrowed.json, terraform: Terraform.policy(narrowed, of: .role(needs.role), caller: nil)))
  }

  /// Whether a policy allows whole services on every resource: then it matters which of them were used.
  public static func allowWholeServices(_ policies: [AttachedPolicy]) -> Bool {
    policies.contains { document($0.text, .roleInline).map { !broadServices($0).isEmpty } ?? false }
  }

  private static func isBroad(_ statement: Statement) -> Bool {
    statement.effect == .allow && statement.conditions.isEmpty && statement.resources?.isNegated == false
      && statement.resources?.patterns.contains("*") == true
  }

  /// `*`, or `dynamodb:*`: what is allowed wholly, on every resource and without a condition.
  private static func broadServices(_ document: PolicyDocument) -> [String] {
    var services: Set<String> = []
    for statement in document.statements where isBroad(statement) {
      if statement.actions.isNegated { services.insert("*") }
      for pattern in statement.actions.patterns where !statement.actions.isNegated {
        let pattern = pattern.lowercased()
        if pattern == "*" || pattern == "*:*" {
          services.insert("*")
        } else if pattern.hasSuffix(":*") {
          services.insert(pattern)
        }
      }
    }
    return services.sorted()
  }

  // MARK: the permission set

  /// Whether the permission set exists, is in the account, and is given to somebody.
  var permissionSet: [Finding] {
    guard case .permissionSet(let name, let account, _) = needs.door, let reading = snapshot.permissionSet else { return [] }
    let set: PermissionSetSnapshot
    switch reading {
    case .absent: return [Finding(.permissionSet, .differs, detail: "IAM Identity Center has no permission set \(name)")]
    case .unread(let obstacle):
      return [
        unread(.permissionSet, "the permission set \(name)", by: obstacle),
        unread(.assignment, "its assignments", by: obstacle),
      ]
    case .found(let found): set = found
    }
    let provisioning =
      switch set.provisioning {
      case .found(.latest):
        Finding(
          .permissionSet, .ok,
          detail: "account \(account) has the latest version of \(name)"
            + (set.boundary.map { ", with the boundary \($0)" } ?? ""))
      case .found(.outdated):
        Finding(
          .permissionSet, .differs,
          detail: "account \(account) has an earlier version of \(name): provision it again (sso-admin, ProvisionPermissionSet)")
      case .found(.none), .absent:
        Finding(.permissionSet, .differs, detail: "\(name) is not provisioned in account \(account): nobody has it there")
      case .unread(let obstacle): unread(.permissionSet, "whether \(name) is provisioned", by: obstacle)
      }
    let assignment =
      switch set.assignees {
      case .found(let names) where !names.isEmpty:
        Finding(.assignment, .ok, detail: "\(name) in account \(account): \(words(names))")
      case .found, .absent:
        Finding(
          .assignment, .differs, detail: "nobody has \(name) in account \(account): the assignment is missing",
          fix: Finding.Fix(terraform: Terraform.assignment(of: name, account: account)))
      case .unread(let obstacle): unread(.assignment, "who has \(name) in account \(account)", by: obstacle)
      }
    return [provisioning, assignment]
  }
}
