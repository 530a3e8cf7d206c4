import Foundation
import SimulatorModel
import VaultModel
import VaultSecrets

/// IAM Identity Center's OIDC service and portal (botocore, `sso-oidc/2019-06-10` and `sso/2019-06-10`): who signed in, with what.
struct IdentityCenter: Sendable {
  private struct Client: Sendable {
    let secret: String
    let endsAt: Timestamp
    let redirects: [String]
    let scopes: [String]
  }
  private struct DeviceCode: Sendable {
    let client: String
    let endsAt: Timestamp
    var askedAt: Timestamp?
    var interval: Int64
    var verdict: Bool?
  }
  private struct AuthorizationCode: Sendable {
    let client: String
    let redirect: String
    let challenge: String
    let endsAt: Timestamp
  }
  private struct AccessToken: Sendable {
    let endsAt: Timestamp
  }

  private var clients: [String: Client] = [:]
  private var deviceCodes: [String: DeviceCode] = [:]
  private var authorizationCodes: [String: AuthorizationCode] = [:]
  private var accessTokens: [String: AccessToken] = [:]
  /// Each is good once, for its client.
  private var refreshTokens: [String: String] = [:]
  private var denies = false
  private var portalCalls: [Int64: Int] = [:]

  /// What the person or an administrator does.
  mutating func act(_ control: SignInControl) {
    switch control.act {
    case .approve: for code in deviceCodes.keys { deviceCodes[code]?.verdict = true }
    case .deny:
      denies = true
      for code in deviceCodes.keys { deviceCodes[code]?.verdict = false }
    case .revoke:
      accessTokens = [:]
      refreshTokens = [:]
    case .expire: accessTokens = [:]
    }
  }

  // MARK: OIDC

  mutating func register(_ body: [String: Any], _ world: STSWorld.IdentityCenter, now: Timestamp) throws(OIDCFailure) -> [String:
    Any]
  {
    guard let name = body["clientName"] as? String, !name.isEmpty, body["clientType"] as? String == "public" else {
      throw OIDCFailure("invalid_request", "InvalidRequestException", "clientName and clientType are required")
    }
    let grants = body["grantTypes"] as? [String] ?? []
    let redirects = body["redirectUris"] as? [String] ?? []
    if grants.contains("authorization_code") {
      guard !redirects.isEmpty, body["issuerUrl"] as? String == world.startURL else {
        throw OIDCFailure("invalid_request", "InvalidRequestException", "redirectUris and issuerUrl are required")
      }
      guard redirects.allSatisfy({ $0.hasPrefix("http://127.0.0.1/") }) else {
        throw OIDCFailure("invalid_redirect_uri", "InvalidRedirectUriException", "not a loopback address")
      }
    }
    let id = Self.random(16)
    let secret = Self.random(64)
    let end = now.adding(seconds: 90 * 86_400)
    clients[id] = Client(secret: secret, endsAt: end, redirects: redirects, scopes: body["scopes"] as? [String] ?? [])
    return ["clientId": id, "clientSecret": secret, "clientIdIssuedAt": now.seconds, "clientSecretExpiresAt": end.seconds]
  }

  mutating func authorizeDevice(_ body: [String: Any], _ world: STSWorld.IdentityCenter, base: String, now: Timestamp)
    throws(OIDCFailure)
    -> [String: Any]
  {
    let client = try client(body, now)
    guard body["startUrl"] as? String == world.startURL else {
      throw OIDCFailure("invalid_request", "InvalidRequestException", "unknown start URL")
    }
    let code = Self.random(32)
    let userCode = "\(Self.letters(4))-\(Self.letters(4))"
    deviceCodes[code] = DeviceCode(
      client: client.id, endsAt: now.adding(seconds: Int64(world.codeSeconds)), interval: Int64(world.interval),
      verdict: world.approves ? true : nil)
    return [
      "deviceCode": code, "userCode": userCode, "verificationUri": "\(base)/device",
      "verificationUriComplete": "\(base)/device?user_code=\(userCode)", "expiresIn": world.codeSeconds,
      "interval": world.interval,
    ]
  }

  /// Where the browser is sent back to, with a code or an error; nil where the request is not to be answered to its sender.
  mutating func authorize(_ query: [String: String], _ world: STSWorld.IdentityCenter, now: Timestamp) -> String? {
    guard let id = query["client_id"], let client = clients[id], let redirect = query["redirect_uri"],
      client.redirects.contains(where: { Self.isSame(redirect, registered: $0) })
    else { return nil }
    let state = query["state"].map { "&state=\($0)" } ?? ""
    guard query["response_type"] == "code", query["code_challenge_method"] == "S256", let challenge = query["code_challenge"],
      challenge.utf8.count == 43, query["state"]?.isEmpty == false,
      Set((query["scopes"] ?? "").split(separator: " ").map(String.init)).isSubset(of: client.scopes)
    else { return "\(redirect)?error=invalid_request\(state)" }
    guard !denies else { return "\(redirect)?error=access_denied\(state)" }
    let code = Self.random(32)
    authorizationCodes[code] = AuthorizationCode(
      client: id, redirect: redirect, challenge: challenge, endsAt: now.adding(seconds: 60))
    return "\(redirect)?code=\(code)\(state)"
  }

