import AWSPolicy
import SimulatorModel
import VaultModel

/// Who may assume a role that has a trust policy in JSON: the policies of both sides decide (`AssumeRoleDecision`).
struct PolicyTrust {
  let world: STSWorld
  let settings: STSSettings
  let now: Timestamp

  /// - Throws: the denial, in AWS's words.
  func require(
    _ caller: Caller, _ trustPolicy: String, _ parameters: AssumeRoleParameters, mfaNow: Bool
  ) throws(AWSError) {
    guard let who = RequestCaller(arn: caller.arn, role: caller.principal, id: caller.principalId) else {
      throw .notAuthorized(caller.arn, "AssumeRole", on: parameters.role.text)
    }
    let request = AssumeRoleRequest(
      caller: who, role: parameters.role, sessionName: parameters.sessionName, externalId: parameters.externalId,
      sourceIdentity: parameters.sourceIdentity ?? caller.session?.sourceIdentity,
      tags: Dictionary(parameters.tags.map { ($0.key, $0.value) }) { first, _ in first },
      transitiveTagKeys: parameters.tags.map(\.key).filter { parameters.transitiveKeys.contains($0.lowercased()) },
      inheritsTags: caller.session?.transitiveTags.isEmpty == false, keys: keys(caller, mfaNow: mfaNow))
    let decision = AssumeRoleDecision(
      request,
      AssumeRolePolicies(
        identity: try Self.read(identityPolicies(of: caller), .permissionSetInline), trust: try Self.read(trustPolicy, .trust),
        boundary: try boundary(of: caller).map { text throws(AWSError) in try Self.read(text, .managed) },
        session: try caller.session?.policies.map { texts throws(AWSError) in try Self.read(texts, .managed) },
        serviceControl: try world.serviceControlPolicies.map { texts throws(AWSError) in [try Self.read(texts, .managed)] }))
    if let refusal = decision.refusal {
      throw denial(refusal, caller.arn, on: parameters.role.text)
    }
  }

  /// Whether somebody with a token or an assertion may assume the role.
  ///
  /// - Parameters:
  ///   - provider: the ARN of the identity provider.
  ///   - claims: the condition keys that follow from the token.
  func allows(
    provider: String, claims: ContextKeys, _ role: RoleARN, sessionName: String, _ trustPolicy: String
  ) throws(AWSError) -> Bool {
    let request = AssumeRoleRequest(caller: .federated(provider), role: role, sessionName: sessionName, keys: claims)
    return AssumeRoleDecision(request, AssumeRolePolicies(trust: try Self.read(trustPolicy, .trust))).isAllowed
  }

  /// The condition keys of a call (IAM User Guide, "AWS global condition context keys").
  private func keys(_ caller: Caller, mfaNow: Bool) -> ContextKeys {
    var keys: ContextKeys = [
      "aws:CurrentTime": [now.iso8601], "aws:EpochTime": ["\(now.seconds)"],
      "aws:SourceIp": [settings.sourceAddress ?? "127.0.0.1"],
      "aws:ViaAWSService": ["false"], "aws:PrincipalIsAWSService": ["false"],
    ]
    keys["aws:PrincipalOrgID"] = world.organization.map { [$0] }
    // Absent with a long-lived key. What AssumeRole issues carries no word of MFA ("Secure API access with MFA").
    if mfaNow { keys["aws:MultiFactorAuthPresent"] = ["true"] }
    if let session = caller.session {
      keys["aws:TokenIssueTime"] = [session.issuedAt.iso8601]
      keys["aws:SourceIdentity"] = session.sourceIdentity.map { [$0] }
      for tag in session.tags { keys["aws:PrincipalTag/\(tag.key)"] = [tag.value] }
      if !caller.isRole, !mfaNow { keys["aws:MultiFactorAuthPresent"] = [caller.mfa ? "true" : "false"] }
      if caller.mfa { keys["aws:MultiFactorAuthAge"] = ["\(now.since(session.issuedAt) / 1_000)"] }
    }
    if mfaNow { keys["aws:MultiFactorAuthAge"] = ["0"] }
    return keys
  }

