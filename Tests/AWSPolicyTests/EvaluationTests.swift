import Testing

@testable import AWSPolicy

/// Requests and policies as the IAM User Guide has them; each case names its page.
@Suite struct EvaluationTests {
  static let alice = RequestCaller.user(arn: "arn:aws:iam::123456789012:user/alice", id: "AIDAALICE")

  static func decision(
    _ statements: String, _ action: String, on resource: String, by caller: RequestCaller = alice, kind: PolicyKind = .managed,
    keys: ContextKeys = [:]
  ) throws -> PolicyDecision {
    let policy = try DocumentTests.read(#"{"Version":"2012-10-17","Statement":[\#(statements)]}"#, kind)
    return policy.decision(on: PolicyRequest(caller: caller, action: action, resource: resource, keys: keys))
  }

  // reference_policies_elements_resource: "The wildcards in the ARN apply to all of the following objects", and "would not match".
  @Test(arguments: [
    ("1/test/object.jpg", true), ("1/2/test/object.jpg", true), ("1/2/test/3/object.jpg", true),
    ("1/2/3/test/4/object.jpg", true),
    ("1///test///object.jpg", true), ("1/test/.jpg", true), ("/test/object.jpg", true), ("1/test/", true),
    ("1-test/object.jpg", false), ("test/object.jpg", false), ("1/2/test.jpg", false),
  ]) func `a wildcard of a resource stands for everything within its segment`(_ name: String, isMeant: Bool) throws {
    let statement = #"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::DOC-EXAMPLE-BUCKET/*/test/*"}"#
    #expect(
      try Self.decision(statement, "s3:GetObject", on: "arn:aws:s3:::DOC-EXAMPLE-BUCKET/" + name).isAllowed == isMeant)
  }

  // reference_policies_elements_resource, reference_policies_elements_action, reference_policies_variables.
  @Test(arguments: [
    ("arn:aws:iam::*:role/app", "arn:aws:iam::123456789012:role/app", true),
    ("arn:aws:iam::1?3456789012:role/app", "arn:aws:iam::123456789012:role/app", true),
    ("arn:aws:iam::1*2:role/app", "arn:aws:iam::1:role/x:2:role/app", false), ("arn:aws:*", "arn:aws:iam::1:role/app", true),
    ("arn:aws:iam?:1:role/app", "arn:aws:iam::1:role/app", false), ("*", "*", true), ("*", "arn:aws:iam::1:role/app", true),
    ("arn:aws:iam::1:role/App", "arn:aws:iam::1:role/app", false),
    ("arn:aws:s3:::b/*.json", "arn:aws:s3:::b/12:30:00.json", true),
    ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/alice/x", true),
    ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/bob", false),
    ("arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}", "arn:aws:s3:::b-company-wide", true),
    ("arn:aws:s3:::b-${aws:PrincipalTag/team}", "arn:aws:s3:::b-", false),
    ("arn:aws:iam::${aws:PrincipalAccount}:role/a", "arn:aws:iam::123456789012:role/a", false),
    ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", false),
  ]) func `a resource is matched by segments, with variables in the last one`(_ pattern: String, resource: String, isMeant: Bool)
    throws
  {
    let statement = #"{"Effect":"Allow","Action":"s3:Get*","Resource":["arn:aws:none:::x","\#(pattern)"]}"#
    #expect(try Self.decision(statement, "s3:GetObject", on: resource).isAllowed == isMeant)
    let opposite = #"{"Effect":"Allow","Action":"s3:Get*","NotResource":"\#(pattern)"}"#
    #expect(try Self.decision(opposite, "s3:GetObject", on: resource).isAllowed != isMeant)
  }

