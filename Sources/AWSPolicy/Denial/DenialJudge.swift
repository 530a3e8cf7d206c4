import VaultModel

/// Finds the side that refused, from AWS's words and what the vault knows of the call.
struct DenialJudge {
  let denial: Denial
  let call: AccessNeeds?
  let clockOffset: Int64
  let caller: CallerName?
  let statements: DenialStatements

  static let more = "`vault iam why` explains it"

  init(_ denial: Denial, _ call: AccessNeeds?, clockOffset: Int64) {
    self.denial = denial
    self.call = call
    self.clockOffset = clockOffset
    caller = denial.principal.flatMap { CallerName($0) }
    statements = DenialStatements(denial: denial, call: call, caller: caller)
  }

  func cause() -> DenialCause {
    if let cause = withoutPolicy() { return cause }
    if denial.isExplicit, denial.policyType == nil { return deniedSomewhere() }
    switch denial.action?.lowercased() {
    case "sts:tagsession" where denial.policyType == nil: return passed(.tags)
    case "sts:setsourceidentity" where denial.policyType == nil: return passed(.sourceIdentity)
    default: break
    }
    if let type = denial.policyType { return refused(by: type) }
    if let cause = withoutReason() { return cause }
    if denial.isFederated { return federated() }
    return denial.isAssumeRole ? assumeRole() : unnamed()
  }

  // MARK: who and what, in words

  var callerWords: String { caller?.shortWords ?? "the caller" }
  var actionWords: String { denial.action ?? denial.operation ?? "the call" }
  var role: RoleARN? { statements.role }
  var roleWords: String { role.map { "the role \($0.name)" } ?? "the role" }
  var resourceWords: String { denial.isAssumeRole ? roleWords : denial.resource ?? "the resource" }
  private var policyWords: String { denial.policyARN.map { " (\($0))" } ?? "" }

  /// Who can change the caller's own policies.
  var callersOwner: String {
    guard let caller else { return "an administrator of the caller's account, in the caller's policies" }
    let account = "an administrator of account \(caller.account)"
    switch caller.kind {
    case .user(let name): return "\(account), in a policy of the IAM user \(name) or of one of its groups"
    case .permissionSet(let name):
      return "an administrator of IAM Identity Center, in the permission set \(name), which is then provisioned again"
    case .role(let name): return "\(account), in a policy of the role \(name)"
    case .root: return "nobody: the root user has all permissions that the organization leaves it"
    case .federated: return "\(account), in the policies of the user who asked for the session"
    }
  }

  var trustOwner: String {
    role.map { "an administrator of account \($0.account), in the trust policy of the role \($0.name)" }
      ?? "an administrator of the role's account, in the role's trust policy"
  }

  var organization: String { "an administrator of the organization, in its management account" }

  // MARK: a policy that the words name

  private func refused(by type: Denial.PolicyType) -> DenialCause {
    let deny = denial.isExplicit
    let statement = denial.sid.map { "The statement \($0)" } ?? "A Deny statement"
    func cause(
      _ side: DenialCause.Side, _ policy: String, who: String, add document: PolicyDocument? = nil, note: String = "",
      hint: String? = nil
    ) -> DenialCause {
      let what =
        deny
        ? "\(statement) in \(policy)\(policyWords) denies \(actionWords) on \(resourceWords) to \(callerWords). No Allow elsewhere "
          + "outweighs it: the statement itself must be narrowed or removed."
        : "No statement in \(policy) allows \(callerWords) to perform \(actionWords) on \(resourceWords)."
      let short = deny ? "\(policy) denies \(actionWords)" : "\(policy) does not allow \(actionWords)"
      return DenialCause(
        side, denial, explanation: note.isEmpty ? what : what + " " + note, hint: (hint ?? short) + "; " + Self.more,
        fix: DenialCause.Fix(who: who, document: deny ? nil : document))
    }
    func trustPolicy() -> DenialCause {
      cause(
        .trustPolicy, "the trust policy of \(roleWords)", who: trustOwner, add: statements.trust,
        note: !deny && type == .resource ? accountTrust : "")
    }
    switch type {
    case .identity:
      let policy = deny ? "a policy of \(callerWords)" : "the policies of \(callerWords)"
      return cause(
        .identityPolicy, policy, who: callersOwner, add: statements.identity, note: directUse,
        hint: deny ? nil : "\(policy) do not allow \(actionWords)")
    case .trust: return trustPolicy()
    case .resource where denial.isAssumeRole: return trustPolicy()
    case .resource:
      // The words of `refusedBy` have none for a bucket's or a key's policy.
      return cause(
        .unknown, "the resource-based policy of \(resourceWords)",
        who: "whoever owns \(resourceWords), in its resource-based policy",
        note: deny
          ? ""
          : "AWS says this also where that policy names the whole account and the caller's own policies lack the permission.")
    case .boundary:
      return cause(
        .permissionsBoundary, "the permissions boundary of \(callerWords)",
        who: caller.map { "an administrator of account \($0.account), in the permissions boundary of \(callerWords)" }
          ?? "an administrator of the caller's account", add: statements.identity,
        note: deny ? "" : "The boundary limits what the caller's other policies can give.")
    case .session:
      let own = call.map { $0.sent.sessionPolicy != nil || !$0.sent.sessionPolicyARNs.isEmpty } ?? false
      return cause(
        .sessionPolicy, "the session policy with which the session was made",
        who: own
          ? "you: the settings policy and policy_arns of the profile \(call?.profile ?? "") limit its sessions"
          : "whoever makes the session: the caller passes a session policy when it assumes the role",
        add: statements.identity, note: deny ? "" : "A session has what both the role and its session policy allow.")
    case .serviceControl:
      return cause(
        .scp, "a service control policy of the organization", who: organization, add: nil,
        // IAM User Guide, "Troubleshoot access denied error messages".
        note: deny
          ? "AWS may say this also where no service control policy allows the action."
          : "Every level of the organization, from the root to the account, must allow the action.")
    case .resourceControl:
      return cause(.rcp, "a resource control policy of the organization that owns \(resourceWords)", who: organization)
    case .endpoint:
      return cause(
        .endpointPolicy, "the policy of the VPC endpoint that the call went through",
        who: "whoever runs the VPC, in the policy of the endpoint",
        add: statements.endpoint, note: "The same call by another way to AWS, outside that VPC, is not judged by it.")
    }
  }