  /// The caller's own policies; what ``STSWorld/User/mayAssume`` says is one of them.
  private func identityPolicies(of caller: Caller) -> [String] {
    let (roles, policies): ([String], [String])
    if caller.isRole {
      let role = world[role: caller.principal]
      (roles, policies) = (role?.mayAssume ?? [], (role?.policies ?? []) + (permissionSet(of: caller)?.policies ?? []))
    } else {
      let user = world.users.first { $0.arn == caller.principal }
      (roles, policies) = (user?.mayAssume ?? [], user?.policies ?? [])
    }
    guard !roles.isEmpty else { return policies }
    let actions = PatternElement(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
    return policies + [PolicyDocument([Statement(actions: actions, resources: PatternElement(roles))]).json.compact()]
  }

  private func boundary(of caller: Caller) -> String? {
    caller.isRole
      ? world[role: caller.principal]?.permissionsBoundary ?? permissionSet(of: caller)?.boundary
      : world.users.first { $0.arn == caller.principal }?.permissionsBoundary
  }

  /// The permission set whose role the caller has.
  private func permissionSet(of caller: Caller) -> (policies: [String], boundary: String?)? {
    guard let center = world.identityCenter else { return nil }
    for account in center.accounts {
      for name in account.roles where center.roleARN(account.id, name) == caller.principal {
        return (center.policies?[name] ?? [], center.permissionsBoundaries?[name])
      }
    }
    return nil
  }

  /// STS mostly names no reason: `User: … is not authorized to perform: sts:AssumeRole on resource: …`. So it is in what people
  /// report to aws/karpenter-provider-aws, to noqdev/iambic for `sts:SetSourceIdentity`, and to
  /// aws-actions/configure-aws-credentials for `sts:TagSession`. Where it names one, the words are those of the IAM User Guide,
  /// "Troubleshoot access denied error messages", whose examples for trust policies name no resource.
  private func denial(_ refusal: AssumeRoleDecision.Refusal, _ caller: String, on role: String) -> AWSError {
    let plain = AWSError.notAuthorized(caller, String(refusal.action.dropFirst("sts:".count)), on: role)
    guard settings.explainsDenials == true else { return plain }
    if refusal.side == .trustPolicy {
      let reason =
        refusal.isExplicit
        ? " with an explicit deny in the role trust policy" : " because no role trust policy allows the \(refusal.action) action"
      return .accessDenied("User: \(caller) is not authorized to perform: \(refusal.action)\(reason)")
    }
    let (article, noun) =
      switch refusal.side {
      case .identityPolicy: ("an", "identity-based policy")
      case .permissionsBoundary: ("a", "permissions boundary")
      case .sessionPolicy: ("a", "session policy")
      // "The error message can include the phrase … even if the denial is implicit."
      case .serviceControlPolicy: ("a", "service control policy")
      case .resourceControlPolicy: ("a", "resource control policy")
      case .trustPolicy: ("the", "role trust policy")
      }
    let isExplicit = refusal.isExplicit || refusal.side == .serviceControlPolicy
    let reason =
      isExplicit ? " with an explicit deny in \(article) \(noun)" : " because no \(noun) allows the \(refusal.action) action"
    return .accessDenied(plain.message + reason)
  }

  private static func read(_ texts: [String], _ kind: PolicyKind) throws(AWSError) -> [PolicyDocument] {
    var documents: [PolicyDocument] = []
    for text in texts { documents.append(try read(text, kind)) }
    return documents
  }

  /// A session policy has been checked by STS's rules alone, and so may be refused here.
  private static func read(_ text: String, _ kind: PolicyKind) throws(AWSError) -> PolicyDocument {
    do { return try PolicyDocument(JSONText(Array(text.utf8)), kind: kind) } catch {
      throw .malformedPolicy("\(error)")
    }
  }

  /// Refuses a world with a policy that is none: it would only be found by a call that needs it.
  static func check(_ world: STSWorld) throws(AWSError) {
    for role in world.roles { if let text = role.trustPolicy { _ = try read(text, .trust) } }
    let center = world.identityCenter
    let identity =
      world.roles.flatMap { $0.policies ?? [] } + world.users.flatMap { $0.policies ?? [] }
      + (center?.policies ?? [:]).values.joined()
    _ = try read(Array(identity), .permissionSetInline)
    let managed =
      world.roles.compactMap(\.permissionsBoundary) + world.users.compactMap(\.permissionsBoundary)
      + (world.serviceControlPolicies ?? []) + (world.managedPolicies ?? [:]).values
      + (center?.permissionsBoundaries ?? [:]).values
    _ = try read(managed, .managed)
  }
}
