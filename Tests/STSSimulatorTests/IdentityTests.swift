import TestSupport
import Testing

@Suite("The simulator's callers, as boto3 sees them")
struct IdentityTests {
  @Test("a user is known by the key")
  func user() async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity")
    #expect(answer["Arn"] == STSWorld.aliceARN)
    #expect(answer["Account"] == STSWorld.account)
    #expect(answer["UserId"]?.wholeMatch(of: /AIDA[A-Z2-7]{17}/) != nil)
    #expect(answer.status == "200")
    let requestId = answer["ResponseMetadata.RequestId"]
    #expect(requestId?.wholeMatch(of: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/) != nil)
    #expect(requestId == answer["ResponseMetadata.HTTPHeaders.x-amzn-requestid"])
  }

  @Test("a role session is known by its role and its name, without the role's path")
  func roleSession() async throws {
    let simulator = try await STSSimulatorProcess()
    let assumed = try await Boto3.shared.assumeRole(
      simulator, STSWorld.partnerRole, ["ExternalId": .text(STSWorld.externalId), "RoleSessionName": "alice@laptop"])
    let arn = "arn:aws:sts::210987654321:assumed-role/my-partner-role/alice@laptop"
    #expect(assumed["AssumedRoleUser.Arn"] == arn)
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity", as: assumed.key)
    #expect(answer["Arn"] == arn)
    #expect(answer["Account"] == "210987654321")
    #expect(answer["UserId"] == assumed["AssumedRoleUser.AssumedRoleId"])
    #expect(answer["UserId"]?.wholeMatch(of: /AROA[A-Z2-7]{17}:alice@laptop/) != nil)
  }

  @Test("a session token goes on as its user, and can't get another one")
  func sessionToken() async throws {
    let simulator = try await STSSimulatorProcess()
    let session = try await Boto3.shared.call(simulator, "get_session_token", ["DurationSeconds": 900])
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity", as: session.key)
    #expect(answer["Arn"] == STSWorld.aliceARN)
    let again = try await Boto3.shared.call(simulator, "get_session_token", as: session.key)
    #expect(again.code == "AccessDenied")
    #expect(again.message == "Cannot call GetSessionToken with session credentials")
    #expect(again.status == "403")
  }

  @Test(
    "who is not known is refused",
    arguments: [
      (Boto3.Key(id: "AKIAXXXXXXXXXXXXXXXX", secret: STSWorld.aliceSecretAccessKey), "InvalidClientTokenId"),
      (Boto3.Key(id: STSWorld.bobInactiveAccessKeyId, secret: STSWorld.bobSecretAccessKey), "InvalidClientTokenId"),
      (Boto3.Key(id: STSWorld.aliceAccessKeyId, secret: STSWorld.aliceSecretAccessKey, token: "x"), "InvalidClientTokenId"),
      (Boto3.Key(id: STSWorld.aliceAccessKeyId, secret: STSWorld.bobSecretAccessKey), "SignatureDoesNotMatch"),
    ])
  func unknown(key: Boto3.Key, code: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity", as: key)
    #expect(answer.code == code)
    #expect(answer.status == "403")
    let expected =
      code == "InvalidClientTokenId"
      ? "The security token included in the request is invalid."
      : "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
        + "signing method. Consult the service documentation for details."
    #expect(answer.message == expected)
  }

  @Test("temporary keys need their own token")
  func tokens() async throws {
    let simulator = try await STSSimulatorProcess()
    let first = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    let second = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    #expect(first.id != second.id)
    #expect(first.id.wholeMatch(of: /ASIA[A-Z2-7]{16}/) != nil)
    for token in [nil, second.token, first.token.map { $0 + "A" }] {
      let answer = try await Boto3.shared.call(
        simulator, "get_caller_identity", as: Boto3.Key(id: first.id, secret: first.secret, token: token))
      #expect(answer.code == "InvalidClientTokenId", "\(token ?? "no token")")
    }
    let wrongSecret = Boto3.Key(id: first.id, secret: second.secret, token: first.token)
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity", as: wrongSecret).code == "SignatureDoesNotMatch")
  }

  @Test("temporary keys end when they are said to")
  func expiry() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 200))
    let short = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity", as: short).succeeded)
    try await simulator.set(STSSettings(clockOffsetSeconds: 201))
    let late = try await Boto3.shared.call(simulator, "get_caller_identity", as: short)
    #expect(late.code == "ExpiredToken")
    #expect(late.message == "The security token included in the request is expired")
    #expect(late.status == "403")
    try await simulator.set(STSSettings(clockOffsetSeconds: 150))
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity", as: short).succeeded)
  }

  @Test("a revoked key is unknown, and a revoked role's sessions are denied")
  func revocation() async throws {
    let simulator = try await STSSimulatorProcess()
    let key = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    let other = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    try await simulator.revoke(accessKeyId: key.id)
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity", as: key).code == "InvalidClientTokenId")
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: other).succeeded)
    try await simulator.revoke(role: STSWorld.devRole)
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity", as: other).succeeded, "which needs no permission")
    let denied = try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: other)
    #expect(denied.code == "AccessDenied")
    #expect(denied.message?.hasSuffix("with an explicit deny in an identity-based policy") == true)
    let fresh = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).key
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.chainedRole, as: fresh).succeeded)
  }
}
