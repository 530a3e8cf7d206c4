import AWSPolicy
import Testing
import VaultModel

/// Who gets in with a generated trust policy, and who only almost does, as IAM evaluates it.
@Suite("The reach of a trust policy")
struct TrustReachTests {
  private static let role = RoleARN("arn:aws:iam::123456789012:role/my-application-dev-role")!
  private static let reserved = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"

  /// A call of a session of the role.
  private static func session(of role: String, _ change: (inout AssumeRoleRequest) -> Void = { _ in }) -> AssumeRoleRequest {
    let name = role.split(separator: "/").last ?? ""
    let account = role.split(separator: ":")[3]
    return call(.roleSession(arn: "arn:aws:sts::\(account):assumed-role/\(name)/alice", role: role), change)
  }

  private static func call(_ caller: RequestCaller, _ change: (inout AssumeRoleRequest) -> Void = { _ in }) -> AssumeRoleRequest {
    var request = AssumeRoleRequest(caller: caller, role: role, sessionName: "alice")
    change(&request)
    return request
  }

  /// Whether both documents of a setup allow a call.
  private static func allows(_ setup: RoleSetup, _ request: AssumeRoleRequest) -> Bool {
    let own = setup.assumePolicy.map { [$0.document] }
    return AssumeRoleDecision(request, AssumeRolePolicies(identity: own, trust: setup.role.trust.document)).isAllowed
  }

  private static func setup(_ caller: TrustedCaller, _ change: (inout SetupRequest) -> Void = { _ in }) throws -> RoleSetup {
    var request = SetupRequest(role: role, caller: caller, sent: SentParameters())
    change(&request)
    return try request.setup()
  }

  @Test func `the people of a permission set get in, with and without the region, and nobody of a similar name`() throws {
    let setup = try Self.setup(.permissionSet(name: "Dev", account: "123456789012", region: "eu-west-1"))
    for path in ["", "eu-west-1/"] {
      #expect(Self.allows(setup, Self.session(of: "\(Self.reserved)\(path)AWSReservedSSO_Dev_0123456789abcdef")))
    }
    for role in [
      "\(Self.reserved)AWSReservedSSO_Dev_x_0123456789abcdef", "\(Self.reserved)AWSReservedSSO_Dev2_0123456789abcdef",
      "\(Self.reserved)AWSReservedSSO_ADev_0123456789abcdef", "\(Self.reserved)AWSReservedSSO_Dev_0123456789abcde",
      "\(Self.reserved)us-west-2/AWSReservedSSO_Dev_0123456789abcdef",
      "arn:aws:iam::123456789012:role/AWSReservedSSO_Dev_0123456789abcdef",
      "arn:aws:iam::123456789012:role/aws-reserved/x/AWSReservedSSO_Dev_0123456789abcdef",
      Self.reserved.replacing("123456789012", with: "210987654321") + "AWSReservedSSO_Dev_0123456789abcdef",
    ] {
      #expect(!Self.allows(setup, Self.session(of: role)), "\(role)")
    }
    #expect(!Self.allows(setup, Self.call(.user(arn: "arn:aws:iam::123456789012:user/Dev"))))
  }

  @Test func `what the profile sends is allowed, and what it does not send is not`() throws {
    let person = "\(Self.reserved)AWSReservedSSO_Dev_0123456789abcdef"
    let caller = TrustedCaller.permissionSet(name: "Dev", account: "123456789012", region: "us-east-1")
    let tagged = Self.session(of: person) { $0.tags = ["team": "a"] }
    let identified = Self.session(of: person) { $0.sourceIdentity = "alice" }
    for (sent, allowed) in [
      (SentParameters(), [false, false]), (SentParameters(sourceIdentity: "alice"), [false, true]),
      (SentParameters(tags: [SessionTag(key: "team", value: "a")]), [true, false]),
    ] {
      let setup = try Self.setup(caller) { $0.sent = sent }
      #expect([tagged, identified].map { Self.allows(setup, $0) } == allowed)
      #expect(Self.allows(setup, Self.session(of: person)))
    }
  }

  @Test func `a user gets in, and nobody else of the account`() throws {
    let alice = "arn:aws:iam::123456789012:user/team/alice"
    let setup = try Self.setup(TrustedCaller(alice)) {
      $0.conditions.requiresMFA = true
      $0.conditions.sourceAddresses = ["203.0.113.0/24"]
    }
    let keys: ContextKeys = ["aws:MultiFactorAuthPresent": ["true"], "aws:SourceIp": ["203.0.113.7"]]
    #expect(Self.allows(setup, Self.call(.user(arn: alice)) { $0.keys = keys }))
    #expect(!Self.allows(setup, Self.call(.user(arn: "arn:aws:iam::123456789012:user/alice")) { $0.keys = keys }))
    #expect(!Self.allows(setup, Self.call(.root(account: "123456789012")) { $0.keys = keys }))
    for (name, value) in [("aws:MultiFactorAuthPresent", "false"), ("aws:SourceIp", "203.0.114.7")] {
      let others = keys.merging([name: [value]])
      #expect(!Self.allows(setup, Self.call(.user(arn: alice)) { $0.keys = others }), "\(name)")
    }
    #expect(!Self.allows(setup, Self.call(.user(arn: alice)) { $0.keys = ["aws:SourceIp": ["203.0.113.7"]] }))
  }

