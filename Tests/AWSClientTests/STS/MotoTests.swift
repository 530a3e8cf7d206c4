import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The client as a whole, over real HTTP, against an implementation that is not ours.
struct MotoTests {
  @Test("a role, a session and an identity come from moto", .timeLimit(.minutes(2)))
  func calls() async throws {
    let moto = try await MotoServer()
    // It ends with its last reference.
    defer { withExtendedLifetime(moto) {} }
    let client = STSClient(transport: CurlTransport(), clock: SystemClock())
    let endpoint = try STSEndpoint(region: "eu-west-1", settings: EndpointSettings(url: moto.url))
    let route = testRoute(moto.url)
    let keys = Credential(
      accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("a secret"), sessionToken: nil, expiresAt: nil)

    let caller = try await client.getCallerIdentity(signedBy: keys, at: endpoint, via: route)
    #expect(caller.account == "123456789012")

    let session = try await client.getSessionToken(
      duration: SessionDuration(seconds: 900), mfa: nil, signedBy: keys, at: endpoint, via: route)
    #expect(session.assumedRoleARN == nil && session.credential.sessionToken != nil)

    let arn = try #require(RoleARN("arn:aws:iam::123456789012:role/dev"))
    let request = AssumeRoleRequest(
      link: RoleLink(profile: "dev", roleARN: arn, externalId: "a b&c", tags: [SessionTag(key: "team", value: "x=y")]),
      sessionName: RoleSessionName(cleaning: "ann@desk"), duration: .default)
    let role = try await client.assumeRole(request, signedBy: session.credential, at: endpoint, via: route)
    #expect(role.assumedRoleARN == "arn:aws:sts::123456789012:assumed-role/dev/ann@desk")
    #expect(role.attempts == 1 && role.requestId != nil)

    let assumed = try await client.getCallerIdentity(signedBy: role.credential, at: endpoint, via: route)
    #expect(assumed.arn == role.assumedRoleARN)
  }
}

/// Keys of a user's own, as IAM hands them out.
struct MotoKeyTests {
  @Test("a key is made, listed, turned off and deleted by moto", .timeLimit(.minutes(2)))
  func keys() async throws {
    let moto = try await MotoServer()
    // It ends with its last reference.
    defer { withExtendedLifetime(moto) {} }
    let client = IAMClient(transport: CurlTransport(), clock: SystemClock())
    let endpoint = try ServiceEndpoint(.iam, region: "eu-west-1", settings: EndpointSettings(url: moto.url))
    let (route, root) = (
      testRoute(moto.url),
      Credential(accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("a secret"), sessionToken: nil, expiresAt: nil)
    )
    try await makeUser("ann", at: endpoint, signedBy: root)
    let missing = await failure(AWSError.self) {
      _ = try await client.createAccessKey(user: "nobody", signedBy: root, at: endpoint, via: route)
    }
    #expect(missing?.code == "NoSuchEntity" && missing?.requestId != nil)

    let key = try await client.createAccessKey(user: "ann", signedBy: root, at: endpoint, via: route)
    #expect(key.userName == "ann")
    let id = key.credential.accessKeyId
    try await client.updateAccessKey(id, isActive: false, user: "ann", signedBy: root, at: endpoint, via: route)
    let listed = try await client.listAccessKeys(user: "ann", signedBy: root, at: endpoint, via: route)
    #expect(listed.map(\.accessKeyId) == [id] && listed.map(\.status) == [.inactive])
    try await client.deleteAccessKey(id, user: "ann", signedBy: root, at: endpoint, via: route)
    #expect(try await client.listAccessKeys(user: "ann", signedBy: root, at: endpoint, via: route).isEmpty)
  }

  private func makeUser(_ name: String, at endpoint: ServiceEndpoint, signedBy credential: Credential) async throws {
    var form = FormBody(action: "CreateUser", version: "2010-05-08")
    form.add("UserName", name)
    let query = QueryRequest(
      form: form.finish(), address: endpoint.address,
      signer: QueryRequest.Signer(credential: credential, region: endpoint.signingRegion, service: "iam"),
      route: testRoute(endpoint.address.text))
    var request = query.request(at: SystemClock().now())
    // moto loads all of IAM's managed policies first.
    request.timeout = 60_000
    let response = try await CurlTransport().send(request)
    #expect(response.status == 200)
  }
}
