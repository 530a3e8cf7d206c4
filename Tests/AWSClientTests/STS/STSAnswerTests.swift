import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct STSAnswerTests {
  @Test("every parameter of a role is sent, encoded, in a body that is signed")
  func parameters() async throws {
    let sts = ScriptedSTS([.credentials()])
    _ = try await sts.assumeRole { request in
      request.link.externalId = "a b+c/=&é"
      request.link.mfaSerial = "arn:aws:iam::123456789012:mfa/ann"
      request.link.sourceIdentity = "ann"
      request.link.policy = #"{"Version": "2012-10-17"}"#
      request.link.policyARNs = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
      request.link.tags = [SessionTag(key: "team", value: "x&y"), SessionTag(key: "empty", value: "")]
      request.link.transitiveTagKeys = ["team"]
      request.tokenCode = SecretBytes("123456")
    }
    let expected = [
      "Action=AssumeRole", "Version=2011-06-15", "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdev",
      "RoleSessionName=ann%40desk",
      "DurationSeconds=3600", "ExternalId=a%20b%2Bc%2F%3D%26%C3%A9", "SourceIdentity=ann",
      "Policy=%7B%22Version%22%3A%20%222012-10-17%22%7D",
      "PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess", "Tags.member.1.Key=team",
      "Tags.member.1.Value=x%26y",
      "Tags.member.2.Key=empty", "Tags.member.2.Value=", "TransitiveTagKeys.member.1=team",
      "SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fann", "TokenCode=123456",
    ]
    #expect(sts.body(0).split(separator: "&").map(String.init) == expected)
    #expect(sts.header("Host", 0) == "sts.eu-west-1.amazonaws.com")
    let authorization = try #require(sts.header("Authorization", 0))
    #expect(authorization.contains("Credential=AKIAEXAMPLEEXAMPLE00/20261123/eu-west-1/sts/aws4_request"))
    #expect(authorization.contains("SignedHeaders=content-type;host;x-amz-date,"))
  }

  @Test("a session token is sent and signed")
  func sessionToken() async throws {
    let transport = ScriptedTransport([.credentials(action: "GetSessionToken")])
    let client = STSClient(transport: transport, clock: JumpingClock())
    let credential = Credential(
      accessKeyId: "ASIAEXAMPLEEXAMPLE01", secretAccessKey: SecretBytes("s"), sessionToken: SecretBytes("the+token"),
      expiresAt: nil)
    let endpoint = try STSEndpoint(region: nil, settings: EndpointSettings())
    _ = try await client.getSessionToken(duration: nil, mfa: nil, signedBy: credential, at: endpoint, via: ScriptedSTS.route)
    let headers = transport.requests[0].headers
    #expect(headers.contains { $0 == ("X-Amz-Security-Token", "the+token") })
    #expect(headers.contains { $0.name == "Authorization" && $0.value.contains("x-amz-date;x-amz-security-token,") })
  }

  @Test("an answer's credentials and what surrounds them are read")
  func credentials() async throws {
    let user = "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/dev/ann@desk</Arn></AssumedRoleUser>"
    let extra = user + "<PackedPolicySize>6</PackedPolicySize><SourceIdentity>ann</SourceIdentity>"
    let result = try await ScriptedSTS([.credentials(extra: extra)]).assumeRole()
    #expect(result.credential.accessKeyId == "ASIAEXAMPLEEXAMPLE00")
    #expect(result.credential.secretAccessKey.equals(SecretBytes("secretsecretsecretsecret/+=")))
    #expect(result.credential.sessionToken?.equals(SecretBytes("tokentokentokentoken/+=")) == true)
    #expect(result.credential.expiresAt?.iso8601 == "2026-11-23T13:00:00Z")
    #expect(result.assumedRoleARN == "arn:aws:sts::123456789012:assumed-role/dev/ann@desk")
    #expect(result.packedPolicySize == 6 && result.sourceIdentity == "ann" && result.requestId == "req-1" && result.attempts == 1)
  }

  @Test("what AWS could not have said is believed from no one", arguments: Self.nonsenses)
  func malformedResponse(_ step: ScriptedTransport.Step) async {
    let error = await ScriptedSTS([step, step, step]).failure()
    guard case .malformedResponse = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.exitStatus == .unavailable)
  }

  static let nonsenses: [ScriptedTransport.Step] = [
    .answer(status: 200, body: "<html>Welcome to the hotel</html>"), .answer(status: 200, body: ""),
    .answer(status: 302, body: ""),
    .answer(status: 200, body: "{}"), .credentials(action: "GetSessionToken"), .credentials(expiration: "2026-11-23T11:59:59Z"),
    .credentials(expiration: "2026-11-25T12:00:00Z"), .credentials(expiration: "tomorrow"), .credentials(expiration: ""),
    .credentials(extra: "<Credentials><AccessKeyId>ASIAEXAMPLEEXAMPLE09</AccessKeyId></Credentials>"),
  ]

  @Test("the caller is read")
  func caller() async throws {
    let body = """
      <GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>AIDA</UserId>
      <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>
      """
    let sts = ScriptedSTS([.answer(status: 200, body: body)])
    let endpoint = try STSEndpoint(region: nil, settings: EndpointSettings())
    let caller = try await sts.client.getCallerIdentity(signedBy: sts.credential, at: endpoint, via: ScriptedSTS.route)
    #expect(caller == CallerIdentity(arn: "arn:aws:iam::123456789012:user/ann", account: "123456789012", userId: "AIDA"))
  }
}
