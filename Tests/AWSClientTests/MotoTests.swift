import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The client as a whole, over real HTTP, against an implementation that is not ours.
struct MotoTests {
  @Test("a role, a session and an identity come from moto", .enabled(if: MotoServer.program != nil), .timeLimit(.minutes(1)))
  func calls() async throws {
    let moto = try MotoServer(#require(MotoServer.program))
    defer { moto.stop() }
    let client = STSClient(transport: CurlTransport(), clock: SystemClock())
    let endpoint = try AWSEndpoint(region: "eu-west-1", settings: EndpointSettings(url: moto.url))
    let keys = Credential(
      accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("a secret"), sessionToken: nil, expiresAt: nil)

    let caller = try await client.getCallerIdentity(signedBy: keys, at: endpoint, via: ScriptedSTS.route)
    #expect(caller.account == "123456789012")

    let session = try await client.getSessionToken(
      duration: SessionDuration(seconds: 900), mfa: nil, signedBy: keys, at: endpoint, via: ScriptedSTS.route)
    #expect(session.assumedRoleARN == nil && session.credential.sessionToken != nil)

    let arn = try #require(RoleARN("arn:aws:iam::123456789012:role/dev"))
    let request = AssumeRoleRequest(
      link: RoleLink(profile: "dev", roleARN: arn, externalId: "a b&c", tags: [SessionTag(key: "team", value: "x=y")]),
      sessionName: RoleSessionName(cleaning: "ann@desk"), duration: .standard)
    let role = try await client.assumeRole(request, signedBy: session.credential, at: endpoint, via: ScriptedSTS.route)
    #expect(role.assumedRoleARN == "arn:aws:sts::123456789012:assumed-role/dev/ann@desk")
    #expect(role.attempts == 1 && role.requestId != nil)

    let assumed = try await client.getCallerIdentity(signedBy: role.credential, at: endpoint, via: ScriptedSTS.route)
    #expect(assumed.arn == role.assumedRoleARN)
  }
}
