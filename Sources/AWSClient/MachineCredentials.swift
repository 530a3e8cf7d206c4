import VaultModel
import VaultSecrets

/// Credentials that a machine has by itself: from a container's endpoint, or from an instance's metadata.
///
/// These answer at once or not at all, so that nothing waits long for them.
public final class MachineCredentialsClient: Sendable {
  private let caller: AWSCaller

  /// - Parameter transport: with time-outs of a second or two.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  // MARK: the container's endpoint

  /// Where a container's endpoint is, as its environment says.
  public enum ContainerAddress: Sendable, Hashable {
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`: a path at 169.254.170.2.
    case relative(String)
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`
    case full(String)

    /// - Throws: where the SDKs would not go there: without TLS only this machine and the addresses of ECS and EKS are taken
    ///   (botocore, `ContainerMetadataFetcher`).
    public var address: (web: WebAddress, url: String) {
      get throws(TransportError) {
        let text: String
        switch self {
        case .relative(let path):
          guard path.hasPrefix("/") else { throw .badURL(path) }
          text = "http://169.254.170.2" + path
        case .full(let url): text = url
        }
        let plain = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let web = WebAddress(String(plain[0])), text.utf8.allSatisfy({ (33...126).contains($0) }) else {
          throw .badURL(text)
        }
        let isAllowed =
          web.scheme == "https" || web.isLoopback || ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"].contains(web.host)
        guard isAllowed else { throw .insecure(host: web.host) }
        return (web, text)
      }
    }
  }

  /// - Parameter token: sent as it is; a line break in it is refused.
  public func container(at place: ContainerAddress, token: SecretBytes?) async throws -> Credential {
    let (web, url) = try place.address
    var headers = [("Host", web.hostHeader), ("Accept", "application/json")]
    if let token {
      guard token.withBytes({ $0.allSatisfy { (32...126).contains($0) } }) else {
        throw AWSError(
          .invalid("the container's authorization token has a line break or control character in it"),
          action: "ContainerCredentials", host: web.host)
      }
      headers.append(("Authorization", token.withBytes { String(decoding: $0, as: UTF8.self) }))
    }
    let request = HTTPRequest(method: "GET", url: url, headers: headers, body: SecretBytes(""), mayBePlain: true)
    return try await credential("ContainerCredentials", web.host, request)
  }

  // MARK: an instance's metadata

  /// IMDSv2 (EC2 User Guide, "Use IMDSv2"); the first version is not spoken.
  ///
  /// - Parameter endpoint: `AWS_EC2_METADATA_SERVICE_ENDPOINT`, or what `_ENDPOINT_MODE` stands for.
  public func instance(at endpoint: String) async throws -> Credential {
    guard let web = WebAddress(endpoint) else { throw TransportError.badURL(endpoint) }
    let base = web.text.hasSuffix("/") ? String(web.text.dropLast()) : web.text
    let action = "InstanceCredentials"
    let token = try await text(
      action, web.host,
      HTTPRequest(
        method: "PUT", url: base + "/latest/api/token",
        headers: [("Host", web.hostHeader), ("X-aws-ec2-metadata-token-ttl-seconds", "60")], body: SecretBytes(""),
        mayBePlain: true))
    let headers = [("Host", web.hostHeader), ("X-aws-ec2-metadata-token", token)]
    let path = "/latest/meta-data/iam/security-credentials/"
    let roles = try await text(
      action, web.host, HTTPRequest(method: "GET", url: base + path, headers: headers, body: SecretBytes(""), mayBePlain: true))
    guard let role = roles.split(separator: "\n").first,
      role.utf8.allSatisfy({ (33...126).contains($0) && $0 != 0x2F && $0 != 0x3F })
    else {
      throw AWSError(.garbled("no role: has the instance a profile?"), action: action, host: web.host)
    }
    return try await credential(
      action, web.host,
      HTTPRequest(
        method: "GET", url: base + path + SigV4.encoded(String(role)), headers: headers, body: SecretBytes(""),
        mayBePlain: true))
  }

  /// The address of the metadata service for `IPv4` or `IPv6`.
  public static func metadataEndpoint(mode: String?) -> String {
    mode?.lowercased() == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
  }

  private func text(_ action: String, _ host: String, _ request: HTTPRequest) async throws -> String {
    try await caller.call(action, at: host) { _ in
      request
    } read: { response in
      guard (200..<300).contains(response.status) else { return .garbled("status \(response.status)") }
      let text = response.body.withBytes { String(decoding: $0, as: UTF8.self) }
      let isPlain = text.utf8.allSatisfy { (32...126).contains($0) || $0 == 10 }
      return isPlain && (1...4_096).contains(text.utf8.count) ? .value(text) : .garbled("no plain text")
    }.value
  }

  private func credential(_ action: String, _ host: String, _ request: HTTPRequest) async throws -> Credential {
    try await caller.call(action, at: host) { _ in
      request
    } read: { response -> Reading<Credential> in
      guard let json = JSONValue(response.body) else { return .garbled("status \(response.status), and no JSON") }
      if let code = json.text("Code") ?? json.text("code"), code != "Success" {
        return .refusal(code: code, text: json.text("Message") ?? json.text("message") ?? "")
      }
      guard (200..<300).contains(response.status) else { return .garbled("status \(response.status)") }
      do throws(IssuedCredentials.Nonsense) {
        return .value(
          try IssuedCredentials.check(
            id: json.text("AccessKeyId"), secret: json.secret("SecretAccessKey"), token: json.secret("Token"),
            expiresAt: json.text("Expiration").flatMap { Timestamp(iso8601: $0) }, now: caller.now()))
      } catch {
        return .garbled(error.what)
      }
    }.value
  }

  // MARK: GitHub Actions

  /// The OIDC token of a GitHub Actions job (GitHub Docs, "OpenID Connect reference").
  ///
  /// - Parameters:
  ///   - url: `ACTIONS_ID_TOKEN_REQUEST_URL`
  ///   - token: `ACTIONS_ID_TOKEN_REQUEST_TOKEN`
  public func gitHubToken(url: String, token: SecretBytes, audience: String, via route: Route) async throws -> SecretBytes {
    let plain = String(url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0])
    guard let web = WebAddress(plain), url.utf8.allSatisfy({ (33...126).contains($0) }) else {
      throw TransportError.badURL(plain)
    }
    guard web.scheme == "https" || web.isLoopback else { throw TransportError.insecure(host: web.host) }
    let request = HTTPRequest(
      method: "GET", url: url + (url.contains("?") ? "&" : "?") + "audience=" + SigV4.encoded(audience),
      headers: [
        ("Host", web.hostHeader), ("Accept", "application/json"),
        ("Authorization", "bearer " + token.withBytes { String(decoding: $0, as: UTF8.self) }),
      ], body: SecretBytes(""), caBundle: route.caBundle, proxy: route.proxies.proxy(for: web))
    return try await caller.call("GitHub's OIDC token", at: web.host) { _ in
      request
    } read: { response in
      guard (200..<300).contains(response.status), let token = JSONValue(response.body)?.secret("value"), token.count > 0 else {
        return .garbled("status \(response.status), and no token")
      }
      return .value(token)
    }.value
  }
}
