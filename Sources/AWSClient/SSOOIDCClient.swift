import VaultModel
import VaultSecrets

/// IAM Identity Center's OIDC service (botocore, `sso-oidc/2019-06-10`): JSON, unsigned.
public final class SSOOIDCClient: Sendable {
  private let caller: AWSCaller

  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// What `RegisterClient` gave.
  public struct Registration: Sendable {
    public let clientId: String
    public let clientSecret: SecretBytes
    public let expiresAt: Timestamp

    public init(clientId: String, clientSecret: SecretBytes, expiresAt: Timestamp) {
      self.clientId = clientId
      self.clientSecret = clientSecret
      self.expiresAt = expiresAt
    }
  }

  /// What `StartDeviceAuthorization` gave (RFC 8628, 3.2).
  public struct DeviceAuthorization: Sendable {
    public let deviceCode: SecretBytes
    public let userCode: String
    public let verificationURL: String
    /// With the code in it.
    public let completeURL: String
    public let expiresAt: Timestamp
    /// Seconds between two questions.
    public let interval: Int
  }

  /// What a token is asked with (`CreateToken`).
  public enum Grant: Sendable {
    case deviceCode(SecretBytes)
    case authorizationCode(SecretBytes, verifier: SecretBytes, redirectURL: String)
    case refreshToken(SecretBytes)
  }

  public struct Token: Sendable {
    public let accessToken: SecretBytes
    public let refreshToken: SecretBytes?
    public let expiresAt: Timestamp
    public let requestId: String?
  }

  /// - Parameters:
  ///   - scopes: none in the older form of configuration.
  ///   - redirectURL: where an authorization code is sent back to, without a port; nil for the device flow.
  public func registerClient(
    name: String, scopes: [String], startURL: String, redirectURL: String?, at endpoint: AWSEndpoint, via route: Route
  ) async throws -> Registration {
    var body = JSONBody()
    body.add("clientName", name)
    body.add("clientType", "public")
    if !scopes.isEmpty { body.add("scopes", scopes) }
    if let redirectURL {
      body.add("grantTypes", ["authorization_code", "refresh_token"])
      body.add("redirectUris", [redirectURL])
      body.add("issuerUrl", startURL)
    }
    let answer = try await call("RegisterClient", "/client/register", body.finish(), endpoint, route)
    guard let id = answer.value.text("clientId"), (1...2_048).contains(id.utf8.count),
      let secret = plain(answer.value, "clientSecret"),
      let end = answer.value.number("clientSecretExpiresAt"), end > 0, end < 1 << 40
    else { throw garbled("RegisterClient", "no client", endpoint) }
    return Registration(clientId: id, clientSecret: secret, expiresAt: Timestamp(seconds: end))
  }

  public func startDeviceAuthorization(
    _ client: Registration, startURL: String, at endpoint: AWSEndpoint, via route: Route
  ) async throws -> DeviceAuthorization {
    var body = JSONBody()
    body.add("clientId", client.clientId)
    body.add("clientSecret", client.clientSecret)
    body.add("startUrl", startURL)
    let answer = try await call("StartDeviceAuthorization", "/device_authorization", body.finish(), endpoint, route).value
    guard let code = plain(answer, "deviceCode"), let userCode = answer.text("userCode"), userCode.utf8.count <= 64,
      let url = answer.text("verificationUri"), Self.isWebPage(url), let life = answer.number("expiresIn"), life > 0
    else { throw garbled("StartDeviceAuthorization", "no code", endpoint) }
    let complete = answer.text("verificationUriComplete").flatMap { Self.isWebPage($0) ? $0 : nil } ?? url
    // RFC 8628, 3.2: five seconds where nothing is said.
    let interval = answer.number("interval").map { Int(clamping: min(max($0, 1), 60)) } ?? 5
    return DeviceAuthorization(
      deviceCode: code, userCode: userCode, verificationURL: url, completeURL: complete,
      expiresAt: caller.now().adding(seconds: min(life, 3_600)), interval: interval)
  }

