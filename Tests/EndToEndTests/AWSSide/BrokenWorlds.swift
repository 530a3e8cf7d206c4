import AWSPolicy
import Foundation
import TestSupport
import Testing

/// The AWS side of the article's example as it was set up, and what can be wrong with it.
struct ArticleWorld {
  static let account = "123456789012"
  static let roleARN = "arn:aws:iam::123456789012:role/my-application-dev-role"
  static let permissionSet = "MyApplicationDevPermissions"

  var trust: PolicyDocument
  var application: PolicyDocument?
  var assume: PolicyDocument?
  var maxSessionDuration: Int
  var roleExists = true
  var permissionSets = [Self.permissionSet]
  var isOutdated = false
  var isAssigned = true
  var boundary: PolicyDocument?
  var serviceControl: [PolicyDocument] = []
  /// What befalls the calls for the role.
  var fault: STSFault?
  /// IAM Identity Center's region, which its roles have in their path, but for us-east-1.
  var region = "eu-central-1"
  /// More settings of the profile.
  var settings: [String] = []

  /// - Parameter model: a setup as the fixture's reader prints it, whether it was generated or applied.
  init(_ model: String) throws {
    func document(_ value: JSONValue?, _ kind: PolicyKind) throws -> PolicyDocument {
      try PolicyDocument(json: try #require(value), kind: kind)
    }
    let json = try JSONText(Array(model.utf8)).value
    let role = try #require(json["role"])
    #expect(role["name"]?.string == "my-application-dev-role" && json["permissionSet"]?["name"]?.string == Self.permissionSet)
    trust = try document(role["trust"], .trust)
    application = try document(json["policies"]?.members?.first?.value, .managed)
    assume = try document(json["permissionSet"]?["inlinePolicy"], .permissionSetInline)
    maxSessionDuration = try #require(role["maxSessionDuration"] == .number("3600") ? 3_600 : nil)
  }

  /// Any world, to see what a change is about.
  static var empty: ArticleWorld {
    get throws {
      let policy = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}"#
      let trust = policy.replacing(#""Resource":"*""#, with: #""Principal":{"AWS":"123456789012"}"#)
      return try ArticleWorld(
        #"{"role":{"name":"my-application-dev-role","trust":\#(trust),"maxSessionDuration":3600},"policies":{"p":\#(policy)},"#
          + #""permissionSet":{"name":"\#(permissionSet)","inlinePolicy":\#(policy)}}"#)
    }
  }

  /// The world of the strict simulator that has all this.
  var world: STSWorld {
    let assigned = isAssigned ? permissionSets : []
    var center = STSWorld.IdentityCenter(
      startURL: "https://my-org.awsapps.com/start", region: region,
      accounts: [STSWorld.IdentityCenter.Account(id: Self.account, name: "Development", roles: assigned)],
      policies: [Self.permissionSet: [assume].compactMap { $0?.json.compact() }], roleRegion: region == "us-east-1" ? nil : region
    )
    center.permissionsBoundaries = boundary.map { [Self.permissionSet: $0.json.compact()] }
    // Whoever may look, since the person may not.
    var world = STSWorld(
      users: [
        STSWorld.User(
          arn: STSWorld.aliceARN,
          accessKeys: [STSWorld.AccessKey(id: STSWorld.aliceAccessKeyId, secret: STSWorld.aliceSecretAccessKey)])
      ], identityCenter: center)
    if roleExists {
      world.roles.append(
        STSWorld.Role(
          arn: Self.roleARN, maxSessionDuration: maxSessionDuration, trustPolicy: trust.json.compact(),
          policies: [application].compactMap { $0?.json.compact() }))
    }
    if !serviceControl.isEmpty { world.serviceControlPolicies = serviceControl.map { $0.json.compact() } }
    world.account = STSWorld.Account(
      readers: [STSWorld.aliceARN: ["iam:*", "sso:*", "identitystore:*"]], permissionSets: permissionSets,
      outdated: isOutdated ? [Self.permissionSet] : [],
      assignments: isAssigned ? [STSWorld.Account.Assignment(Self.permissionSet, account: Self.account, group: "0123-devs")] : [],
      groups: ["0123-devs": "MyApplicationDevGroup"], used: [Self.roleARN: ["dynamodb", "ssm"]])
    return world
  }
}

/// One way in which the AWS side is wrong, and what must be said about it.
struct BrokenWorld: CustomTestStringConvertible, Sendable {
  /// What is wrong, as a sentence.
  let what: String
  /// What `vault iam check` says differs; nil if nothing differs.
  let check: String?
  /// A part of the finding's text.
  let words: String
  /// What `vault iam why` says refuses; nil if `vault exec` succeeds all the same.
  let refusedBy: String?
  /// Other checks that differ with it.
  let also: [String]
  /// The exit status of `vault exec`.
  let exit: Int32
  let breaks: @Sendable (inout ArticleWorld) -> Void

  var testDescription: String { what }

  init(
    _ what: String, check: String?, words: String = "", refusedBy: String?,
    also: [String] = [], exit: Int32 = 77, breaks: @escaping @Sendable (inout ArticleWorld) -> Void
  ) {
    self.what = what
    self.check = check
    self.words = words
    self.refusedBy = refusedBy
    (self.also, self.exit) = (also, exit)
    self.breaks = breaks
  }
}

extension ArticleWorld {
  /// The statement that lets the people in.
  var door: Statement {
    get { trust.statements[0] }
    set { trust.statements[0] = newValue }
  }

  mutating func require(_ comparison: ConditionOperator.Comparison, _ key: String, _ values: String..., ifExists: Bool = false) {
    door.conditions.removeAll { $0.key == key }
    door.conditions.append(PolicyCondition(ConditionOperator(comparison, ifExists: ifExists), key: key, values: values))
  }

  mutating func principal(_ principal: Principal) {
    door.principals = PrincipalElement([principal])
    door.conditions = []
  }

  mutating func callerPattern(_ patterns: String..., comparison: ConditionOperator.Comparison = .arnLike) {
    door.conditions = [PolicyCondition(ConditionOperator(comparison), key: "aws:PrincipalArn", values: patterns)]
  }

  /// Takes an action from the statements of a policy.
  static func without(_ action: String, _ policy: PolicyDocument) -> PolicyDocument {
    var policy = policy
    for index in policy.statements.indices { policy.statements[index].actions.patterns.removeAll { $0 == action } }
    policy.statements.removeAll { $0.actions.patterns.isEmpty }
    return policy
  }

  static func deny(_ action: String) -> PolicyDocument {
    PolicyDocument([
      Statement(sid: "Everything", actions: PatternElement(["*"]), resources: PatternElement(["*"])),
      Statement(sid: "NoRoles", .deny, actions: PatternElement([action]), resources: PatternElement(["*"])),
    ])
  }
}

extension BrokenWorld {
  private static let reserved = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com"
  private static let sendsIdentity = "source_identity = alice"
  private static let sendsTags = "tags = team=payments"

  /// The doors: trust policies.
  static let trusts: [BrokenWorld] = [
    BrokenWorld(
      "the trust policy names another person's session", check: "trust-policy", words: "session", refusedBy: "trust-policy"
    ) {
      $0.principal(
        .aws("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyApplicationDevPermissions_0123456789abcdef/bob@example.com")
      )
    },
    BrokenWorld("the trust policy names the person's own session", check: "trust-policy", words: "session", refusedBy: nil) {
      $0.principal(
        .aws(
          "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyApplicationDevPermissions_0123456789abcdef/alice@example.com"))
    },
    BrokenWorld(
      "the trust policy names the id of something deleted", check: "trust-policy", words: "AROA", refusedBy: "trust-policy"
    ) {
      $0.principal(.aws("AROAEXAMPLEDELETED123"))
    },
    BrokenWorld(
      "the trust policy names the role of a permission set that was made again", check: "trust-policy", refusedBy: "trust-policy"
    ) {
      $0.principal(.aws(Self.reserved + "/AWSReservedSSO_MyApplicationDevPermissions_fedcba9876543210"))
    },
    BrokenWorld(
      "the condition names another permission set", check: "trust-policy", words: "aws:PrincipalArn", refusedBy: "trust-policy"
    ) {
      $0.callerPattern(Self.reserved + "/AWSReservedSSO_Others_*")
    },
    BrokenWorld(
      "the condition names another region of Identity Center", check: "trust-policy", words: "aws:PrincipalArn",
      refusedBy: "trust-policy"
    ) {
      $0.callerPattern(Self.reserved + "/eu-west-1/AWSReservedSSO_MyApplicationDevPermissions_*")
    },
    BrokenWorld(
      "the condition compares a pattern letter by letter", check: "trust-policy", words: "aws:PrincipalArn",
      refusedBy: "trust-policy"
    ) {
      $0.callerPattern(Self.reserved + "/*AWSReservedSSO_MyApplicationDevPermissions_*", comparison: .stringEquals)
    },
    BrokenWorld(
      "the condition names the session's ARN", check: "trust-policy", words: "aws:PrincipalArn", refusedBy: "trust-policy"
    ) {
      $0.callerPattern("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_MyApplicationDevPermissions_*/*")
    },
    BrokenWorld("another account is trusted", check: "trust-policy", refusedBy: "trust-policy") {
      $0.door.principals = PrincipalElement([.aws("arn:aws:iam::999999999999:root")])
    },
    BrokenWorld("everybody is trusted", check: "trust-policy", words: "everyone", refusedBy: nil) { $0.principal(.aws("*")) },
    BrokenWorld("a service is trusted, and no person", check: "trust-policy", refusedBy: "trust-policy") {
      $0.principal(.service("ecs-tasks.amazonaws.com"))
    },
    BrokenWorld("a vendor's account is trusted without an external id", check: "trust-policy", words: "external", refusedBy: nil)
    {
      $0.trust.statements.append(
        Statement(
          sid: "Vendor", principals: PrincipalElement([.aws("arn:aws:iam::999999999999:root")]),
          actions: PatternElement(["sts:AssumeRole"])))
    },
    BrokenWorld("MFA is required of an Identity Center session", check: "trust-policy", words: "MFA", refusedBy: "mfa") {
      $0.require(.bool, "aws:MultiFactorAuthPresent", "true")
    },
    BrokenWorld("MFA is required by its age", check: "trust-policy", words: "MFA", refusedBy: "mfa") {
      $0.require(.numericLessThan, "aws:MultiFactorAuthAge", "3600")
    },
    BrokenWorld("MFA is required where it is known, and so not of this session", check: nil, refusedBy: nil) {
      $0.require(.bool, "aws:MultiFactorAuthPresent", "true", ifExists: true)
    },
    BrokenWorld(
      "an external id is required, and the profile has none", check: "trust-policy", words: "external ID",
      refusedBy: "external-id"
    ) {
      $0.require(.stringEquals, "sts:ExternalId", "app-42")
    },
    BrokenWorld(
      "another external id is required than the profile's", check: "trust-policy", words: "external ID",
      refusedBy: "external-id"
    ) {
      $0.require(.stringEquals, "sts:ExternalId", "app-42")
      $0.settings = ["external_id = app-41"]
    },
    BrokenWorld(
      "a source identity is required, and the profile sends none", check: "trust-policy", words: "source identity",
      refusedBy: "source-identity"
    ) {
      $0.require(.stringLike, "sts:SourceIdentity", "*")
    },
    BrokenWorld(
      "the trust policy does not allow a source identity", check: "trust-policy", words: "sts:SetSourceIdentity",
      refusedBy: "source-identity"
    ) {
      $0.trust = ArticleWorld.without("sts:SetSourceIdentity", $0.trust)
      $0.settings = [Self.sendsIdentity]
    },
    BrokenWorld("the trust policy does not allow tags", check: "trust-policy", words: "sts:TagSession", refusedBy: "tags") {
      $0.trust = ArticleWorld.without("sts:TagSession", $0.trust)
      $0.settings = [Self.sendsTags]
    },
    BrokenWorld(
      "another tag is required than the profile sends", check: "trust-policy", words: "aws:RequestTag/team", refusedBy: "tags"
    ) {
      $0.require(.stringEquals, "aws:RequestTag/team", "platform")
      $0.settings = [Self.sendsTags]
    },
    BrokenWorld("another source address is required", check: "trust-policy", words: "aws:SourceIp", refusedBy: "trust-policy") {
      $0.require(.ipAddress, "aws:SourceIp", "203.0.113.0/24")
    },
    BrokenWorld(
      "another session name is required", check: "trust-policy", words: "sts:RoleSessionName", refusedBy: "trust-policy"
    ) {
      $0.require(.stringEquals, "sts:RoleSessionName", "nightly")
    },
    BrokenWorld("the trust ended at a date", check: "trust-policy", words: "aws:CurrentTime", refusedBy: "trust-policy") {
      $0.require(.dateLessThan, "aws:CurrentTime", "2020-01-01T00:00:00Z")
    },
    BrokenWorld(
      "a statement denies everybody from Identity Center", check: "trust-policy", words: "NoPeople", refusedBy: "trust-policy"
    ) {
      $0.trust.statements.append(
        Statement(
          sid: "NoPeople", .deny, principals: PrincipalElement([.aws("*")]), actions: PatternElement(["sts:AssumeRole"]),
          conditions: [
            PolicyCondition(ConditionOperator(.arnLike), key: "aws:PrincipalArn", values: [Self.reserved + "/*"])
          ]))
    },
    BrokenWorld(
      "the trust policy allows another way to assume the role", check: "trust-policy", words: "sts:AssumeRole",
      refusedBy: "trust-policy"
    ) {
      $0.door.actions = PatternElement(["sts:AssumeRoleWithWebIdentity"])
    },
    BrokenWorld("the trust policy only denies", check: "trust-policy", refusedBy: "trust-policy") { $0.door.effect = .deny },
  ]

  /// What the person may: the permission set and its assignment.
  static let people: [BrokenWorld] = [
    BrokenWorld("the permission set has no policy", check: "assume-policy", refusedBy: "identity-policy") { $0.assume = nil },
    BrokenWorld("the permission set allows another role", check: "assume-policy", refusedBy: "identity-policy") {
      $0.assume?.statements[0].resources = PatternElement(["arn:aws:iam::123456789012:role/my-application-prod-role"])
    },
    BrokenWorld("the permission set allows the role of another account", check: "assume-policy", refusedBy: "identity-policy") {
      $0.assume?.statements[0].resources = PatternElement(["arn:aws:iam::999999999999:role/my-application-dev-role"])
    },
    BrokenWorld("the permission set denies the role", check: "assume-policy", words: "Never", refusedBy: "identity-policy") {
      $0.assume?.statements.append(
        Statement(sid: "Never", .deny, actions: PatternElement(["sts:Assume*"]), resources: PatternElement(["*"])))
    },
    BrokenWorld(
      "the permission set allows no source identity", check: "assume-policy", words: "sts:SetSourceIdentity",
      refusedBy: "source-identity"
    ) {
      $0.assume = $0.assume.map { ArticleWorld.without("sts:SetSourceIdentity", $0) }
      $0.settings = [Self.sendsIdentity]
    },
    BrokenWorld("the permission set allows no tags", check: "assume-policy", words: "sts:TagSession", refusedBy: "tags") {
      $0.assume = $0.assume.map { ArticleWorld.without("sts:TagSession", $0) }
      $0.settings = [Self.sendsTags]
    },
    BrokenWorld(
      "the permission set's policy requires MFA", check: "assume-policy", words: "aws:MultiFactorAuthPresent", refusedBy: "mfa"
    ) {
      $0.assume?.statements[0].conditions = [
        PolicyCondition(ConditionOperator(.bool), key: "aws:MultiFactorAuthPresent", values: ["true"])
      ]
    },
    BrokenWorld("the permission set gives direct access to a service", check: "direct-access", words: "s3", refusedBy: nil) {
      $0.assume?.statements.append(Statement(actions: PatternElement(["s3:*"]), resources: PatternElement(["*"])))
    },
    BrokenWorld("the permission set gives everything", check: "direct-access", refusedBy: nil) {
      $0.assume?.statements.append(Statement(actions: PatternElement(["*"]), resources: PatternElement(["*"])))
    },
    BrokenWorld(
      "the permission set's boundary denies roles", check: "assume-policy", words: "boundary", refusedBy: "permissions-boundary"
    ) {
      $0.boundary = ArticleWorld.deny("sts:AssumeRole")
    },
    BrokenWorld("the permission set is not there", check: "permission-set", refusedBy: "identity-policy") {
      $0.permissionSets = ["Others"]
    },
    BrokenWorld("the permission set was changed and not provisioned", check: "permission-set", words: "provision", refusedBy: nil)
    {
      $0.isOutdated = true
    },
    BrokenWorld("the group has no assignment in the account", check: "assignment", refusedBy: "identity-policy") {
      $0.isAssigned = false
    },
  ]

  /// The role itself, and what stands over the account.
  static let accounts: [BrokenWorld] = [
    BrokenWorld("the role is not there", check: "role", refusedBy: "trust-policy") { $0.roleExists = false },
    BrokenWorld("the role has no policy for the application", check: "application-policy", refusedBy: nil) {
      $0.application = nil
    },
    BrokenWorld("the organization denies roles", check: "assume-policy", words: "service control policy", refusedBy: "scp") {
      $0.serviceControl = [ArticleWorld.deny("sts:AssumeRole")]
    },
    BrokenWorld("STS is not active in the region", check: "assume-role", words: "region", refusedBy: "region", exit: 78) {

      var fault = STSFault(.error, count: 100, action: "AssumeRole")
      (fault.status, fault.code) = (403, "RegionDisabledException")
      fault.text = "STS is not activated in this region for account:123456789012. Your account administrator can activate it."
      $0.fault = fault

    },
  ]
}
