import AWSPolicy
import Testing
import VaultModel

/// Who may assume a role, by both sides' policies.
@Suite struct AssumeRoleTests {
  static let roleARN = "arn:aws:iam::123456789012:role/app"
  static let user = RequestCaller.user(arn: "arn:aws:iam::123456789012:user/alice")
  static let session = RequestCaller.roleSession(
    arn: "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/alice",
    role: "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Dev_0123456789abcdef")
  static let stranger = RequestCaller.user(arn: "arn:aws:iam::210987654321:user/eve")

  static func trust(_ principal: String, actions: String = "sts:AssumeRole", condition: String = "{}") throws -> PolicyDocument {
    try DocumentTests.read(
      #"""
      {"Version":"2012-10-17","Statement":{"Sid":"Trust","Effect":"Allow","Principal":\#(principal),
        "Action":[\#(quoted(actions))],"Condition":\#(condition)}}
      """#, .trust)
  }

  static func allow(_ actions: String, on resource: String = roleARN, effect: String = "Allow") throws -> PolicyDocument {
    try DocumentTests.read(
      #"{"Version":"2012-10-17","Statement":{"Effect":"\#(effect)","Action":[\#(quoted(actions))],"Resource":"\#(resource)"}}"#)
  }

  private static func quoted(_ actions: String) -> String {
    actions.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ",")
  }

  static func call(_ caller: RequestCaller, keys: ContextKeys = [:]) throws -> AssumeRoleRequest {
    AssumeRoleRequest(caller: caller, role: try #require(RoleARN(roleARN)), sessionName: "alice", keys: keys)
  }

  static let ssoRole =
    #"{"AWS":"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Dev_0123456789abcdef"}"#
  static let account = #"{"AWS":"arn:aws:iam::123456789012:root"}"#

  // STS API Reference, AssumeRole, "Permissions": within an account, either of two suffices; across accounts, both are needed.
  @Test(
    arguments: [
      (account, user, true, nil), (account, user, false, .identityPolicy),
      (#"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#, user, false, nil),
      (#""*""#, user, false, nil), (#"{"AWS":"arn:aws:iam::123456789012:user/bob"}"#, user, true, .trustPolicy),
      (account, session, true, nil), (account, session, false, .identityPolicy), (ssoRole, session, false, nil),
      (account, stranger, true, .trustPolicy),
      (#"{"AWS":"210987654321"}"#, stranger, true, nil), (#"{"AWS":"210987654321"}"#, stranger, false, .identityPolicy),
      (#"{"AWS":"arn:aws:iam::210987654321:user/eve"}"#, stranger, false, .identityPolicy),
      (#""*""#, stranger, false, .identityPolicy),
      (#"{"Service":"ec2.amazonaws.com"}"#, .service("ec2.amazonaws.com"), false, nil),
      (#"{"Service":"ec2.amazonaws.com"}"#, .service("ecs.amazonaws.com"), false, .trustPolicy),
    ] as [(String, RequestCaller, Bool, AssumeRoleDecision.Side?)]) func `both sides allow, or one where the account is the same`(
      _ principal: String, caller: RequestCaller, isAllowedThere: Bool, refusedBy: AssumeRoleDecision.Side?
    ) throws
  {
    let identity = try Self.allow(isAllowedThere ? "sts:AssumeRole" : "s3:GetObject")
    let decision = AssumeRoleDecision(
      try Self.call(caller), AssumeRolePolicies(identity: [identity], trust: try Self.trust(principal)))
    #expect(decision.refusal?.side == refusedBy && decision.isAllowed == (refusedBy == nil))
  }

  // reference_policies_evaluation-logic, "Resource-based policies and implicit denies in other policy types (same account)".
  @Test(arguments: [
    (account, true, true),
    (
      ssoRole,
      true, true
    ),
    (#"{"AWS":"arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/alice"}"#, false, false),
    (#"{"AWS":"*"}"#, false, false),
  ]) func `a boundary and a session policy limit a role, but not a session that is named`(
    _ principal: String, boundaryRefuses: Bool, sessionRefuses: Bool
  ) throws {
    let trust = try Self.trust(principal)
    let (may, other) = (try Self.allow("sts:AssumeRole"), try Self.allow("s3:GetObject"))
    let bounded = AssumeRoleDecision(
      try Self.call(Self.session), AssumeRolePolicies(identity: [may], trust: trust, boundary: other))
    #expect(bounded.refusal?.side == (boundaryRefuses ? .permissionsBoundary : nil))
    let scoped = AssumeRoleDecision(
      try Self.call(Self.session), AssumeRolePolicies(identity: [may], trust: trust, session: [other]))
    #expect(scoped.refusal?.side == (sessionRefuses ? .sessionPolicy : nil))
    let open = AssumeRolePolicies(identity: [may], trust: trust, boundary: may, session: [other, may])
    #expect(AssumeRoleDecision(try Self.call(Self.session), open).isAllowed)
  }

  // The same page: "An explicit deny in any of these policies overrides the allow", and orgs_manage_policies_scps_evaluation:
  // "must be allowed at every level".
  @Test func `an explicit deny of any side counts first, and each level of the organization must allow`() throws {
    let (may, deny) = (try Self.allow("sts:AssumeRole"), try Self.allow("sts:*", on: "*", effect: "Deny"))
    let (all, other) = (try Self.allow("*", on: "*"), try Self.allow("s3:*", on: "*"))
    let trust = try Self.trust(Self.account)
    let call = try Self.call(Self.session)
    func side(_ policies: AssumeRolePolicies) -> AssumeRoleDecision.Side? { AssumeRoleDecision(call, policies).refusal?.side }
    let named = try Self.trust(#"{"AWS":"arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/alice"}"#)
    let denied = AssumeRoleDecision(call, AssumeRolePolicies(identity: [may, deny], trust: named))
    #expect(denied.refusal?.side == .identityPolicy && denied.refusal?.isExplicit == true && denied.refusals.count == 1)
    #expect(denied.refusal?.decision.statement?.policy == 1)
    #expect(side(AssumeRolePolicies(identity: [may], trust: named, boundary: deny)) == .permissionsBoundary)
    #expect(side(AssumeRolePolicies(identity: [other], trust: trust, session: [deny])) == .sessionPolicy)
    #expect(side(AssumeRolePolicies(identity: [may], trust: trust, serviceControl: [[all], [all, other]])) == nil)
    #expect(side(AssumeRolePolicies(identity: [may], trust: trust, serviceControl: [[all], [other]])) == .serviceControlPolicy)
    #expect(side(AssumeRolePolicies(identity: [may], trust: named, serviceControl: [[all], []])) == .serviceControlPolicy)
    #expect(side(AssumeRolePolicies(identity: [may], trust: trust, resourceControl: [[all, deny]])) == .resourceControlPolicy)
    let mixed = try DocumentTests.read(
      #"""
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"},
        {"Sid":"No","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}
      """#,
      .trust)
    #expect(AssumeRoleDecision(call, AssumeRolePolicies(identity: [may], trust: mixed)).refusal?.decision.statement?.sid == "No")
  }

  // id_session-tags and id_credentials_temp_control-access_monitor, "Permissions required to set source identity".
  @Test(
    arguments: [
      ("sts:AssumeRole", "sts:*", "sts:TagSession", AssumeRoleDecision.Side.identityPolicy),
      ("sts:*", "sts:AssumeRole", "sts:TagSession", .trustPolicy),
      ("sts:AssumeRole sts:TagSession", "sts:*", "sts:SetSourceIdentity", .identityPolicy),
      ("sts:*", "sts:AssumeRole sts:TagSession", "sts:SetSourceIdentity", .trustPolicy), ("sts:*", "sts:*", nil, nil),
    ] as [(String, String, String?, AssumeRoleDecision.Side?)]) func `what is sent must be allowed on both sides`(
      _ identity: String, trust: String, refused: String?, side: AssumeRoleDecision.Side?
    ) throws
  {
    for principal in [Self.account, Self.ssoRole] {
      var call = try Self.call(Self.session)
      let policies = AssumeRolePolicies(identity: [try Self.allow(identity)], trust: try Self.trust(principal, actions: trust))
      #expect(AssumeRoleDecision(call, policies).isAllowed)
      (call.tags, call.sourceIdentity) = (["team": "a"], "alice")
      let decision = AssumeRoleDecision(call, policies)
      #expect(decision.refusal?.action == refused && decision.refusal?.side == side)
    }
  }

  // id_session-tags, "Example role trust policy for session tags"; reference_policies_iam-condition-keys.
  @Test func `what is sent is a condition key of the trust policy`() throws {
    let condition = #"""
      {"StringLike":{"aws:RequestTag/Project":"*","sts:RoleSessionName":"${aws:username}"},
       "StringEquals":{"sts:ExternalId":"Example987"},
       "ForAllValues:StringEquals":{"aws:TagKeys":["Project","CostCenter"],"sts:TransitiveTagKeys":["Project"]},
       "Bool":{"aws:MultiFactorAuthPresent":"true"}}
      """#
    let trust = try Self.trust(
      #"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#, actions: "sts:AssumeRole sts:TagSession", condition: condition)
    var call = try Self.call(Self.user, keys: ["aws:MultiFactorAuthPresent": ["true"]])
    (call.externalId, call.tags, call.transitiveTagKeys) = ("Example987", ["Project": "x"], ["Project"])
    func unmet(_ change: (inout AssumeRoleRequest) -> Void) -> [String] {
      var changed = call
      change(&changed)
      let misses =
        AssumeRoleDecision(changed, AssumeRolePolicies(trust: trust)).refusal?.decision.nearMisses.first?.mismatches ?? []
      return misses.map { if case .condition(let condition, _) = $0 { condition.key } else { "\($0)" } }
    }
    #expect(unmet { _ in } == [])
    #expect(unmet { $0.externalId = nil } == ["sts:ExternalId"] && unmet { $0.externalId = "x" } == ["sts:ExternalId"])
    #expect(unmet { $0.sessionName = "bob" } == ["sts:RoleSessionName"])
    #expect(unmet { $0.tags = [:] } == ["aws:RequestTag/Project"] && unmet { $0.tags["x"] = "y" } == ["aws:TagKeys"])
    #expect(unmet { $0.transitiveTagKeys = ["CostCenter"] } == ["sts:TransitiveTagKeys"])
    #expect(unmet { $0.keys = [:] } == ["aws:MultiFactorAuthPresent"])
    #expect(unmet { $0.caller = Self.session } == ["principal", "sts:RoleSessionName"])
  }

  // referencingpermissionsets: the lasting trust policy for people of IAM Identity Center, with and without the region's segment.
  @Test func `the trust policy for a permission set survives a new role and a new region, and no other set`() throws {
    let trust = try Self.trust(
      Self.account,
      condition:
        #"""
        {"ArnLike":{"aws:PrincipalArn":
          "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Dev_????????????????"}}
        """#)
    let identity = [try Self.allow("sts:AssumeRole")]
    let names = [
      ("eu-central-1/AWSReservedSSO_Dev_0123456789abcdef", true), ("AWSReservedSSO_Dev_fedcba9876543210", true),
      ("AWSReservedSSO_Dev_Ops_0123456789abcdef", false), ("AWSReservedSSO_Developer_0123456789abcdef", false),
    ]
    for (name, isTrusted) in names {
      let role = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/\(name)"
      let caller = RequestCaller.roleSession(arn: "arn:aws:sts::123456789012:assumed-role/x/alice", role: role)
      let decision = AssumeRoleDecision(try Self.call(caller), AssumeRolePolicies(identity: identity, trust: trust))
      #expect(decision.isAllowed == isTrusted, "\(name)")
    }
  }

  // id_roles_providers_create_oidc, "Configuring a role for GitHub OIDC identity provider".
  @Test(arguments: [
    ("repo:org/app:ref:refs/heads/main", "sts.amazonaws.com", true),
    ("repo:org/other:ref:refs/heads/main", "sts.amazonaws.com", false),
    ("repo:org/app:ref:refs/heads/main", "other", false),
  ]) func `a web identity is judged by its token's claims`(_ subject: String, audience: String, isTrusted: Bool) throws {
    let provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    let trust = try Self.trust(
      #"{"Federated":"\#(provider)"}"#, actions: "sts:AssumeRoleWithWebIdentity",
      condition:
        #"""
        {"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com",
          "token.actions.githubusercontent.com:sub":"repo:org/app:ref:refs/heads/main"}}
        """#)
    let call = try Self.call(
      .federated(provider),
      keys: ["token.actions.githubusercontent.com:sub": [subject], "token.actions.githubusercontent.com:aud": [audience]])
    #expect(AssumeRoleDecision(call, AssumeRolePolicies(trust: trust)).isAllowed == isTrusted)
  }
}