  /// - Throws: ``OIDCError``; those of them that ask to wait are the caller's to wait for.
  public func createToken(_ grant: Grant, as client: Registration, at endpoint: AWSEndpoint, via route: Route) async throws
    -> Token
  {
    var body = JSONBody()
    body.add("clientId", client.clientId)
    body.add("clientSecret", client.clientSecret)
    switch grant {
    case .deviceCode(let code):
      body.add("grantType", "urn:ietf:params:oauth:grant-type:device_code")
      body.add("deviceCode", code)
    case .authorizationCode(let code, let verifier, let redirectURL):
      body.add("grantType", "authorization_code")
      body.add("code", code)
      body.add("codeVerifier", verifier)
      body.add("redirectUri", redirectURL)
    case .refreshToken(let token):
      body.add("grantType", "refresh_token")
      body.add("refreshToken", token)
    }
    let answer = try await call("CreateToken", "/token", body.finish(), endpoint, route)
    guard let token = plain(answer.value, "accessToken"), let life = answer.value.number("expiresIn"), life > 0 else {
      throw garbled("CreateToken", "no token", endpoint)
    }
    return Token(
      accessToken: token, refreshToken: plain(answer.value, "refreshToken"),
      // A sign-in of more than 90 days does not exist (IAM Identity Center User Guide, "session duration").
      expiresAt: caller.now().adding(seconds: min(life, 90 * 86_400)), requestId: answer.requestId)
  }

  private func call(
    _ action: String, _ path: String, _ body: SecretBytes, _ endpoint: AWSEndpoint, _ route: Route
  ) async throws -> AWSCaller.Answer<JSONValue> {
    let request = HTTPRequest(
      method: "POST", url: endpoint.url(path), headers: [("Host", endpoint.host), ("Content-Type", "application/json")],
      body: body, caBundle: route.caBundle, proxy: route.proxies.proxy(for: endpoint.address))
    do {
      return try await caller.call(action, at: endpoint.host) { _ in
        request
      } read: { response in
        guard let json = JSONValue(response.body) else { return .garbled("status \(response.status), and no JSON") }
        if (200..<300).contains(response.status) { return .value(json) }
        if let code = json.text("error") { return .refusal(code: code, text: json.text("error_description") ?? "") }
        return Self.refusal(json, response)
      }
    } catch let error as AWSError {
      if case .service(let code, let text, let status) = error.cause, status < 500, let known = OIDCError(code: code, text: text)
      {
        throw known
      }
      throw error
    }
  }

  /// An error in the form that AWS's REST services have.
  static func refusal(_ json: JSONValue, _ response: HTTPResponse) -> Reading<JSONValue> {
    let type = response["x-amzn-errortype"] ?? json.text("__type")
    guard let type else { return .garbled("status \(response.status) without an error's name") }
    let name = type.split(separator: ":").first.map(String.init) ?? type
    return .refusal(
      code: name.split(separator: "#").last.map(String.init) ?? name, text: json.text("message") ?? json.text("Message") ?? "")
  }

  /// Printable ASCII without blanks: what can stand in a header.
  private func plain(_ json: JSONValue, _ key: String) -> SecretBytes? {
    guard let secret = json.secret(key), (1...16_384).contains(secret.count),
      secret.withBytes({ $0.allSatisfy { (33...126).contains($0) } })
    else { return nil }
    return secret
  }

  /// What a person is sent to: a page of the web and nothing else that a browser might open.
  private static func isWebPage(_ url: String) -> Bool {
    url.utf8.count <= 2_048
      && (url.hasPrefix("https://") || url.hasPrefix("http://127.0.0.1:") || url.hasPrefix("http://localhost:"))
      && url.utf8.allSatisfy { (33...126).contains($0) && $0 != 0x22 && $0 != 0x27 && $0 != 0x5C && $0 != 0x60 }
  }

  private func garbled(_ action: String, _ what: String, _ endpoint: AWSEndpoint) -> AWSError {
    AWSError(.garbled(what), action: action, host: endpoint.host)
  }
}

extension AWSEndpoint {
  /// The URL of a path below the endpoint.
  func url(_ path: String) -> String { (url.hasSuffix("/") ? String(url.dropLast()) : url) + path }
}
