import AWSPolicy
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// What AWS tells about a refusal when it is asked.
struct AccessDetailsTests {
  private static let id = "a1b2c3d4e5f6g7h8i9j0"
  private static let evaluation = #"{"action":"iam:GetUser","resource":"*","evaluatedEffect":"IMPLICIT_DENY"}"#

  private static func page(_ token: String? = nil) -> ScriptedTransport.Step {
    let more = token.map { #","nextToken":"\#($0)""# } ?? ""
    return .json(#"{"requestContext":{},"policies":[],"evaluations":[\#(evaluation)]\#(more)}"#)
  }

  private func details(_ service: ScriptedService, _ id: String = id) async throws -> [JSONValue] {
    try await service.iamToolbox.getRequestAuthorizationDetails(id, at: service.signed(.iamToolbox)).pages
  }

  private func decode(_ service: ScriptedService, _ message: String = "rHU-pVHMSck_D0+/=") async throws -> String {
    let endpoint = try STSEndpoint(region: "eu-west-1", settings: EndpointSettings())
    return try await service.sts.decodeAuthorizationMessage(
      message, signedBy: service.credential, at: endpoint, via: service.route
    ).text
  }

  // botocore has no model of the service yet; its signer signed the same two requests at the same time.
  @Test("both pages are asked for with the very signatures of botocore's signer")
  func signed() async throws {
    let service = ScriptedService([Self.page("a b+/=&"), Self.page()])
    #expect(try await details(service).count == 2)
    let requests = service.transport.requests
    let address = "https://iam-toolbox.eu-west-1.amazonaws.com/authorization-details/\(Self.id)"
    #expect(requests.map(\.wholeURL) == [address, address + "?nextToken=a%20b%2B%2F%3D%26"])
    #expect(requests.allSatisfy { $0.method == "GET" && $0.body.count == 0 })
    let scope = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEEXAMPLE00/20261123/eu-west-1/iam/aws4_request, "
    let signatures = [
      "b9cb7918ac69cf7b4c76e907041141b27db273939d03e7c0208947d74ee8f975",
      "cad3193260e143ac51ee1cd83e1a244778d0da2b5a360db3ff97cd51acb32208",
    ]
    for (index, signature) in signatures.enumerated() {
      #expect(
        service.header("Authorization", index)
          == scope + "SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=\(signature)")
    }
  }

  @Test("pages come to an end, and an id that could name another path is not asked for")
  func limited() async {
    let endless = ScriptedService((0..<40).map { Self.page("\($0)") })
    #expect(await failure(AWSError.self) { _ = try await details(endless) } != nil)
    #expect(endless.transport.requests.count == IAMToolboxClient.maxPages)
    let same = ScriptedService([Self.page("same"), Self.page("same"), Self.page()])
    #expect(await failure(AWSError.self) { _ = try await details(same) } != nil)
    for id in ["", "a/b", "..", "a?b", "é", String(repeating: "a", count: 257)] {
      let service = ScriptedService([Self.page()])
      #expect(await failure(AWSError.self) { _ = try await details(service, id) } != nil)
      #expect(service.transport.requests.isEmpty)
    }
  }

  @Test(
    "what is no answer is believed from no one",
    arguments: [
      "", "{}", "[]", "{\"evaluations\":{}}", "<html>", "{\"evaluations\":[]", "{\"evaluations\":[],\"evaluations\":[]}",
    ])
  func malformed(_ body: String) async {
    let service = ScriptedService(Array(repeating: .json(body), count: 3))
    #expect(await failure(AWSError.self) { _ = try await details(service) }?.code == nil)
  }

  @Test(
    "a refusal to look has AWS's code",
    arguments: [("AccessDeniedException", 403), ("ResourceNotFoundException", 404), ("ValidationException", 400)])
  func refused(_ code: String, _ status: Int) async {
    let service = ScriptedService([.exception(code, status: status, text: "no")])
    let error = await failure(AWSError.self) { _ = try await details(service) }
    #expect(error?.code == code && error?.requestId == "req-\(code)")
  }

  @Test("an encoded message is decoded, with the request of botocore")
  func decoded() async throws {
    let message = #"{&quot;allowed&quot;:false,&quot;context&quot;:{&quot;action&quot;:&quot;ec2:RunInstances&quot;}}"#
    let service = ScriptedService([
      .answer(
        status: 200,
        body: "<DecodeAuthorizationMessageResponse><DecodeAuthorizationMessageResult><DecodedMessage>\(message)</DecodedMessage>"
          + "</DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>")
    ])
    #expect(try await decode(service) == #"{"allowed":false,"context":{"action":"ec2:RunInstances"}}"#)
    try BotocoreRequestTests.expect(
      try #require(service.transport.requests.first), like: try #require(BotocoreRequestTests.rows["DecodeAuthorizationMessage"]))
    let signature = "Signature=76ad1f2aec17159fa9cdfc39241161f1316dcc939130f3eac3052f1d7a42a852"
    #expect(service.header("Authorization")?.hasSuffix(signature) == true)
  }

  @Test("a message that is none is not sent, and the refusal of one has AWS's code")
  func undecoded() async {
    for message in ["", "a b", String(repeating: "a", count: 10_241)] {
      let service = ScriptedService([])
      #expect(await failure(AWSError.self) { _ = try await decode(service, message) } != nil)
      #expect(service.transport.requests.isEmpty)
    }
    let code = "InvalidAuthorizationMessageException"
    #expect(
      await failure(AWSError.self) { _ = try await decode(ScriptedService([.error(code, status: 400)])) }?.code == code)
  }
}
