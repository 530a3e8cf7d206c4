import Foundation
import TestSupport
import Testing

@Suite("The simulator's AssumeRole, as boto3 sees it")
struct AssumeRoleTests {
  private static let aliceDenied = "User: \(STSWorld.aliceARN) is not authorized to perform: sts:AssumeRole on resource: "

  @Test("a role is assumed for as long as was asked", arguments: [(nil, 3_600), (900, 900), (14_400, 14_400)] as [(Int?, Int64)])
  func duration(asked: Int?, given: Int64) async throws {
    let simulator = try await STSSimulatorProcess()
    let more: [String: Boto3.Value] = asked.map { ["DurationSeconds": .number($0)] } ?? [:]
    let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, more)
    #expect(answer["AssumedRoleUser.Arn"] == "arn:aws:sts::123456789012:assumed-role/my-application-dev-role/test")
    #expect(answer["PackedPolicySize"] == nil)
    #expect(answer["SourceIdentity"] == nil)
    let request = try #require(try await simulator.requests().first)
    #expect(request.expiresAt == (request.time / 1_000 + given) * 1_000)
    let expiration = try #require(answer["Credentials.Expiration"].flatMap { ISO8601DateFormatter().date(from: $0) })
    #expect(Int64(expiration.timeIntervalSince1970) * 1_000 == request.expiresAt)
  }

  @Test("longer than the role allows, or than a chain allows, is refused with the limit's name")
  func tooLong() async throws {
    let simulator = try await STSSimulatorProcess()
    let long = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["DurationSeconds": 14_401])
    #expect(long.code == "ValidationError")
    #expect(long.message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    #expect(long.status == "400")
    let dev = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    let chained = try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, ["DurationSeconds": 3_601], as: dev)
    #expect(chained.code == "ValidationError")
    #expect(
      chained.message == "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, ["DurationSeconds": 3_600], as: dev).succeeded)
  }

  @Test(
    "who is not trusted, or has no permission, is denied in AWS's words",
    arguments: [
      (Boto3.Key.alice, STSWorld.chainedRole, STSWorld.aliceARN),
      (.alice, "arn:aws:iam::123456789012:role/no-such-role", STSWorld.aliceARN),
      (.bob, STSWorld.devRole, STSWorld.bobARN),
    ])
  func denied(key: Boto3.Key, role: String, caller: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.assumeRole(simulator, role, as: key)
    #expect(answer.code == "AccessDenied")
    #expect(answer.message == "User: \(caller) is not authorized to perform: sts:AssumeRole on resource: \(role)")
    #expect(answer.status == "403")
  }

  @Test("a trust policy that names a user suffices within the account, not across accounts")
  func namedUser() async throws {
    var world = STSWorld.standard
    world[role: STSWorld.devRole]?.trusts = [STSWorld.bobARN]
    world[role: STSWorld.partnerRole] = STSWorld.Role(arn: STSWorld.partnerRole, trusts: [STSWorld.bobARN])
    let simulator = try await STSSimulatorProcess(world)
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, as: .bob).succeeded)
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).code == "AccessDenied")
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.partnerRole, as: .bob).code == "AccessDenied")
    world[user: "bob"]?.mayAssume = [STSWorld.partnerRole]
    try await simulator.change(to: world)
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.partnerRole, as: .bob).succeeded)
  }

  @Test("an external id must be the trust policy's")
  func externalId() async throws {
    let simulator = try await STSSimulatorProcess()
    for wrong: [String: Boto3.Value] in [[:], ["ExternalId": "partner:7/x43"]] {
      let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.partnerRole, wrong)
      #expect(answer.message == Self.aliceDenied + STSWorld.partnerRole)
    }
    let right: [String: Boto3.Value] = ["ExternalId": .text(STSWorld.externalId)]
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.partnerRole, right).succeeded)
  }

  @Test("a chain of roles: the first role's session is the caller of the second, and alice herself is not")
  func chain() async throws {
    let simulator = try await STSSimulatorProcess()
    let dev = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["RoleSessionName": "alice"]).key
    let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: dev)
    #expect(answer["AssumedRoleUser.Arn"] == "arn:aws:sts::123456789012:assumed-role/my-application-chained-role/test")
    let back = try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, as: dev)
    #expect(
      back.message == "User: arn:aws:sts::123456789012:assumed-role/my-application-dev-role/alice is not authorized to perform: "
        + "sts:AssumeRole on resource: \(STSWorld.mfaRole)")
  }

  @Test("tags that are passed on come to the end of the chain, and can't be changed on the way")
  func transitiveTags() async throws {
    var world = STSWorld.standard
    world[role: STSWorld.chainedRole]?.mayAssume = [STSWorld.mfaRole]
    let untagged = "arn:aws:iam::123456789012:role/takes-no-tags"
    world.roles.append(STSWorld.Role(arn: untagged, trusts: [STSWorld.devRole, STSWorld.aliceARN], allowsTags: false))
    let simulator = try await STSSimulatorProcess(world)
    let tags: [String: Boto3.Value] = [
      "Tags": [["Key": "Team", "Value": "Blüte"], ["Key": "Cost Center", "Value": ""]], "TransitiveTagKeys": ["Team"],
    ]
    let first = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, tags)
    #expect(Int(first["PackedPolicySize"] ?? "") ?? 0 > 0)
    let override = try await Boto3.shared.assumeRole(
      simulator, STSWorld.chainedRole, ["Tags": [["Key": "team", "Value": "other"]]], as: first.key)
    #expect(override.code == "InvalidParameterValue")
    #expect(override.message?.contains("conflicts with a transitive tag key from the calling session") == true)
    let other: [String: Boto3.Value] = ["Tags": [["Key": "cost center", "Value": "42"]]]
    #expect(
      try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, other, as: first.key).succeeded, "it was not passed on")
    let denied = try await Boto3.shared.assumeRole(simulator, untagged, as: first.key)
    #expect(denied.message?.contains("is not authorized to perform: sts:TagSession on resource: \(untagged)") == true)
    #expect(try await Boto3.shared.assumeRole(simulator, untagged).succeeded, "alice herself has no tags")
  }

  @Test("a source identity stays for the whole chain, and can't be changed")
  func sourceIdentity() async throws {
    var world = STSWorld.standard
    world[role: STSWorld.chainedRole]?.requiresSourceIdentity = true
    let simulator = try await STSSimulatorProcess(world)
    let without = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole)
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: without.key).code == "AccessDenied")
    let first = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["SourceIdentity": "alice@example.com"])
    #expect(first["SourceIdentity"] == "alice@example.com")
    let second = try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: first.key)
    #expect(second["SourceIdentity"] == "alice@example.com")
    let changed = try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, ["SourceIdentity": "bob"], as: first.key)
    #expect(changed.code == "AccessDenied")
    #expect(changed.message?.contains("sts:SetSourceIdentity") == true)
    world[role: STSWorld.devRole]?.allowsSourceIdentity = false
    try await simulator.change(to: world)
    let forbidden = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["SourceIdentity": "alice"])
    #expect(forbidden.message?.contains("sts:SetSourceIdentity on resource: \(STSWorld.devRole)") == true)
  }

  @Test("a session policy must be a policy, and there is room for so much of it")
  func policies() async throws {
    let simulator = try await STSSimulatorProcess()
    let policy = #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#
    let right = try await Boto3.shared.assumeRole(
      simulator, STSWorld.devRole,
      ["Policy": .text(policy), "PolicyArns": [["arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"]]])
    #expect(right["PackedPolicySize"] != nil)
    for (text, message) in [
      ("{", "This policy contains invalid Json"), (#"{"Version":"2012-10-17"}"#, "Syntax errors in policy."),
      (#"{"Statement":[{"Effect":"Perhaps","Action":"*"}]}"#, "Syntax errors in policy."),
    ] {
      let wrong = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["Policy": .text(text)])
      #expect(wrong.code == "MalformedPolicyDocument")
      #expect(wrong.message == message)
    }
    let arns = (0..<10).map {
      Boto3.Value.members(["arn": .text("arn:aws:iam::123456789012:policy/" + String(repeating: "p\($0)", count: 100))])
    }
    let large = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, ["PolicyArns": .list(arns)])
    #expect(large.code == "PackedPolicyTooLarge")
    #expect(large.message?.wholeMatch(of: /Packed policy consumes 1\d\d% of allotted space, please use smaller policy\./) != nil)
  }

  @Test(
    "a parameter outside of the model's limits is refused by its name",
    arguments: [
      (
        ["RoleArn": "arn:aws:iam::1"],
        "Value 'arn:aws:iam::1' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20"
      ),
      (["RoleArn": "arn:aws:iam::123456789012:user/alice"], "arn:aws:iam::123456789012:user/alice is invalid"),
      (
        ["RoleSessionName": "a b"],
        #"'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"#
      ),
      (
        ["RoleSessionName": "a"],
        "'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2"
      ),
      (
        ["DurationSeconds": 899],
        "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
      ),
      (
        ["DurationSeconds": 43_201],
        "Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200"
      ),
      (["ExternalId": "a b"], #"[\w+=,.@:\/-]*"#), (["SourceIdentity": "x"], "'sourceIdentity'"),
      (["TokenCode": "12345"], "'tokenCode'"),
      (["TokenCode": "12345x"], #"[\d]*"#), (["SerialNumber": "short"], "'serialNumber'"),
      (["Tags": [["Key": "", "Value": "x"]]], "'tags.1.member.key'"),
      (["Tags": [["Key": "a*", "Value": "x"]]], "'tags.1.member.key'"),
      (["Tags": [["Key": "a", "Value": "x"], ["Key": "A", "Value": "y"]]], "Duplicate tag keys found"),
      (["TransitiveTagKeys": ["a"]], "The specified transitive tag key must be included in the requested tags."),
      (["RoleSessionName": "<&>", "DurationSeconds": 1], "2 validation errors detected: Value '<&>' at 'roleSessionName'"),
    ] as [([String: Boto3.Value], String)])
  func invalid(change: [String: Boto3.Value], words: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, change)
    #expect(answer.status == "400")
    #expect(["ValidationError", "InvalidParameterValue"].contains(answer.code))
    #expect(answer.message?.contains(words) == true, "\(answer.message ?? "")")
    #expect(try await simulator.requests().first?.outcome == .error)
  }

  @Test("root may not assume a role")
  func root() async throws {
    var world = STSWorld.standard
    world.users[0].arn = "arn:aws:iam::123456789012:root"
    let simulator = try await STSSimulatorProcess(world)
    let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole)
    #expect(answer.message == "Roles may not be assumed by root accounts.")
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity")["UserId"] == STSWorld.account)
  }
}
