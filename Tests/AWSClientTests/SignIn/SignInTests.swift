import Foundation
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

struct SignInTests {
  private static func hosts(_ region: String? = "eu-west-1") throws -> ConsoleHosts {
    try ConsoleHosts(region: region, settings: EndpointSettings())
  }

  private func token(_ service: ScriptedService, duration: SessionDuration? = nil) async throws -> SecretBytes {
    try await service.signIn.getSigninToken(service.credential, duration: duration, at: Self.hosts(), via: service.route)
  }

  @Test("credentials go behind the question mark as AWS wants them, and in nothing that is printed")
  func request() async throws {
    let service = ScriptedService([.json(#"{"SigninToken":"sign-in-1"}"#)])
    #expect(try await token(service, duration: SessionDuration(seconds: 43_200)).revealed == "sign-in-1")
    let request = service.transport.requests[0]
    #expect(request.method == "GET" && request.url == "https://signin.aws.amazon.com/federation" && request.body.count == 0)
    let items = try #require(URLComponents(string: request.wholeURL)?.queryItems)
    #expect(items.map(\.name) == ["Action", "SessionDuration", "Session"])
    #expect(items[0].value == "getSigninToken" && items[1].value == "43200")
    let session = try JSONSerialization.jsonObject(with: Data((items[2].value ?? "").utf8)) as? [String: String]
    #expect(session == ["sessionId": "AKIAEXAMPLEEXAMPLE00", "sessionKey": "a secret", "sessionToken": "the+token"])
    #expect(!"\(request)".contains("the%2Btoken") && service.header("Authorization") == nil)
  }

  @Test("without a duration none is sent")
  func noDuration() async throws {
    let service = ScriptedService([.json(#"{"SigninToken":"sign-in-1"}"#)])
    _ = try await token(service)
    #expect(service.transport.requests[0].query?.revealed.contains("SessionDuration") == false)
  }

  @Test("long-lived keys are not sent to the console")
  func longLived() async {
    let service = ScriptedService([])
    let keys = Credential(
      accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("s"), sessionToken: nil, expiresAt: nil)
    let error = await failure(AWSError.self) {
      _ = try await service.signIn.getSigninToken(keys, at: Self.hosts(), via: service.route)
    }
    #expect(error?.exitStatus == .configuration && service.transport.requests.isEmpty)
  }

  @Test("a refusal says what may be wrong, a fault is waited out")
  func refused() async throws {
    let error = await failure(AWSError.self) {
      _ = try await token(ScriptedService([.answer(status: 400, body: "<html>Bad Request</html>")]))
    }
    #expect(error?.hint?.contains("duration") == true && error?.exitStatus == .refused)
    #expect(try await token(ScriptedService([.answer(status: 503, body: ""), .json(#"{"SigninToken":"x"}"#)])).count == 1)
    for body in ["{}", #"{"SigninToken":""}"#, #"{"SigninToken":1}"#, #"{"SigninToken":"a b"}"#] {
      #expect(await failure(AWSError.self) { _ = try await token(ScriptedService([.json(body)])) } != nil, "\(body)")
    }
  }

  @Test("the way to the console is encoded, and a secret")
  func url() throws {
    let url = SignInClient.loginURL(
      token: SecretBytes("sign+in/1="), issuer: "https://example.test/?a=b",
      destination: "https://console.aws.amazon.com/ec2/home?region=eu-west-1#x",
      at: try Self.hosts())
    #expect(
      url.revealed == "https://signin.aws.amazon.com/federation?Action=login&Issuer=https%3A%2F%2Fexample.test%2F%3Fa%3Db"
        + "&Destination=https%3A%2F%2Fconsole.aws.amazon.com%2Fec2%2Fhome%3Fregion%3Deu-west-1%23x&SigninToken=sign%2Bin%2F1%3D")
    #expect("\(url)" == "‹secret›")
    let bare = SignInClient.loginURL(token: SecretBytes("t"), issuer: nil, destination: "https://c", at: try Self.hosts())
    #expect(bare.revealed == "https://signin.aws.amazon.com/federation?Action=login&Destination=https%3A%2F%2Fc&SigninToken=t")
  }

  @Test(
    "each partition has its own hosts",
    arguments: [
      (nil, "signin.aws.amazon.com", "console.aws.amazon.com"), ("eu-west-1", "signin.aws.amazon.com", "console.aws.amazon.com"),
      ("cn-north-1", "signin.amazonaws.cn", "console.amazonaws.cn"),
      ("us-gov-west-1", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
      ("eusc-de-east-1", "signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu"),
    ])
  func partitions(_ region: String?, _ signIn: String, _ console: String) throws {
    let hosts = try Self.hosts(region)
    #expect(hosts.federation.text == "https://\(signIn)/federation" && hosts.console == console)
    let page = region.map { "https://\($0).\(console)/s3?region=\($0)" } ?? "https://\(console)/s3"
    #expect(hosts.page("/s3", region: region) == page)
  }

  @Test(
    "a partition whose console has no public name is refused, and so is what is no region",
    arguments: ["us-iso-east-1", "x.example.test", ""])
  func noConsole(_ region: String) {
    #expect(throws: TransportError.badURL("signin.\(region)")) { try Self.hosts(region) }
  }

  @Test("an endpoint of one's own is used, with TLS or on this machine")
  func override() throws {
    func hosts(_ url: String) throws -> ConsoleHosts { try ConsoleHosts(region: nil, settings: EndpointSettings(url: url)) }
    #expect(try hosts("http://127.0.0.1:5000").federation.text == "http://127.0.0.1:5000/federation")
    #expect(throws: TransportError.insecure(host: "example.test")) { try hosts("http://example.test") }
    #expect(throws: TransportError.badURL("x")) { try hosts("x") }
  }
}
