import VaultModel
import VaultSecrets

/// Requests the OIDC token of the current job from GitHub Actions (GitHub Docs, "OpenID Connect reference").
public final class GitHubTokenClient: Sendable {
  private static let action = "GetGitHubToken"
  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// - Parameters:
  ///   - url: `ACTIONS_ID_TOKEN_REQUEST_URL`, with its query.
  ///   - requestToken: `ACTIONS_ID_TOKEN_REQUEST_TOKEN`
  /// - Throws: `AWSError`; `TransportError.badURL` or `.insecure`.
  public func getToken(url: String, requestToken: SecretBytes, audience: String, proxies: ProxySettings = .none) async throws
    -> SecretBytes
  {
    let head = url.prefix { $0 != "?" }
    let tail = url.dropFirst(head.count + 1)
    guard let address = WebAddress(String(head)), tail.isEmpty || String(tail).plain(1...2_048) != nil else {
      throw TransportError.badURL(String(head))
    }
    guard address.scheme == "https" || address.isLoopback else { throw TransportError.insecure(host: address.host) }
    let query = SecretBytes((tail.isEmpty ? "" : tail + "&") + "audience=" + SigV4.encoded(audience))
    let request = JSONRequest(
      method: "GET", address: address, query: query,
      headers: [("Authorization", "bearer " + requestToken.withBytes { String(decoding: $0, as: UTF8.self) })],
      route: NetworkSettings(forOwnSecretOf: address, proxies: proxies)
    ).request
    let answer = try await caller.call(AWSCall(action: Self.action, host: address.hostHeader, request: { _ in request }), .json)
    return try answer.read { json throws(MalformedResponse) in
      guard let token = json.secret("value")?.plain(4...20_000) else { throw MalformedResponse(what: "no token") }
      return token
    }
  }
}