  /// A loopback address may have any port (RFC 8252, 7.3).
  private static func isSame(_ redirect: String, registered: String) -> Bool {
    let start = "http://127.0.0.1"
    guard redirect.hasPrefix(start + ":"), registered.hasPrefix(start + "/") else { return redirect == registered }
    let rest = redirect.dropFirst(start.count + 1)
    let port = rest.prefix { $0.isNumber }
    return UInt16(port) != nil && rest.dropFirst(port.count) == registered.dropFirst(start.count)
  }

  mutating func token(_ body: [String: Any], _ world: STSWorld.IdentityCenter, now: Timestamp) throws(OIDCFailure) -> [String:
    Any]
  {
    let client = try client(body, now)
    var isRenewed = false
    switch body["grantType"] as? String {
    case "urn:ietf:params:oauth:grant-type:device_code":
      guard let code = body["deviceCode"] as? String, var device = deviceCodes[code], device.client == client.id else {
        throw .invalidGrant
      }
      guard now < device.endsAt else { throw OIDCFailure("expired_token", "ExpiredTokenException", "the code is over") }
      let isEarly = device.askedAt.map { now.since($0) < device.interval * 1_000 - 100 } ?? false
      device.askedAt = now
      if isEarly { device.interval += 5 }
      deviceCodes[code] = device
      if isEarly { throw OIDCFailure("slow_down", "SlowDownException", "asked too early") }
      guard let verdict = device.verdict else {
        throw OIDCFailure("authorization_pending", "AuthorizationPendingException", "the person has not finished")
      }
      deviceCodes[code] = nil
      guard verdict else { throw OIDCFailure("access_denied", "AccessDeniedException", "the person said no") }
    case "authorization_code":
      guard let code = body["code"] as? String, let known = authorizationCodes.removeValue(forKey: code),
        known.client == client.id, now < known.endsAt, body["redirectUri"] as? String == known.redirect,
        let verifier = body["codeVerifier"] as? String, (43...128).contains(verifier.utf8.count),
        Self.base64URL(sha256(Array(verifier.utf8))) == known.challenge
      else { throw .invalidGrant }
    case "refresh_token":
      guard let token = body["refreshToken"] as? String, refreshTokens[token] == client.id else { throw .invalidGrant }
      isRenewed = world.keepsRefreshTokens == true
      if !isRenewed { refreshTokens[token] = nil }
    default: throw OIDCFailure("unsupported_grant_type", "UnsupportedGrantTypeException", "unknown grant")
    }
    let token = "aoaAAAAA" + Self.random(96)
    accessTokens[token] = AccessToken(endsAt: now.adding(seconds: Int64(world.tokenSeconds)))
    var answer: [String: Any] = ["accessToken": token, "expiresIn": world.tokenSeconds, "tokenType": "Bearer"]
    // A refresh token is given only with the scope registered.
    if !isRenewed, client.value.scopes.contains("sso:account:access") {
      let refresh = "aorAAAAA" + Self.random(96)
      refreshTokens[refresh] = client.id
      answer["refreshToken"] = refresh
    }
    return answer
  }

  private func client(_ body: [String: Any], _ now: Timestamp) throws(OIDCFailure) -> (id: String, value: Client) {
    guard let id = body["clientId"] as? String, let client = clients[id], body["clientSecret"] as? String == client.secret,
      now < client.endsAt
    else { throw OIDCFailure("invalid_client", "InvalidClientException", "unknown client", status: 401) }
    return (id, client)
  }

  // MARK: the portal

  /// - Throws: as the portal refuses: 401 for a token that it does not take, 429 for too many calls.
  mutating func requireToken(_ token: String?, _ world: STSWorld.IdentityCenter, now: Timestamp) throws(AWSError) {
    if world.mostPerSecond > 0 {
      portalCalls[now.seconds, default: 0] += 1
      guard portalCalls[now.seconds, default: 0] <= world.mostPerSecond else {
        throw AWSError(429, "TooManyRequestsException", "HTTP 429 Unknown Code")
      }
    }
    guard let token, let known = accessTokens[token], now < known.endsAt else {
      throw AWSError(401, "UnauthorizedException", "Session token not found or invalid")
    }
  }

  mutating func logout(_ token: String) {
    accessTokens[token] = nil
    // The sign-in is over, and what could renew it too.
    refreshTokens = [:]
  }

  // MARK: texts

  private static func random(_ count: Int) -> String { base64URL(randomBytes(count)) }
  private static func letters(_ count: Int) -> String {
    String(decoding: randomBytes(count).map { UInt8(ascii: "A") + $0 % 26 }, as: UTF8.self)
  }

  private static func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }
}

/// A refusal of the OIDC service.
struct OIDCFailure: Error {
  let error: String
  /// As botocore names the exception.
  let type: String
  let text: String
  var status = 400

  init(_ error: String, _ type: String, _ text: String, status: Int = 400) {
    self.error = error
    self.type = type
    self.text = text
    self.status = status
  }

  static let invalidGrant = OIDCFailure("invalid_grant", "InvalidGrantException", "the grant is not taken")
}
