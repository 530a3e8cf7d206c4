import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// The clock of these tests stands at 2026-11-23T12:00:00Z.
struct SSOOIDCTests {
  private static let registration = SSOClientRegistration(
    clientId: "client-1", clientSecret: SecretBytes("client-secret"), expiresAt: Timestamp(seconds: 1_800_000_000))

  private func register(_ step: ScriptedTransport.Step) async throws -> SSOClientRegistration {
    // What is no document at all is asked for three times.
    let service = ScriptedService([step, step, step])
    return try await service.oidc.registerClient(
      name: "vault", scopes: [], at: ScriptedService.endpoint(.oidc), via: service.route)
  }

  private func authorize(_ step: ScriptedTransport.Step) async throws -> SSODeviceAuthorization {
    let service = ScriptedService([step])
    return try await service.oidc.startDeviceAuthorization(
      Self.registration, startURL: "https://s", at: ScriptedService.endpoint(.oidc), via: service.route)
  }

  private func token(_ service: ScriptedService) async throws -> SSOToken {
    try await service.oidc.createToken(
      .deviceCode(SecretBytes("d")), for: Self.registration, at: ScriptedService.endpoint(.oidc), via: service.route)
  }

  @Test("a registration is read")
  func registration() async throws {
    let body = #"{"clientId":"c-1","clientSecret":"s-1","clientIdIssuedAt":1795435200,"clientSecretExpiresAt":1803211200}"#
    let registration = try await register(.json(body))
    #expect(registration.clientId == "c-1" && registration.clientSecret.revealed == "s-1")
    #expect(registration.expiresAt == Timestamp(seconds: 1_803_211_200))
  }

  @Test("a device's sign-in is read, with five seconds between two polls where nothing is said")
  func device() async throws {
    let uri = "https://device.sso.eu-west-1.amazonaws.com/"
    let fields =
      #""deviceCode":"d-1","userCode":"ABCD-EFGH","verificationUri":"\#(uri)","verificationUriComplete":"\#(uri)?user_code=ABCD-EFGH""#
    let device = try await authorize(.json("{\(fields),\"expiresIn\":600,\"interval\":1}"))
    #expect(device.deviceCode.revealed == "d-1" && device.userCode == "ABCD-EFGH" && device.interval == 1)
    #expect(device.verificationURI == uri && device.verificationURIComplete == uri + "?user_code=ABCD-EFGH")
    #expect(device.expiresAt.iso8601 == "2026-11-23T12:10:00Z")
    #expect(try await authorize(.json("{\(fields),\"expiresIn\":600}")).interval == 5)
    #expect(try await authorize(.json("{\(fields),\"expiresIn\":600,\"interval\":0}")).interval == 1)
    #expect(try await authorize(.json("{\(fields),\"expiresIn\":600,\"interval\":9223372036854775807}")).interval == 300)
  }