  @Test func `another account gets in with the external ID, also when it sends a source identity`() throws {
    let setup = try Self.setup(TrustedCaller("210987654321")) {
      $0.sent = SentParameters(sourceIdentity: "alice", externalId: "c0ffee")
    }
    let caller = RequestCaller.user(arn: "arn:aws:iam::210987654321:user/vendor")
    #expect(Self.allows(setup, Self.call(caller) { ($0.externalId, $0.sourceIdentity) = ("c0ffee", "alice") }))
    #expect(!Self.allows(setup, Self.call(caller) { ($0.externalId, $0.sourceIdentity) = ("C0FFEE", "alice") }))
    #expect(!Self.allows(setup, Self.call(caller)))
    #expect(!Self.allows(setup, Self.call(.user(arn: "arn:aws:iam::111122223333:user/vendor")) { $0.externalId = "c0ffee" }))
  }

  @Test(arguments: [
    (
      "github:o/r:ref:refs/heads/main", ["repo:o/r:ref:refs/heads/main"],
      ["repo:o/r:ref:refs/heads/main2", "repo:o/r:pull_request", "repo:o/r2:ref:refs/heads/main"]
    ),
    (
      "github:o/r:ref:refs/heads/release-*", ["repo:o/r:ref:refs/heads/release-1"],
      ["repo:o/r:ref:refs/heads/main", "repo:x/r:ref:refs/heads/release-1"]
    ),
    ("github:o/r", ["repo:o/r:pull_request"], ["repo:o/r2:pull_request", "repo:o/r"]),
    (
      "github:o@1/r@2:environment:prod", ["repo:o@1/r@2:environment:prod"],
      ["repo:o/r:environment:prod", "repo:o@1/r@3:environment:prod"]
    ),
    // GitHub writes a colon in a name as %3A.
    ("github:o/r:environment:a:b", ["repo:o/r:environment:a%3Ab"], ["repo:o/r:environment:a:b"]),
  ])
  func `a job gets in by its subject and audience alone`(principal: String, subjects: [String], others: [String]) throws {
    let host = "token.actions.githubusercontent.com"
    let setup = try Self.setup(TrustedCaller(principal))
    func allows(_ subject: String, audience: String = "sts.amazonaws.com", issuer: String = host) -> Bool {
      Self.allows(
        setup,
        Self.call(.federated("arn:aws:iam::123456789012:oidc-provider/\(issuer)")) {
          $0.keys = ["\(host):sub": [subject], "\(host):aud": [audience]]
        })
    }
    for subject in subjects {
      #expect(allows(subject), "\(subject)")
      #expect(!allows(subject, audience: "https://github.com/o"))
      #expect(!allows(subject, issuer: "gitlab.com"))
    }
    for subject in others { #expect(!allows(subject), "\(subject)") }
  }

  @Test func `a service gets in for its own resources, and is nobody's confused deputy`() throws {
    let anchor = "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1a"
    let application = "arn:aws:account-access:eu-west-1:123456789012:application/ab"
    let tasks = try SetupRequest(role: Self.role, caller: .service(.ecsTasks)).setup()
    let cases: [(RoleSetup, String, ContextKeys, [(String, String)])] = [
      (
        try Self.setup(TrustedCaller("roles-anywhere:\(anchor),CN=build")), "rolesanywhere.amazonaws.com",
        ["aws:SourceArn": [anchor], "aws:PrincipalTag/x509Subject/CN": ["build"]],
        [("aws:SourceArn", anchor + "b"), ("aws:PrincipalTag/x509Subject/CN", "other")]
      ),
      (
        try Self.setup(TrustedCaller("identity-center:\(application)")), "account-access.amazonaws.com",
        ["aws:SourceArn": [application], "aws:SourceAccount": ["123456789012"]],
        [("aws:SourceArn", application + "c"), ("aws:SourceAccount", "210987654321")]
      ),
      (
        tasks, "ecs-tasks.amazonaws.com",
        ["aws:SourceArn": ["arn:aws:ecs:eu-west-1:123456789012:task/x"], "aws:SourceAccount": ["123456789012"]],
        [("aws:SourceArn", "arn:aws:ecs:eu-west-1:210987654321:task/x"), ("aws:SourceAccount", "210987654321")]
      ),
    ]
    for (setup, service, keys, others) in cases {
      #expect(Self.allows(setup, Self.call(.service(service)) { $0.keys = keys }), "\(service)")
      #expect(!Self.allows(setup, Self.call(.service("ec2.amazonaws.com")) { $0.keys = keys }))
      for (name, value) in others {
        let wrong = keys.merging([name: [value]])
        #expect(!Self.allows(setup, Self.call(.service(service)) { $0.keys = wrong }), "\(service) \(name)")
      }
    }
  }
}
