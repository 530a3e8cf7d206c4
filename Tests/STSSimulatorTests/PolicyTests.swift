import Foundation
import TestSupport
import Testing

/// Roles with a trust policy in JSON, where the policies of both sides decide.
@Suite("The simulator's policies, as boto3 sees them")
struct PolicyTests {
  static let role = "arn:aws:iam::123456789012:role/app"
  static let next = "arn:aws:iam::123456789012:role/next"

  static func trust(_ principal: String, _ actions: String = #""sts:AssumeRole""#, condition: String = "{}") -> String {
    #"""
    {"Version":"2012-10-17",
     "Statement":{"Effect":"Allow","Principal":\#(principal),"Action":[\#(actions)],"Condition":\#(condition)}}
    """#
  }

  static func allow(_ action: String, on resource: String = "*", effect: String = "Allow") -> String {
    #"{"Version":"2012-10-17","Statement":{"Effect":"\#(effect)","Action":"\#(action)","Resource":"\#(resource)"}}"#
  }

  static let account = #"{"AWS":"arn:aws:iam::123456789012:root"}"#

  /// bob may assume the role, and from it the next one.
  static var world: STSWorld {
    var world = STSWorld.standard
    world[user: "bob"]?.policies = [allow("sts:*", on: role)]
    world.roles.append(STSWorld.Role(arn: role, trustPolicy: trust(account, #""sts:*""#), policies: [allow("sts:*", on: next)]))
    world.roles.append(STSWorld.Role(arn: next, trustPolicy: trust(account, #""sts:*""#)))
    world.serviceControlPolicies = [allow("*")]
    return world
  }

  static let denied = "User: \(STSWorld.bobARN) is not authorized to perform: sts:AssumeRole on resource: \(role)"

  typealias Broken = (what: String, break: @Sendable (inout STSWorld) -> Void, words: String)

  static let broken: [Broken] = [
    ("identity", { $0[user: "bob"]?.policies = nil }, " because no identity-based policy allows the sts:AssumeRole action"),
    (
      "identity's deny", { $0[user: "bob"]?.policies?.append(allow("sts:AssumeRole", effect: "Deny")) },
      " with an explicit deny in an identity-based policy"
    ),
    (
      "boundary", { $0[user: "bob"]?.permissionsBoundary = allow("s3:*") },
      " because no permissions boundary allows the sts:AssumeRole action"
    ),
    (
      "boundary's deny", { $0[user: "bob"]?.permissionsBoundary = allow("sts:*", effect: "Deny") },
      " with an explicit deny in a permissions boundary"
    ),
    ("organization", { $0.serviceControlPolicies = [allow("s3:*")] }, " with an explicit deny in a service control policy"),
    (
      "organization's deny", { $0.serviceControlPolicies?.append(allow("sts:*", effect: "Deny")) },
      " with an explicit deny in a service control policy"
    ),
    (
      "trust", { $0[role: role]?.trustPolicy = trust(#"{"AWS":"210987654321"}"#) },
      "User: \(STSWorld.bobARN) is not authorized to perform: sts:AssumeRole because no role trust policy allows the "
        + "sts:AssumeRole action"
    ),
    (
      "trust's deny",
      { $0[role: role]?.trustPolicy = trust(#""*""#, #""sts:*""#).replacing("Allow", with: "Deny") },
      "User: \(STSWorld.bobARN) is not authorized to perform: sts:AssumeRole with an explicit deny in the role trust policy"
    ),
    (
      "id of a role that is gone", { $0[role: role]?.trustPolicy = trust(#"{"AWS":"AROAGONE"}"#) },
      "User: \(STSWorld.bobARN) is not authorized to perform: sts:AssumeRole because no role trust policy allows the "
        + "sts:AssumeRole action"
    ),
  ]

  @Test("each side refuses, without a reason, or with AWS's words for it") func sides() async throws {
    let simulator = try await STSSimulatorProcess(Self.world)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: .bob).succeeded)
    for example in Self.broken {
      var world = Self.world
      example.break(&world)
      world.settings.explainsDenials = false
      try await simulator.change(to: world)
      let plain = try await Boto3.shared.assumeRole(simulator, Self.role, as: .bob)
      #expect(plain.code == "AccessDenied" && plain.message == Self.denied && plain.status == "403", "\(example.what)")
      try await simulator.set(STSSettings(explainsDenials: true))
      let explained = try await Boto3.shared.assumeRole(simulator, Self.role, as: .bob)
      #expect(
        explained.message == (example.words.hasPrefix(" ") ? Self.denied + example.words : example.words), "\(example.what)")
    }
    try await simulator.change(to: Self.world)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: .bob).succeeded)
  }

  @Test("a session keeps what it was limited to, its tags and its source identity down the chain") func chain() async throws {
    let simulator = try await STSSimulatorProcess(Self.world)
    let readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    let limits: [(arguments: [String: Boto3.Value], isAllowed: Bool)] = [
      ([:], true), (["Policy": .text(Self.allow("sts:AssumeRole"))], true), (["Policy": .text(Self.allow("s3:*"))], false),
      (["PolicyArns": [["arn": .text(readOnly)]]], false),
      (["Policy": .text(Self.allow("sts:*")), "PolicyArns": [["arn": .text(readOnly)]]], true),
    ]
    for limit in limits {
      let first = try await Boto3.shared.assumeRole(simulator, Self.role, limit.arguments, as: .bob)
      let second = try await Boto3.shared.assumeRole(simulator, Self.next, as: first.key)
      #expect(second.succeeded == limit.isAllowed, "\(limit.arguments)")
    }
    let sent: [String: Boto3.Value] = [
      "SourceIdentity": "bob", "Tags": [["Key": "team", "Value": "blue"]], "TransitiveTagKeys": ["team"],
    ]
    let tagged = try await Boto3.shared.assumeRole(simulator, Self.role, sent, as: .bob)
    var world = Self.world
    let condition = #"{"StringEquals":{"aws:PrincipalTag/team":"blue","aws:SourceIdentity":"bob","sts:SourceIdentity":"bob"}}"#
    world[role: Self.next]?.trustPolicy = Self.trust(Self.account, #""sts:*""#, condition: condition)
    try await simulator.change(to: world)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.next, as: tagged.key).succeeded)
    let untagged = try await Boto3.shared.assumeRole(simulator, Self.role, as: .bob)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.next, as: untagged.key).code == "AccessDenied")
    for (actions, missing) in [("sts:SetSourceIdentity", "sts:TagSession"), ("sts:TagSession", "sts:SetSourceIdentity")] {
      world[role: Self.next]?.trustPolicy = Self.trust(Self.account, #""sts:AssumeRole","\#(actions)""#)
      try await simulator.change(to: world)
      let refused = try await Boto3.shared.assumeRole(simulator, Self.next, as: tagged.key)
      #expect(refused.message?.contains("is not authorized to perform: \(missing) on resource: \(Self.next)") == true)
    }
  }

  @Test("conditions see the external id, MFA, the source address and the organization") func conditions() async throws {
    var world = Self.world
    world.organization = "o-abc"
    world[role: Self.role]?.trustPolicy = Self.trust(
      #"{"AWS":"\#(STSWorld.aliceARN)"}"#, #""sts:AssumeRole","sts:TagSession""#,
      condition: #"""
        {"StringEquals":{"sts:ExternalId":"x42","aws:PrincipalOrgID":"o-abc"},"Bool":{"aws:MultiFactorAuthPresent":"true"},
         "NumericLessThan":{"aws:MultiFactorAuthAge":"60"},"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},
         "StringLike":{"sts:RoleSessionName":"${aws:username}"},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}
        """#)
    world.settings.sourceAddress = "203.0.113.9"
    let simulator = try await STSSimulatorProcess(world)
    func assume(_ change: (inout [String: Boto3.Value]) -> Void, code: String) async throws -> Bool {
      var arguments: [String: Boto3.Value] = [
        "RoleSessionName": "alice", "ExternalId": "x42", "SerialNumber": .text(STSWorld.aliceMFASerial), "TokenCode": .text(code),
      ]
      change(&arguments)
      return try await Boto3.shared.assumeRole(simulator, Self.role, arguments).succeeded
    }
    #expect(try await assume({ _ in }, code: "100001"))
    #expect(try await !assume({ $0["ExternalId"] = "x43" }, code: "100002"))
    #expect(try await !assume({ ($0["SerialNumber"], $0["TokenCode"]) = (nil, nil) }, code: ""))
    #expect(try await !assume({ $0["RoleSessionName"] = "bob" }, code: "100003"))
    try await simulator.set(STSSettings(sourceAddress: "198.51.100.1"))
    #expect(try await !assume({ _ in }, code: "100004"))
  }

  @Test("a permission set's policies count, its role's ARN has the region, and what was issued outlives the world")
  func permissionSet() async throws {
    var world = STSWorld.standard
    var center = STSWorld.center
    center.policies = ["Developer": [Self.allow("sts:AssumeRole", on: Self.role)]]
    (center.roleRegion, center.roleSuffix) = ("eu-central-1", "fedcba9876543210")
    world.identityCenter = center
    let pattern = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Developer_????????????????"
    world.roles.append(
      STSWorld.Role(
        arn: Self.role, trustPolicy: Self.trust(Self.account, condition: #"{"ArnLike":{"aws:PrincipalArn":"\#(pattern)"}}"#)))
    let simulator = try await STSSimulatorProcess(world)
    let token = try await Self.signIn(simulator)
    let key = try await Self.credentials(simulator, "Developer", token)
    let caller = try await Boto3.shared.call(simulator, "get_caller_identity", as: key)
    #expect(caller["Arn"] == "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Developer_fedcba9876543210/alice@example.com")
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: key).succeeded)
    let other = try await Self.credentials(simulator, "ReadOnly", token)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: other).code == "AccessDenied")

    // Another world: the key and the token are good in it, and the policies are its own.
    world.identityCenter?.policies = nil
    try await simulator.change(to: world)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: key).message?.contains("sts:AssumeRole") == true)
    (center.roleRegion, center.roleSuffix) = (nil, "0000000000000000")
    world.identityCenter = center
    try await simulator.change(to: world)
    let anew = try await Self.credentials(simulator, "Developer", token)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: anew).succeeded)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: key).code == "AccessDenied", "of a role that is gone")
    world.identityCenter?.permissionsBoundaries = ["Developer": Self.allow("s3:*")]
    try await simulator.change(to: world)
    #expect(try await Boto3.shared.assumeRole(simulator, Self.role, as: anew).code == "AccessDenied")
  }

  @Test("a web identity is judged by the claims that the trust policy asks for") func webIdentity() async throws {
    let host = "token.actions.githubusercontent.com"
    var world = STSWorld.standard
    world.webIdentities = ["repo:org/app:ref:refs/heads/main", "repo:org/other:ref:refs/heads/main"].enumerated().map {
      STSWorld.WebIdentity(token: "token-\($0)", subject: $1, roles: [], provider: host, audience: "sts.amazonaws.com")
    }
    world.roles.append(
      STSWorld.Role(
        arn: Self.role,
        trustPolicy: Self.trust(
          #"{"Federated":"arn:aws:iam::123456789012:oidc-provider/\#(host)"}"#, #""sts:AssumeRoleWithWebIdentity""#,
          condition: #"{"StringEquals":{"\#(host):aud":"sts.amazonaws.com"},"StringLike":{"\#(host):sub":"repo:org/app:*"}}"#)))
    let simulator = try await STSSimulatorProcess(world)
    for (token, isTrusted) in [("token-0", true), ("token-1", false)] {
      let answer = try await Boto3.shared.call(
        simulator, "assume_role_with_web_identity",
        ["RoleArn": .text(Self.role), "RoleSessionName": "build", "WebIdentityToken": .text(token)], as: nil)
      #expect(answer.succeeded == isTrusted)
      #expect(isTrusted || answer.message == "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    }
  }

  // `Trust` was written from the documentation before there was an evaluation of policies, and shares no code with it.
  @Test("a trust policy in JSON decides as the same trust in the simulator's own words", arguments: 1...3 as ClosedRange<UInt64>)
  func sameInWords(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
    let callers: [(key: Boto3.Key, arn: String)] = [(.alice, STSWorld.aliceARN), (.bob, STSWorld.bobARN)]
    var world = STSWorld.standard
    world[user: "alice"]?.mayAssume = ["arn:aws:iam::123456789012:role/*-1*", "arn:aws:iam::210987654321:role/*-2*"]
    world.roles.append(STSWorld.Role(arn: Self.next, trusts: [STSWorld.bobARN], mayAssume: ["arn:aws:iam::*:role/*-3*"]))
    let session = "arn:aws:sts::123456789012:assumed-role/next/test"
    var pairs: [(words: String, policy: String)] = []
    for number in 0..<80 {
      let principals = [
        STSWorld.aliceARN, STSWorld.bobARN, "arn:aws:iam::123456789012:root", "123456789012", "*", Self.next, session,
      ]
      var role = STSWorld.Role(
        arn: "arn:aws:iam::\(pick(["123456789012", "210987654321"])):role/words-\(number)",
        trusts: (0..<pick([1, 1, 2])).map { _ in pick(principals) }, externalId: pick([nil, nil, "x42"]),
        requiresMFA: pick([false, false, true]), requiresSourceIdentity: pick([false, false, true]),
        allowsTags: pick([true, false]),
        allowsSourceIdentity: pick([true, false]))
      world.roles.append(role)
      var conditions = role.externalId.map { [#""StringEquals":{"sts:ExternalId":"\#($0)"}"#] } ?? []
      if role.requiresMFA { conditions.append(#""Bool":{"aws:MultiFactorAuthPresent":"true"}"#) }
      if role.requiresSourceIdentity { conditions.append(#""StringLike":{"sts:SourceIdentity":"*"}"#) }
      let actions =
        [#""sts:AssumeRole""#] + (role.allowsTags ? [#""sts:TagSession""#] : [])
        + (role.allowsSourceIdentity ? [#""sts:SetSourceIdentity""#] : [])
      let principal = #"{"AWS":[\#(role.trusts.map { "\"\($0)\"" }.joined(separator: ","))]}"#
      let words = role.arn
      role.trustPolicy = Self.trust(
        principal, actions.joined(separator: ","), condition: "{\(conditions.joined(separator: ","))}")
      role.arn = words.replacing("words", with: "policy")
      world.roles.append(role)
      pairs.append((words, role.arn))
    }
    let simulator = try await STSSimulatorProcess(world)
    let chained = try await Boto3.shared.assumeRole(simulator, Self.next, as: .bob).key
    var codes: [String: Int] = [:]
    var mfaCode = 100_000
    for pair in pairs {
      for (key, isUser) in callers.map({ ($0.key, true) }) + [(chained, false)] {
        var arguments: [String: Boto3.Value] = [:]
        if pick([true, false]) { arguments["ExternalId"] = .text(pick(["x42", "x43"])) }
        if pick([true, false]) { arguments["SourceIdentity"] = "somebody" }
        // Role chaining needs sts:TagSession and sts:SetSourceIdentity on both sides, which the words do not know.
        if isUser, pick([true, false]) { arguments["Tags"] = [["Key": "team", "Value": "blue"]] }
        if !isUser { arguments["SourceIdentity"] = nil }
        let hasMFA = key.id == STSWorld.aliceAccessKeyId && mfaCode < 100_038 && pick([true, false])
        var answers: [Boto3.Answer] = []
        for role in [pair.words, pair.policy] {
          if hasMFA {
            mfaCode += 1
            (arguments["SerialNumber"], arguments["TokenCode"]) = (.text(STSWorld.aliceMFASerial), .text("\(mfaCode)"))
          }
          answers.append(try await Boto3.shared.assumeRole(simulator, role, arguments, as: key))
        }
        codes[
          answers[0].message?.split(separator: " ").first { $0.hasPrefix("sts:") }.map(String.init) ?? "allowed", default: 0] += 1
        #expect(answers[0].code == answers[1].code, "seed \(seed): \(pair.words) \(arguments)")
        #expect(answers[0].message == answers[1].message?.replacing("policy", with: "words"), "seed \(seed): \(pair.words)")
      }
    }
    #expect(codes.count == 4 && codes["allowed"] ?? 0 > 5, "seed \(seed): \(codes)")
  }

  @Test("a world with a policy that is none is refused") func invalidPolicies() async throws {
    let simulator = try await STSSimulatorProcess()
    let changes: [@Sendable (inout STSWorld) -> Void] = [
      { $0[role: STSWorld.devRole]?.trustPolicy = "{" }, { $0[role: STSWorld.devRole]?.trustPolicy = Self.allow("*") },
      { $0[user: "bob"]?.policies = ["{}"] }, { $0[user: "bob"]?.permissionsBoundary = Self.trust(Self.account) },
      { $0.serviceControlPolicies = ["[]"] }, { $0.identityCenter?.policies = ["Developer": ["x"]] },
      { $0.managedPolicies = ["a": ""] },
    ]
    for change in changes {
      var world = STSWorld.standard
      change(&world)
      let changed = world
      await #expect(throws: STSSimulatorProcess.Refused.self) { try await simulator.change(to: changed) }
    }
    let center = STSWorld.IdentityCenter(accounts: [], policies: ["Developer": ["x"]])
    await #expect(throws: STSSimulatorProcess.Refused.self) {
      try await simulator.change(IdentityChange(identityCenter: center))
    }
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).succeeded, "the first world stays")
  }

  /// Signs in by a device code.
  private static func signIn(_ simulator: STSSimulatorProcess) async throws -> String {
    func post(_ path: String, _ body: [String: Any]) async throws -> [String: Any] {
      let answer = try await LoopbackHTTP.send(
        "POST", path, port: simulator.port, body: Array(try JSONSerialization.data(withJSONObject: body)))
      return try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
    }
    let client = try await post("/client/register", ["clientName": "test", "clientType": "public"])
    let known = client.filter { ["clientId", "clientSecret"].contains($0.key) }
    let device = try await post("/device_authorization", known.merging(["startUrl": STSWorld.center.startURL]) { $1 })
    let grant: [String: Any] = [
      "grantType": "urn:ietf:params:oauth:grant-type:device_code", "deviceCode": device["deviceCode"] ?? "",
    ]
    return try #require(try await post("/token", known.merging(grant) { $1 })["accessToken"] as? String)
  }

  private static func credentials(_ simulator: STSSimulatorProcess, _ role: String, _ token: String) async throws -> Boto3.Key {
    struct Answer: Decodable {
      struct Credentials: Decodable { let accessKeyId, secretAccessKey, sessionToken: String }
      let roleCredentials: Credentials
    }
    let answer = try await LoopbackHTTP.send(
      "GET", "/federation/credentials?account_id=\(STSWorld.ssoAccount)&role_name=\(role)", port: simulator.port,
      headers: ["x-amz-sso_bearer_token": token])
    let key = try JSONDecoder().decode(Answer.self, from: Data(answer.body)).roleCredentials
    return Boto3.Key(id: key.accessKeyId, secret: key.secretAccessKey, token: key.sessionToken)
  }
}