  /// A permission set whose holder called AWS with it, and not with the role that it is there to assume.
  private var directUse: String {
    guard case .permissionSet? = caller?.kind, !denial.isAssumeRole, !denial.isExplicit else { return "" }
    return
      "The call was signed with the permission set itself. If its only use is to assume an application's role, run the command "
      + "with that role's profile: vault exec PROFILE."
  }

  private var accountTrust: String {
    "AWS says this also where the trust policy names the whole account and the caller's own policies lack sts:AssumeRole on "
      + "the role."
  }

  // MARK: what AssumeRole sends along

  /// `sts:TagSession` or `sts:SetSourceIdentity`, which both the caller's policy and the trust policy must allow (IAM User Guide,
  /// "Pass session tags in AWS STS", "Monitor and control actions taken with assumed roles").
  private func passed(_ side: DenialCause.Side) -> DenialCause {
    let isTags = side == .tags
    let (what, permission) = isTags ? ("session tags", "sts:TagSession") : ("a source identity", "sts:SetSourceIdentity")
    let sends = call.map { isTags ? $0.carriesTags : $0.sent.sourceIdentity != nil }
    var text = "AssumeRole was to pass \(what), and \(permission) on \(roleWords) is not allowed to \(callerWords). "
    switch sends {
    case true?:
      let value =
        isTags ? "tags (\(call?.tagKeys.joined(separator: ", ") ?? ""))" : "source_identity (\(call?.sent.sourceIdentity ?? ""))"
      text += "The profile \(call?.profile ?? "") sends \(value). "
    case false?:
      text +=
        "The profile sends none: the session that signed the call carries "
        + (isTags ? "transitive tags, which are passed on. " : "one, which is passed on and cannot be changed. ")
    case nil: break
    }
    text +=
      "Both the trust policy of the role and the caller's own policy must allow \(permission); AWS does not say which one lacks it."
    let hint =
      sends == true
      ? "the profile sends \(what): the trust policy of \(role?.name ?? "the role") and your own policy must allow \(permission)"
      : "the trust policy of \(role?.name ?? "the role") and your own policy must allow \(permission)"
    return DenialCause(
      side, denial, explanation: text, hint: hint + "; " + Self.more,
      fix: DenialCause.Fix(who: trustOwner + "; and " + callersOwner, document: statements.trust ?? statements.identity),
      possible: [
        .init(
          side: .trustPolicy, explanation: "The trust policy does not allow \(permission).",
          fix: .init(who: trustOwner, document: statements.trust)),
        .init(
          side: .identityPolicy, explanation: "The policies of \(callerWords) do not allow \(permission) on the role.",
          fix: .init(who: callersOwner, document: statements.identity)),
      ])
  }

  // MARK: an identity provider's token

  private func federated() -> DenialCause {
    let claims =
      "The role's trust policy must name the identity provider as a Federated principal and allow "
      + "\(denial.action ?? "sts:" + (denial.operation ?? "")); its conditions must match the token's claims exactly "
      + "(audience, subject), including case. "
    return DenialCause(
      .trustPolicy, denial,
      explanation: claims
        + "Nothing else of the role's account judges this call but a resource control policy: a token is no caller with "
        + "policies of its own. AWS gives no further reason.",
      hint: "the role's trust policy must name this identity provider, and allow the token's claims (audience, subject); "
        + Self.more,
      fix: DenialCause.Fix(who: trustOwner))
  }

  // MARK: words without a reason

  /// Another call than AssumeRole, without the reason.
  private func unnamed() -> DenialCause {
    let possible = [
      DenialCause.Possibility(
        side: .identityPolicy, explanation: "The policies of \(callerWords) do not allow \(actionWords). \(directUse)".trimmed,
        fix: denial.action == nil ? nil : .init(who: callersOwner, document: statements.identity)),
      DenialCause.Possibility(
        side: .unknown,
        explanation: "The resource's own policy does not allow the caller (a bucket, a key, a queue of another account).",
        fix: .init(who: "whoever owns \(resourceWords)")),
      DenialCause.Possibility(
        side: .scp, explanation: "A policy of the organization (SCP or RCP) or a permissions boundary refuses.",
        fix: .init(who: organization)),
    ]
    let what =
      denial.isEvaluated
      ? "No policy allows \(callerWords) to perform \(actionWords) on \(resourceWords). AWS does not say which side lacks it."
      : "AWS refused \(actionWords) to \(callerWords), and gives no reason."
    return DenialCause(
      .unknown, denial, explanation: what,
      hint: caller.map { "you are \($0.arn); its permissions do not allow \(actionWords)" }
        ?? "the caller's permissions do not allow \(actionWords)", possible: possible)
  }
}

extension String {
  var trimmed: String { hasSuffix(" ") ? String(dropLast()) : self }
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension AccessNeeds {
  /// The keys of the session tags that the call sends or passes on.
  var tagKeys: [String] { (sent.tags + sent.inheritedTags).map(\.key) }
  var carriesTags: Bool { !tagKeys.isEmpty }
}
