import AWSPolicy
import Testing
import VaultModel

/// The article's role.
private let role = RoleARN("arn:aws:iam::123456789012:role/my-application-dev-role")!
private let everyone = TrustedCaller.permissionSet(name: "Dev", account: "123456789012", region: "eu-west-1")

/// A request for the article's role.
private func request(_ caller: TrustedCaller = everyone, _ change: (inout SetupRequest) throws -> Void = { _ in }) rethrows
  -> SetupRequest
{
  var request = SetupRequest(role: role, caller: caller, sent: SentParameters())
  try change(&request)
  return request
}

/// What a call throws.
private func failure(_ body: () throws -> Void) -> Failure? {
  do { try body() } catch { return Failure(error) }
  return nil
}

@Suite("The setup of a role")
struct RoleSetupTests {
  /// The conditions of a statement: key, operator, values.
  private static func conditions(_ statement: Statement) -> [String] {
    statement.conditions.map { "\($0.test.name) \($0.key) \($0.values.joined(separator: " "))" }
  }

  @Test func `a permission set's people are trusted by the role's pattern, with and without the region, and by nothing looser`()
    throws
  {
    let statement = try #require(try request().trust().document.statements.first)
    #expect(statement.principals == PrincipalElement([.aws("arn:aws:iam::123456789012:root")]))
    let reserved = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"
    #expect(
      Self.conditions(statement) == [
        "ArnLike aws:PrincipalArn \(reserved)AWSReservedSSO_Dev_???????????????? \(reserved)eu-west-1/AWSReservedSSO_Dev_????????????????"
      ])
  }

  @Test(arguments: [
    (
      "arn:aws:iam::111122223333:user/team/alice", Principal.aws("arn:aws:iam::111122223333:root"), "sts:AssumeRole",
      ["ArnEquals aws:PrincipalArn arn:aws:iam::111122223333:user/team/alice"]
    ),
    (
      "arn:aws:iam::111122223333:role/ci", .aws("arn:aws:iam::111122223333:root"), "sts:AssumeRole",
      ["ArnEquals aws:PrincipalArn arn:aws:iam::111122223333:role/ci"]
    ),
    (
      "github:octo-org/octo-repo:ref:refs/heads/main",
      .federated("arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"), "sts:AssumeRoleWithWebIdentity",
      [
        "StringEquals token.actions.githubusercontent.com:aud sts.amazonaws.com",
        "StringEquals token.actions.githubusercontent.com:sub repo:octo-org/octo-repo:ref:refs/heads/main",
      ]
    ),
    (
      "github:octo-org@123/octo-repo@456:environment:production",
      .federated("arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"), "sts:AssumeRoleWithWebIdentity",
      [
        "StringEquals token.actions.githubusercontent.com:aud sts.amazonaws.com",
        "StringEquals token.actions.githubusercontent.com:sub repo:octo-org@123/octo-repo@456:environment:production",
      ]
    ),
    (
      "github:octo-org/octo-repo", .federated("arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"),
      "sts:AssumeRoleWithWebIdentity",
      [
        "StringEquals token.actions.githubusercontent.com:aud sts.amazonaws.com",
        "StringLike token.actions.githubusercontent.com:sub repo:octo-org/octo-repo:*",
      ]
    ),
    (
      "gitlab:group/sub/project:ref_type:branch:ref:main", .federated("arn:aws:iam::123456789012:oidc-provider/gitlab.com"),
      "sts:AssumeRoleWithWebIdentity",
      [
        "StringEquals gitlab.com:aud https://gitlab.com",
        "StringEquals gitlab.com:sub project_path:group/sub/project:ref_type:branch:ref:main",
      ]
    ),
    (
      "roles-anywhere:arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1a2b,CN=build 7",
      .service("rolesanywhere.amazonaws.com"), "sts:AssumeRole sts:SetSourceIdentity sts:TagSession",
      [
        "ArnEquals aws:SourceArn arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1a2b",
        "StringEquals aws:PrincipalTag/x509Subject/CN build 7",
      ]
    ),
    (
      "identity-center:arn:aws:account-access:eu-west-1:111122223333:application/ab12",
      .service("account-access.amazonaws.com"), "sts:AssumeRole sts:SetContext sts:TagSession",
      [
        "StringEquals aws:SourceAccount 111122223333",
        "StringEquals aws:SourceArn arn:aws:account-access:eu-west-1:111122223333:application/ab12",
      ]
    ),
  ])
  func `each kind of caller is trusted by what AWS sends of it`(
    principal: String, element: Principal, actions: String, conditions: [String]
  ) throws {
    let statements = try request(TrustedCaller(principal)).trust().document.statements
    #expect(statements.count == 1)
    #expect(statements[0].principals == PrincipalElement([element]))
    #expect(statements[0].actions.patterns.joined(separator: " ") == actions)
    #expect(Self.conditions(statements[0]) == conditions)
  }

  @Test func `another account must send the external ID, and tags are allowed without it`() throws {
    let setup = try request(TrustedCaller("111122223333")) {
      $0.sent = SentParameters(
        sourceIdentity: "alice", tags: [SessionTag(key: "team", value: "a")], externalId: "a-secret-handshake")
    }.setup()
    let statements = setup.role.trust.document.statements
    #expect(statements.map(\.actions.patterns) == [["sts:AssumeRole"], ["sts:SetSourceIdentity", "sts:TagSession"]])
    #expect(statements.map(Self.conditions) == [["StringEquals sts:ExternalId a-secret-handshake"], []])
    #expect(
      setup.assumePolicy?.document.statements[0].actions.patterns == [
        "sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession",
      ])
    #expect(setup.callerPolicy == .elsewhere)
    #expect(setup.permissionSet == nil)
  }

  @Test func `a source identity and tags are allowed exactly where the profile sends them`() throws {
    for (sent, actions) in [
      (SentParameters(), ["sts:AssumeRole"]),
      (SentParameters(sourceIdentity: "a1"), ["sts:AssumeRole", "sts:SetSourceIdentity"]),
      (SentParameters(tags: [SessionTag(key: "k", value: "")]), ["sts:AssumeRole", "sts:TagSession"]),
    ] {
      let setup = try request { $0.sent = sent }.setup()
      let assume = try #require(setup.assumePolicy).document.statements[0]
      #expect(assume.actions.patterns == actions)
      #expect(assume.resources == PatternElement([role.text]))
      #expect(setup.permissionSet?.inlinePolicy == setup.assumePolicy?.document)
      #expect(setup.role.trust.document.statements[0].actions.patterns == actions)
    }
  }

  @Test func `conditions on request stand in the trust policy, and its meaning says them`() throws {
    let trust = try request(TrustedCaller("arn:aws:iam::123456789012:user/alice")) {
      $0.sent?.sourceIdentity = "alice"
      $0.sent?.roleSessionName = "alice"
      $0.conditions.requiresMFA = true
      $0.conditions.requiresSourceIdentity = true
      $0.conditions.requiresSessionName = true
      $0.conditions.sourceAddresses = ["203.0.113.0/24", "2001:db8::/32"]
    }.trust()
    #expect(
      Self.conditions(trust.document.statements[0]).dropFirst() == [
        "Bool aws:MultiFactorAuthPresent true", "StringLike sts:SourceIdentity *",
        "StringLike sts:RoleSessionName ${aws:username}",
        "IpAddress aws:SourceIp 203.0.113.0/24 2001:db8::/32",
      ])
    #expect(
      trust.meaning
        == "the IAM user alice of account 123456789012 may assume my-application-dev-role with MFA, with a source identity, with the user's name as the session name, from 203.0.113.0/24 or 2001:db8::/32"
    )
  }

  @Test func `MFA is refused, with the reason, wherever no call could ever carry it`() throws {
    for principal in [
      "arn:aws:iam::123456789012:role/ci", "github:o/r", "gitlab:g/p",
      "roles-anywhere:arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1a",
      "identity-center:arn:aws:account-access:eu-west-1:111122223333:application/ab12",
    ] {
      let fault = failure { _ = try request(TrustedCaller(principal)) { $0.conditions.requiresMFA = true }.trust() }
      #expect(fault?.message == "--require-mfa: no call of this principal could succeed", "\(principal)")
      #expect(fault?.exitStatus == .usage)
    }
    let fault = failure { _ = try request { $0.conditions.requiresMFA = true }.trust() }
    #expect(fault?.hint?.contains("IAM Identity Center") == true)
    for principal in ["arn:aws:iam::123456789012:user/a", "111122223333"] {
      _ = try request(TrustedCaller(principal)) {
        $0.conditions.requiresMFA = true
        $0.conditions.externalId = "id"
      }.trust()
    }
  }

  @Test(arguments: [
    ("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/alice", "one session"),
    ("arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef", "another name"),
    ("arn:aws:iam::123456789012:role/*", "cannot read"), ("arn:aws:iam::123456789012:user/a*", "cannot read"),
    ("arn:aws:iam::123456789012:user/${aws:username}", "cannot read"), ("*", "cannot read"), ("", "cannot read"),
    ("12345678901", "cannot read"), ("github:org", "ORG/REPO"), ("github:*/repo", "ORG/REPO"), ("github:o/r:main", "neither"),
    ("github:o/r:pull_request", "neither"), ("github:o/r:environment:${x}", "neither"), ("gitlab:p", "GROUP/PROJECT"),
    ("gitlab:g/p:ref_type:mr:ref:x", "neither"), ("roles-anywhere:x", "trust anchor"),
    ("roles-anywhere:arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/1,CN=*", "CN=NAME"),
    ("identity-center:x", "account access"),
  ])
  func `a principal that would trust somebody else, or would not last, is refused`(principal: String, words: String) {
    let fault = failure { _ = try TrustedCaller(principal) }
    #expect(fault?.message.contains(words) == true, "\(String(describing: fault))")
    #expect(fault?.exitStatus == .usage)
  }

  @Test func `what IAM or Identity Center would refuse is refused before anything is printed`() throws {
    let long = String(repeating: "a", count: 33)
    let cases: [(String, VaultModel.ExitStatus, (inout SetupRequest) throws -> Void)] = [
      (
        "the permission set has 33 characters; AWS accepts 32", .usage,
        { $0.caller = .permissionSet(name: long, account: "123456789012", region: "eu-west-1") }
      ),
      (
        "permission set: \"a b\"", .usage,
        { $0.caller = .permissionSet(name: "a b", account: "123456789012", region: "eu-west-1") }
      ),
      ("not a region", .usage, { $0.caller = .permissionSet(name: "a", account: "123456789012", region: "EU") }),
      ("the role has 65 characters", .usage, { $0.role = RoleARN("\(role.text)\(String(repeating: "a", count: 42))")! }),
      ("name of the group", .usage, { $0.group = "a\u{1B}[2J" }),
      ("1025 characters", .usage, { $0.group = String(repeating: "g", count: 1_025) }),
      ("a member", .usage, { $0.members = [""] }), ("twice", .usage, { $0.members = ["a", "a"] }),
      ("from 1h to 12h", .usage, { $0.maxSessionSeconds = 900 }),
      ("from 1h to 12h", .usage, { $0.permissionSetSeconds = 43_201 }),
      ("for a permission set only", .usage, { ($0.caller, $0.group) = (try TrustedCaller("github:o/r"), "g") }),
      ("is the role's own", .usage, { $0.caller = .account("123456789012") }),
      ("belongs to AWS itself", .usage, { $0.role = RoleARN("arn:aws:iam::123456789012:role/aws-reserved/sso/a")! }),
      ("in the partition aws-cn", .usage, { $0.caller = try TrustedCaller("arn:aws-cn:iam::123456789012:role/ci") }),
      (
        "in the partition aws", .usage, { $0.role = RoleARN("arn:aws-us-gov:iam::123456789012:role/app")! }
      ),
      ("needs an external ID", .usage, { $0.caller = try TrustedCaller("111122223333") }),
      ("not a network", .usage, { $0.conditions.sourceAddresses = ["203.0.113.0/33"] }),
      ("no source identity", .configuration, { $0.conditions.requiresSourceIdentity = true }),
      ("--require-session-name", .usage, { $0.conditions.requiresSessionName = true }),
      (
        "is not the user's name", .configuration,
        {
          $0.caller = try TrustedCaller("arn:aws:iam::123456789012:user/alice")
          $0.conditions.requiresSessionName = true
        }
      ),
      (
        "asks for sessions of 43200 seconds", .configuration,
        {
          $0.sent?.requestedSeconds = 43_200
          $0.maxSessionSeconds = 3_600
        }
      ),
      (
        "a managed policy has at most 6144", .badData,
        {
          let pattern = "arn:aws:s3:::" + String(repeating: "b", count: 6_144)
          $0.application = PolicyDocument([
            Statement(actions: PatternElement(["s3:GetObject"]), resources: PatternElement([pattern]))
          ])
        }
      ),
    ]
    for (words, status, change) in cases {
      let fault = failure { _ = try request(everyone, change).setup() }
      #expect(fault?.message.contains(words) == true, "\(words): \(String(describing: fault))")
      #expect(fault?.exitStatus == status, "\(words)")
    }
  }

  @Test func `a role lasts as long as the profile asks for, and no shorter than an hour`() throws {
    for (sent, seconds) in [
      (SentParameters(requestedSeconds: 900), 3_600), (SentParameters(requestedSeconds: 7_200), 7_200),
      (SentParameters(requestedSeconds: 7_200, isChained: true), 3_600),
    ] {
      #expect(try request { $0.sent = sent }.setup().role.maxSessionSeconds == seconds)
    }
  }

  @Test(arguments: [
    ("MyApplicationDevPermissions", "MyApplicationDevGroup"), ("Dev", "DevGroup"), ("Permissions", "PermissionsGroup"),
  ])
  func `the group is named as the permission set is`(name: String, group: String) throws {
    let setup = try request(.permissionSet(name: name, account: "123456789012", region: "eu-west-1")).setup()
    #expect(setup.permissionSet?.group == group)
  }

  @Test(arguments: [
    (ComputeService.ecsTasks, "ecs-tasks.amazonaws.com"), (.ec2, "ec2.amazonaws.com"), (.lambda, "lambda.amazonaws.com"),
  ])
  func `in production the service's role has the same policy, and no permission set`(service: ComputeService, name: String) throws
  {
    let dev = request { $0.region = "eu-west-1" }
    let setup = try dev.inProduction(on: service, roleName: nil).setup()
    #expect(setup.role.arn.name == "my-application-production-role")
    #expect(setup.applicationPolicy.document == (try dev.setup().applicationPolicy.document))
    #expect(setup.role.trust.document.statements[0].principals == PrincipalElement([.service(name)]))
    #expect(setup.assumePolicy == nil && setup.permissionSet == nil)
    #expect(setup.role.hasInstanceProfile == (service == .ec2))
  }

  @Test func `the JSON has null for what the caller needs none of`() throws {
    let json = try request(TrustedCaller("github:o/r")).setup().json
    for name in ["assumePolicy", "permissionSet", "group", "assignment"] { #expect(json[name] == .null) }
    #expect(json["role"]?["trustPolicy"]?["Version"] == .string("2012-10-17"))
    #expect(try request().setup().json["assignment"]?.compact() == #"{"accountId":"123456789012","principalType":"GROUP"}"#)
  }

  @Test(arguments: [
    ("203.0.113.7", true), ("0.0.0.0/0", true), ("::/0", true), ("2001:db8::1/128", true), ("1:2:3:4:5:6:7:8", true),
    ("256.0.0.1", false), ("1.2.3", false), ("1.2.3.4/033", false), ("2001:db8::1::/32", false), ("1:2:3:4:5:6:7", false),
    ("::/129", false), ("", false), ("10.0.0.0/8 ", false), ("１.2.3.4", false),
  ])
  func `a network is an address with an optional prefix length`(text: String, isValid: Bool) {
    let fault = failure { _ = try request { $0.conditions.sourceAddresses = [text] }.trust() }
    #expect((fault == nil) == isValid, "\(text)")
  }
}