  // reference_policies_elements_action: "The prefix and the action name are case insensitive."
  @Test(arguments: [
    ("iam:ListAccessKeys", "IAM:listaccesskeys", true), ("iam:*AccessKey*", "iam:CreateAccessKey", true),
    ("sqs:*", "s3:GetObject", false),
    ("*", "s3:GetObject", true), ("s3:Get?bject", "s3:GetObject", true), ("s3:Get", "s3:GetObject", false),
  ]) func `an action is matched without regard to case`(_ pattern: String, action: String, isMeant: Bool) throws {
    #expect(try Self.decision(#"{"Effect":"Allow","Action":"\#(pattern)","Resource":"*"}"#, action, on: "*").isAllowed == isMeant)
    #expect(
      try Self.decision(#"{"Effect":"Allow","NotAction":"\#(pattern)","Resource":"*"}"#, action, on: "*").isAllowed != isMeant)
  }

  @Test func `the decision names the statement`() throws {
    let statements = #"""
      {"Sid":"Read","Effect":"Allow","Action":"s3:Get*","Resource":"*"},
      {"Sid":"NotSecret","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::secret/*"}
      """#
    let allowed = try Self.decision(statements, "s3:GetObject", on: "arn:aws:s3:::open/x")
    #expect(allowed.outcome == .allow && allowed.statement?.sid == "Read" && allowed.statement?.statement == 0)
    let denied = try Self.decision(statements, "s3:GetObject", on: "arn:aws:s3:::secret/x")
    #expect(denied.outcome == .explicitDeny && denied.statement?.sid == "NotSecret" && denied.statement?.statement == 1)
    let missing = try Self.decision(statements, "s3:PutObject", on: "arn:aws:s3:::open/x")
    #expect(missing.outcome == .implicitDeny && missing.statement == nil)
    #expect(missing.nearMisses.map(\.place.sid) == ["Read"] && missing.nearMisses[0].mismatches == [.action])
  }

  @Test func `an implicit deny says which statements nearly allow, and what in each does not fit`() throws {
    let statements = #"""
      {"Sid":"Other","Effect":"Allow","Action":"ec2:*","Resource":"*"},
      {"Sid":"Elsewhere","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"},
      {"Sid":"FromOffice","Effect":"Allow","Action":"s3:*","Resource":"*",
        "Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},
        "Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:PrincipalTag/team":"a"}}}
      """#
    let decision = try Self.decision(
      statements, "s3:GetObject", on: "arn:aws:s3:::a/x",
      keys: ["aws:sourceip": ["198.51.100.1"], "aws:SecureTransport": ["true"]])
    #expect(decision.nearMisses.map(\.place.sid) == ["FromOffice", "Elsewhere", "Other"])
    #expect(decision.nearMisses[1].mismatches == [.resource])
    #expect(
      decision.nearMisses[0].mismatches == [
        .condition(
          PolicyCondition(ConditionOperator(.ipAddress), key: "aws:SourceIp", values: ["203.0.113.0/24"]),
          actual: ["198.51.100.1"]),
        .condition(PolicyCondition(ConditionOperator(.stringEquals), key: "aws:PrincipalTag/team", values: ["a"]), actual: nil),
      ])
  }

  // reference_policies_elements_principal
  static let session = RequestCaller.roleSession(
    arn: "arn:aws:sts::123456789012:assumed-role/app/alice", role: "arn:aws:iam::123456789012:role/team/app", id: "AROAAPP")

  @Test(
    arguments: [
      (#""*""#, session, PrincipalMatch.direct), (#"{"AWS":"*"}"#, session, .direct),
      (#"{"AWS":"123456789012"}"#, session, .account),
      (#"{"AWS":"arn:aws:iam::123456789012:root"}"#, session, .account),
      (#"{"AWS":"arn:aws:iam::123456789012:root"}"#, alice, .account),
      (#"{"AWS":"arn:aws:iam::123456789012:root"}"#, .root(account: "123456789012"), .account),
      (#"{"AWS":"999999999999"}"#, session, nil),
      (#"{"AWS":"arn:aws-cn:iam::123456789012:root"}"#, alice, nil),
      (#"{"AWS":"arn:aws:iam::123456789012:role/team/app"}"#, session, .role),
      (#"{"AWS":"arn:aws:iam::123456789012:role/app"}"#, session, nil),
      (#"{"AWS":"arn:aws:iam::123456789012:role/team/*"}"#, session, nil),
      (#"{"AWS":"arn:aws:sts::123456789012:assumed-role/app/alice"}"#, session, .direct),
      (#"{"AWS":"arn:aws:sts::123456789012:assumed-role/app/bob"}"#, session, nil),
      (#"{"AWS":"arn:aws:sts::123456789012:assumed-role/app/*"}"#, session, nil), (#"{"AWS":"AROAAPP"}"#, session, .role),
      (#"{"AWS":"AROAGONE"}"#, session, nil), (#"{"AWS":"AIDAALICE"}"#, alice, .direct), (#"{"AWS":"AIDAALICE"}"#, session, nil),
      (#"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#, alice, .direct),
      (#"{"AWS":"arn:aws:iam::123456789012:user/Alice"}"#, alice, nil),
      (#"{"AWS":"arn:aws:iam::123456789012:user/*"}"#, alice, nil),
      (#"{"Service":"ec2.amazonaws.com"}"#, .service("ec2.amazonaws.com"), .direct),
      (#"{"Service":"ec2.amazonaws.com"}"#, .service("ecs.amazonaws.com"), nil),
      (#"{"Service":"ec2.amazonaws.com"}"#, alice, nil),
      (#"{"Federated":"accounts.google.com"}"#, .federated("accounts.google.com"), .direct),
      (#"{"Federated":"arn:aws:iam::1:saml-provider/idp"}"#, .federated("arn:aws:iam::1:saml-provider/other"), nil),
      (
        #"{"AWS":"arn:aws:sts::123456789012:federated-user/x"}"#,
        .federatedUser(arn: "arn:aws:sts::123456789012:federated-user/x"), .direct
      ),
      (#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#, alice, nil),
      (#"{"AWS":["999999999999","123456789012","arn:aws:iam::123456789012:user/alice"]}"#, alice, .direct),
    ] as [(String, RequestCaller, PrincipalMatch?)]) func `a principal means whom the documentation says`(
      _ principal: String, caller: RequestCaller, match: PrincipalMatch?
    ) throws
  {
    let allow = #"{"Effect":"Allow","Principal":\#(principal),"Action":"sts:AssumeRole"}"#
    let decision = try Self.decision(allow, "sts:AssumeRole", on: "arn:aws:iam::123456789012:role/x", by: caller, kind: .trust)
    #expect(decision.isAllowed == (match != nil) && decision.principal == match)
    #expect(match != nil || decision.nearMisses.first?.mismatches == [.principal])
    let deny =
      #"{"Effect":"Allow","Principal":"*","Action":"sts:*"},{"Effect":"Deny","NotPrincipal":\#(principal),"Action":"sts:AssumeRole"}"#
    let other = try Self.decision(deny, "sts:AssumeRole", on: "arn:aws:iam::123456789012:role/x", by: caller, kind: .trust)
    #expect(other.isAllowed == (match != nil))
  }

  // reference_policies_variables, "Principal key values".
  @Test func `what follows from the caller is a condition key`() throws {
    let keys = PolicyRequest(caller: Self.session, action: "a:b", resource: "*").keys
    #expect(keys["AWS:principalarn"] == ["arn:aws:iam::123456789012:role/team/app"])
    #expect(keys["aws:userid"] == ["AROAAPP:alice"] && keys["aws:username"] == nil)
    #expect(keys["aws:PrincipalAccount"] == ["123456789012"] && keys["aws:PrincipalType"] == ["AssumedRole"])
    let user = PolicyRequest(caller: Self.alice, action: "a:b", resource: "*", keys: ["aws:userid": ["other"]]).keys
    #expect(user["aws:username"] == ["alice"] && user["aws:userid"] == ["other"] && user["aws:PrincipalType"] == ["User"])
  }

  @Test func `the ARN of GetCallerIdentity names the caller`() {
    let session = "arn:aws:sts::123456789012:assumed-role/app/alice"
    #expect(RequestCaller(arn: session)?.principalARN == "arn:aws:iam::123456789012:role/app")
    #expect(RequestCaller(arn: session, role: "arn:aws:iam::123456789012:role/team/app", id: "AROAAPP") == Self.session)
    #expect(RequestCaller(arn: "arn:aws:iam::123456789012:user/path/alice")?.keys["aws:username"] == ["alice"])
    #expect(RequestCaller(arn: "arn:aws-cn:iam::123456789012:root") == .root(account: "123456789012", partition: "aws-cn"))
    #expect(RequestCaller(arn: "arn:aws:sts::123456789012:federated-user/x")?.account == "123456789012")
    for other in [
      "", "arn", "arn:aws:iam::123456789012:role/app", "arn:aws:sts::12:assumed-role/a/b",
      "arn:aws:sts::123456789012:assumed-role/a",
    ] {
      #expect(RequestCaller(arn: other) == nil, "\(other)")
    }
  }
}