  @Test("a token is read, with a refresh token or without")
  func tokens() async throws {
    let with = try await token(
      ScriptedService([.json(#"{"accessToken":"a-1","expiresIn":3600,"refreshToken":"r-1","tokenType":"Bearer"}"#)]))
    #expect(with.accessToken.revealed == "a-1" && with.refreshToken?.revealed == "r-1")
    #expect(with.expiresAt.iso8601 == "2026-11-23T13:00:00Z")
    let without = try await token(ScriptedService([.json(#"{"accessToken":"a-1","expiresIn":28800,"refreshToken":null}"#)]))
    #expect(without.refreshToken == nil)
  }

  @Test("no secret stands in what is printed of an answer")
  func descriptions() async throws {
    let token = try await token(ScriptedService([.json(#"{"accessToken":"a-SECRET","expiresIn":1,"refreshToken":"r-SECRET"}"#)]))
    let registration = try await register(
      .json(#"{"clientId":"c","clientSecret":"s-SECRET","clientSecretExpiresAt":1803211200}"#))
    #expect(!"\(token) \(registration) \(SSOGrant.refreshToken(token.accessToken))".contains("SECRET"))
    #expect(!String(reflecting: token).contains("SECRET"))
  }

  static let registrations = [
    "[]", "{}", #"{"clientId":"c","clientSecret":"s"}"#, #"{"clientId":"c","clientSecret":"","clientSecretExpiresAt":1}"#,
    #"{"clientId":"c d","clientSecret":"s","clientSecretExpiresAt":1}"#,
    #"{"clientId":1,"clientSecret":"s","clientSecretExpiresAt":1}"#,
    #"{"clientId":"c","clientSecret":"s","clientSecretExpiresAt":"1"}"#,
    #"{"clientId":"c","clientSecret":"s","clientSecretExpiresAt":-1}"#,
    #"{"clientId":"c","clientSecret":"s","clientSecretExpiresAt":9223372036854775807}"#,
    #"{"clientId":"c","clientSecret":"s\r\nX: y","clientSecretExpiresAt":1}"#,
  ]

  @Test("a registration that is none is AWS's from no one", arguments: registrations)
  func badRegistration(_ body: String) async {
    let error = await failure(AWSError.self) { _ = try await register(.json(body)) }
    guard case .malformedResponse = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    "a page to confirm on is one that a browser may be sent to",
    arguments: [
      "http://example.test/", "javascript:alert(1)", "file:///etc/passwd", "https://user@example.test/", "https://a b/", "", "/x",
      "https://example.test/\\u0000", "https://ex\\u00e4mple.test/", "ftp://example.test", "https://\\u001b[31m.test",
    ])
  func badPage(_ uri: String) async {
    let good = "https://example.test/"
    for (first, second) in [(uri, good), (good, uri)] {
      let body = """
        {"deviceCode":"d","userCode":"u","verificationUri":"\(first)","verificationUriComplete":"\(second)","expiresIn":600}
        """
      #expect(await failure(AWSError.self) { _ = try await authorize(.json(body)) } != nil, "\(first) \(second)")
    }
  }

  @Test(
    "a token that is none is AWS's from no one",
    arguments: [
      "{}", #"{"accessToken":"a"}"#, #"{"accessToken":"a","expiresIn":0}"#, #"{"accessToken":"a","expiresIn":-5}"#,
      #"{"accessToken":"a","expiresIn":"3600"}"#, #"{"accessToken":"a","expiresIn":9223372036854775807}"#,
      #"{"accessToken":"","expiresIn":1}"#, #"{"accessToken":"a\nb","expiresIn":1}"#, #"{"accessToken":{},"expiresIn":1}"#,
      #"{"accessToken":"a","expiresIn":1,"refreshToken":""}"#, #"{"accessToken":"a","accessToken":"b","expiresIn":1}"#,
    ])
  func badToken(_ body: String) async {
    // What is no document at all is asked for again, what is nonsense is not.
    let error = await failure(AWSError.self) { _ = try await token(ScriptedService([.json(body), .json(body), .json(body)])) }
    guard case .malformedResponse = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  static let errors: [(String, SSOOIDCError.Reason, VaultModel.ExitStatus)] = [
    ("authorization_pending", .authorizationPending, .temporary), ("slow_down", .slowDown, .temporary),
    ("expired_token", .expiredToken, .refused), ("access_denied", .accessDenied, .refused),
    ("invalid_grant", .invalidGrant, .refused), ("unauthorized_client", .unauthorizedClient, .refused),
    ("unsupported_grant_type", .unsupportedGrantType, .refused), ("invalid_scope", .invalidScope, .configuration),
    ("invalid_request", .invalidRequest, .configuration), ("invalid_client_metadata", .invalidClientMetadata, .configuration),
    ("invalid_redirect_uri", .invalidRedirectURI, .configuration),
  ]

  @Test("what the protocol says no with is told by its reason, once", arguments: errors)
  func refused(_ code: String, _ reason: SSOOIDCError.Reason, _ exit: VaultModel.ExitStatus) async {
    let service = ScriptedService([.oauth(code, text: "why not"), .json("{}")])
    let error = await failure(SSOOIDCError.self) { _ = try await token(service) }
    #expect(error?.reason == reason && error?.exitStatus == exit && error?.requestId == "req-\(code)")
    #expect(error?.message.hasPrefix("CreateToken: ") == true && error?.message.contains("(\(code): why not)") == true)
    #expect(error?.hint?.isEmpty == false)
    #expect(service.transport.requests.count == 1 && service.clock.slept.isEmpty)
  }

  @Test(
    "an exception's name says the same",
    arguments: [
      ("AuthorizationPendingException", SSOOIDCError.Reason.authorizationPending), ("SlowDownException", .slowDown),
      ("ExpiredTokenException", .expiredToken), ("AccessDeniedException", .accessDenied),
      ("InvalidGrantException", .invalidGrant), ("InvalidRequestRegionException", .invalidRequest),
    ])
  func exception(_ name: String, _ reason: SSOOIDCError.Reason) async {
    let error = await failure(SSOOIDCError.self) { _ = try await token(ScriptedService([.exception(name, status: 400)])) }
    #expect(error?.reason == reason)
  }

  @Test("a registration that is not known comes with status 401")
  func invalidClient() async {
    let error = await failure(SSOOIDCError.self) { _ = try await token(ScriptedService([.oauth("invalid_client", status: 401)])) }
    #expect(error?.reason == .invalidClient && error?.hint?.contains("vault login") == true)
  }

  @Test(
    "weather is waited out, as for STS",
    arguments: [
      ScriptedTransport.Step.oauth("server_error", status: 500), .answer(status: 503, body: ""), .answer(status: 429, body: ""),
      .exception("TooManyRequestsException", status: 400), .failure(.connect(host: "h")), .answer(status: 200, body: "<html>"),
    ])
  func weather(_ step: ScriptedTransport.Step) async throws {
    let service = ScriptedService([step, .json(#"{"accessToken":"a-1","expiresIn":3600}"#)])
    #expect(try await token(service).accessToken.revealed == "a-1")
    #expect(service.transport.requests.count == 2 && service.clock.slept == [1_000])
  }

  @Test("who polls is told at once, whatever the status", arguments: ["slow_down", "authorization_pending"], [400, 429])
  func polled(_ code: String, _ status: Int) async {
    let service = ScriptedService([.oauth(code, status: status), .json("{}")])
    #expect(await failure(SSOOIDCError.self) { _ = try await token(service) }?.reason.rawValue == code)
    #expect(service.transport.requests.count == 1 && service.clock.slept.isEmpty)
  }

  @Test("what is no error of the protocol is AWS's own")
  func other() async {
    let error = await failure(AWSError.self) { _ = try await token(ScriptedService([.answer(status: 404, body: "<html>")])) }
    #expect(error?.code == "HTTP 404" && error?.host == "oidc.eu-west-1.amazonaws.com")
  }

  @Test("an endpoint of one's own keeps its path")
  func override() async throws {
    let service = ScriptedService([.json(#"{"accessToken":"a-1","expiresIn":3600}"#)])
    let endpoint = try ServiceEndpoint(.oidc, region: "eu-west-1", settings: EndpointSettings(url: "http://127.0.0.1:5000/oidc/"))
    _ = try await service.oidc.createToken(
      .refreshToken(SecretBytes("r")), for: Self.registration, at: endpoint, via: service.route)
    #expect(service.transport.requests[0].url == "http://127.0.0.1:5000/oidc/token")
    #expect(service.header("Host") == "127.0.0.1:5000")
  }
}
