import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The clock of these tests stands at 2026-11-23T12:00:00Z.
struct InstanceMetadataTests {
  private static let token = ScriptedTransport.Step.answer(status: 200, body: "imds-token==")
  private static let role = ScriptedTransport.Step.answer(status: 200, body: "web,server\n")
  private static let keys = ScriptedTransport.Step.json(
    """
    {"Code":"Success","LastUpdated":"2026-11-23T11:00:00Z","Type":"AWS-HMAC","AccessKeyId":"ASIAEXAMPLEEXAMPLE00",
    "SecretAccessKey":"secretsecretsecretsecret/+=","Token":"tokentokentokentoken/+=","Expiration":"2026-11-23T17:30:00Z"}
    """)

  private func credentials(_ service: ScriptedService, url: String? = nil) async throws -> IssuedCredential {
    try await service.instance.getCredentials(from: InstanceMetadataEndpoint(url: url))
  }

  @Test("a token is fetched first, and then the role and its credentials with it")
  func calls() async throws {
    let service = ScriptedService([Self.token, Self.role, Self.keys])
    let issued = try await credentials(service)
    #expect(issued.credential.accessKeyId == "ASIAEXAMPLEEXAMPLE00")
    #expect(issued.credential.expiresAt?.iso8601 == "2026-11-23T17:30:00Z")
    let requests = service.transport.requests
    let folder = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
    #expect(requests.map(\.method) == ["PUT", "GET", "GET"])
    #expect(requests.map(\.wholeURL) == ["http://169.254.169.254/latest/api/token", folder, folder + "web%2Cserver"])
    #expect(requests.allSatisfy { $0.timeout == 1_000 && $0.isPlainAllowed && $0.route == nil && $0.body.count == 0 })
    #expect(service.header("X-aws-ec2-metadata-token-ttl-seconds", 0) == "60")
    #expect((1...2).allSatisfy { service.header("X-aws-ec2-metadata-token", $0) == "imds-token==" })
    #expect(service.header("X-aws-ec2-metadata-token", 0) == nil)
  }

  @Test(
    "the service is where the environment says",
    arguments: [
      (nil, InstanceMetadataEndpoint.Mode.ipv6, "http://[fd00:ec2::254]/latest/api/token"),
      ("http://127.0.0.1:5000", .ipv6, "http://127.0.0.1:5000/latest/api/token"),
      ("http://localhost:5000/base/", .ipv4, "http://localhost:5000/base/latest/api/token"),
      ("https://imds.example.test", .ipv4, "https://imds.example.test/latest/api/token"),
    ])
  func endpoints(_ url: String?, _ mode: InstanceMetadataEndpoint.Mode, _ expected: String) async throws {
    let service = ScriptedService([Self.token, Self.role, Self.keys])
    _ = try await service.instance.getCredentials(from: InstanceMetadataEndpoint(url: url, mode: mode))
    #expect(service.transport.requests[0].url == expected)
  }

  @Test("the mode is read in any case of letters")
  func modes() {
    #expect(InstanceMetadataEndpoint.Mode("IPv4") == .ipv4 && InstanceMetadataEndpoint.Mode("ipv6") == .ipv6)
    #expect(InstanceMetadataEndpoint.Mode("") == nil && InstanceMetadataEndpoint.Mode("6") == nil)
  }

  @Test(
    "a service that is neither AWS's nor this machine's is not asked without TLS",
    arguments: ["http://example.test", "http://169.254.170.2", "http://10.0.0.1", "", "imds", "http://[::2]"])
  func insecure(_ url: String) {
    #expect(throws: TransportError.self) { try InstanceMetadataEndpoint(url: url) }
  }

  @Test(
    "where nobody answers it is asked once, and the error says what to look at",
    arguments: [
      TransportError.connect(host: "h"), .timedOut(host: "h"),
    ])
  func nobody(_ error: TransportError) async {
    let service = ScriptedService([.failure(error), Self.token])
    let failure = await failure(AWSError.self) { _ = try await credentials(service) }
    #expect(failure?.attempts == 1 && failure?.hint?.contains("EC2 instance") == true && failure?.exitStatus == .unavailable)
    #expect(service.transport.requests.count == 1)
  }

  @Test("a fault of a service that answers is waited out")
  func fault() async throws {
    let service = ScriptedService([
      .answer(status: 500, body: ""), Self.token, Self.role, .answer(status: 503, body: ""), Self.keys,
    ])
    #expect(try await credentials(service).attempts == 2)
  }

  @Test(
    "without a role, or with the service turned off, the error says so",
    arguments: [
      ([token, ScriptedTransport.Step.answer(status: 404, body: "<html>")], "attach a role"),
      ([.answer(status: 403, body: "")], "turned off"),
    ])
  func without(_ steps: [ScriptedTransport.Step], _ hint: String) async {
    let error = await failure(AWSError.self) { _ = try await credentials(ScriptedService(steps)) }
    #expect(error?.hint?.contains(hint) == true && error?.exitStatus == .refused)
  }

  @Test("a role that EC2 may not assume is told with status 200")
  func notTrusted() async {
    let body = #"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role web."}"#
    let error = await failure(AWSError.self) { _ = try await credentials(ScriptedService([Self.token, Self.role, .json(body)])) }
    #expect(error?.message == "GetInstanceCredentials: AssumeRoleUnauthorizedAccess: EC2 cannot assume the role web.")
  }

  @Test(
    "a token, a role's name or credentials that cannot be are believed from no one",
    arguments: [
      [.answer(status: 200, body: "")], [.answer(status: 200, body: "a\r\nb")], [.answer(status: 200, body: "<html> </html>")],
      [token, .answer(status: 200, body: "")], [token, .answer(status: 200, body: "../../user-data")],
      [token, .answer(status: 200, body: "a b")], [token, .answer(status: 200, body: "\u{0}")],
      [token, .answer(status: 200, body: String(repeating: "a", count: 65))], [token, role, .json("{}")],
      [token, role, .json(#"{"Code":"Success","AccessKeyId":"ASIAEXAMPLEEXAMPLE00"}"#)],
    ] as [[ScriptedTransport.Step]])
  func malformedResponse(_ steps: [ScriptedTransport.Step]) async {
    let service = ScriptedService(steps)
    let error = await failure(AWSError.self) { _ = try await credentials(service) }
    guard case .malformedResponse = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(service.transport.requests.count == steps.count)
  }
}
