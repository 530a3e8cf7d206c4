import VaultBytes
import VaultModel
import VaultSecrets

/// A client for IAM Identity Center's sign-in (`sso-oidc`, version 2019-06-10). Retries as described at ``AWSCaller``.
///
/// Errors of the protocol itself are thrown as `SSOOIDCError` and not retried, including `authorization_pending` and `slow_down`:
/// the caller polls. All others are thrown as `AWSError`.
public final class SSOOIDCClient: Sendable {
  /// The default number of seconds between two polls (RFC 8628, 3.2).
  static let defaultInterval: Int64 = 5
  /// The maximum lifetime of a code or token, in seconds: a portal session lasts at most 90 days.
  public static let maxLifetime: Int64 = 366 * 86_400

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// Registers this program as a public client.
  ///
  /// - Parameters:
  ///   - grantTypes: none for the device code only, as older SDKs register.
  ///   - issuerURL: the start URL; only with redirect URIs.
  public func registerClient(
    name: String, scopes: [String], grantTypes: [SSOGrantType] = [], redirectURIs: [String] = [], issuerURL: String? = nil,
    at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> SSOClientRegistration {
    let body = JSONWriter.secret { body in
      body.add("clientName", name)
      body.add("clientType", "public")
      body.add("scopes", scopes.isEmpty ? nil : scopes)
      body.add("grantTypes", grantTypes.isEmpty ? nil : grantTypes.map(\.rawValue))
      body.add("redirectUris", redirectURIs.isEmpty ? nil : redirectURIs)
      body.add("issuerUrl", issuerURL)
    }
    return try await call("RegisterClient", path: "/client/register", body: body, at: endpoint, via: route).read {
      json throws(MalformedResponse) in
      guard let id = json.text("clientId")?.plain(1...2_048) else { throw MalformedResponse(what: "no client id") }
      guard let secret = json.secret("clientSecret")?.plain(1...16_384) else { throw MalformedResponse(what: "no client secret") }
      guard let expiresAt = Timestamp(foreignSeconds: json.int("clientSecretExpiresAt")) else {
        throw MalformedResponse(what: "no expiration of the registration")
      }
      return SSOClientRegistration(clientId: id, clientSecret: secret, expiresAt: expiresAt)
    }
  }

  /// Starts a sign-in that the user confirms on any device.
  public func startDeviceAuthorization(
    _ registration: SSOClientRegistration, startURL: String, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> SSODeviceAuthorization {
    let body = JSONWriter.secret { body in
      body.add("clientId", registration.clientId)
      body.add("clientSecret", registration.clientSecret)
      body.add("startUrl", startURL)
    }
    let answer = try await call("StartDeviceAuthorization", path: "/device_authorization", body: body, at: endpoint, via: route)
    return try answer.read { json throws(MalformedResponse) in
      guard let deviceCode = json.secret("deviceCode")?.plain(1...16_384) else { throw MalformedResponse(what: "no device code") }
      guard let userCode = json.text("userCode")?.plain(1...64) else { throw MalformedResponse(what: "no user code") }
      guard let uri = json.text("verificationUri")?.browserURL else { throw MalformedResponse(what: "no verification page") }
      let complete = json.text("verificationUriComplete")
      if let complete, complete.browserURL == nil { throw MalformedResponse(what: "no verification page") }
      return SSODeviceAuthorization(
        deviceCode: deviceCode, userCode: userCode, verificationURI: uri, verificationURIComplete: complete,
        expiresAt: try end(json), interval: Int(min(max(json.int("interval") ?? Self.defaultInterval, 1), 300)))
    }
  }

  /// Requests a token once; with a device code, the caller polls.
  public func createToken(
    _ grant: SSOGrant, for registration: SSOClientRegistration, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> SSOToken {
    let body = JSONWriter.secret { body in
      body.add("clientId", registration.clientId)
      body.add("clientSecret", registration.clientSecret)
      body.add("grantType", grant.type.rawValue)
      switch grant {
      case .deviceCode(let code): body.add("deviceCode", code)
      case .authorizationCode(let code, let verifier, let redirectURI):
        body.add("code", code)
        body.add("redirectUri", redirectURI)
        body.add("codeVerifier", verifier)
      case .refreshToken(let token): body.add("refreshToken", token)
      }
    }
    return try await call("CreateToken", path: "/token", body: body, at: endpoint, via: route).read {
      json throws(MalformedResponse) in
      guard let access = json.secret("accessToken")?.plain(1...65_536) else { throw MalformedResponse(what: "no access token") }
      let refresh = json.secret("refreshToken")
      if let refresh, refresh.plain(1...65_536) == nil { throw MalformedResponse(what: "no refresh token") }
      return SSOToken(accessToken: access, refreshToken: refresh, expiresAt: try end(json))
    }
  }

  /// From `expiresIn`, counted from now.
  private func end(_ json: JSONDocument) throws(MalformedResponse) -> Timestamp {
    guard let seconds = json.int("expiresIn"), (1...Self.maxLifetime).contains(seconds) else {
      throw MalformedResponse(what: "no token lifetime")
    }
    return caller.now().adding(seconds: seconds)
  }

  private func call(
    _ action: String, path: String, body: SecretBytes, at endpoint: ServiceEndpoint, via route: NetworkSettings
  ) async throws -> AWSResponse<JSONDocument> {
    let request = JSONRequest(address: endpoint.address(path), body: body, route: route).request
    do {
      return try await caller.call(AWSCall(action: action, host: endpoint.host, request: { _ in request }), .json)
    } catch let error as AWSError {
      if let refusal = SSOOIDCError(error) { throw refusal }
      throw error
    }
  }
}
