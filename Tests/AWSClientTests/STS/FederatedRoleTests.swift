import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// Roles that an identity provider's word opens; what is sent is compared with botocore's in `BotocoreRequestTests`.
struct FederatedRoleTests {
  private func webIdentity(_ service: ScriptedService, token: String = "header.payload.signature") async throws -> STSResult {
    let arn = try #require(RoleARN("arn:aws:iam::123456789012:role/dev"))
    return try await service.sts.assumeRoleWithWebIdentity(
      FederatedRoleRequest(roleARN: arn), sessionName: RoleSessionName(cleaning: "ann"), token: SecretBytes(token),
      at: STSEndpoint(region: "eu-west-1", settings: EndpointSettings()), via: service.route)
  }

  @Test("a web identity's role is read, and nothing is signed")
  func read() async throws {
    let user = "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/dev/ann</Arn></AssumedRoleUser>"
    let service = ScriptedService([.credentials(action: "AssumeRoleWithWebIdentity", extra: user)])
    let result = try await webIdentity(service)
    #expect(result.credential.accessKeyId == "ASIAEXAMPLEEXAMPLE00" && result.requestId == "req-1")
    #expect(result.assumedRoleARN == "arn:aws:sts::123456789012:assumed-role/dev/ann")
    #expect(service.header("Authorization") == nil && service.header("X-Amz-Date") == nil)
    #expect(service.header("Host") == "sts.eu-west-1.amazonaws.com")
  }

  @Test("a SAML assertion's role is read")
  func saml() async throws {
    let service = ScriptedService([.credentials(action: "AssumeRoleWithSAML")])
    let role = "arn:aws:iam::123456789012:role/dev,arn:aws:iam::123456789012:saml-provider/corp"
    let assertion = try SAMLAssertion(SAMLSample.encoded(roles: [role]))
    let result = try await service.sts.assumeRoleWithSAML(
      FederatedRoleRequest(roleARN: assertion.roles[0].roleARN), principalARN: assertion.roles[0].principalARN,
      assertion: assertion,
      at: STSEndpoint(region: nil, settings: EndpointSettings()), via: service.route)
    #expect(result.credential.accessKeyId == "ASIAEXAMPLEEXAMPLE00")
  }

  @Test(
    "a token that cannot be one is not sent",
    arguments: [
      "", "abc", "two words", "line\nbreak", "nul\u{0}nul", "\u{E9}\u{E9}\u{E9}\u{E9}", String(repeating: "a", count: 20_001),
    ])
  func badToken(_ token: String) async {
    let service = ScriptedService([])
    let error = await failure(AWSError.self) { _ = try await webIdentity(service, token: token) }
    guard case .invalid = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(service.transport.requests.isEmpty && error?.exitStatus == .configuration)
    if token.count > 3 { #expect(error?.message.contains(token) == false) }
  }

  @Test(
    "a refusal says what the provider's word lacks",
    arguments: [
      ("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity", "trust policy"),
      ("ExpiredTokenException", 400, "Token expired: current date/time", "token has expired"),
      ("InvalidIdentityToken", 400, "No OpenIDConnect provider found", "sign in again"),
    ])
  func refused(_ code: String, _ status: Int, _ text: String, _ hint: String) async {
    let service = ScriptedService([.error(code, text, status: status)])
    let error = await failure(AWSError.self) { _ = try await webIdentity(service) }
    #expect(error?.code == code && error?.hint?.contains(hint) == true && error?.exitStatus == .refused)
    #expect(service.transport.requests.count == 1)
  }

  @Test("a provider that AWS cannot reach is asked for again")
  func weather() async throws {
    let service = ScriptedService([
      .error("IDPCommunicationError", status: 400), .credentials(action: "AssumeRoleWithWebIdentity"),
    ])
    #expect(try await webIdentity(service).attempts == 2)
  }

  @Test("an answer to another call is no answer")
  func other() async {
    #expect(await failure(AWSError.self) { _ = try await webIdentity(ScriptedService([.credentials()])) } != nil)
  }
}
