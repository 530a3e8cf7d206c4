import VaultModel
import VaultSecrets

/// The endpoint of the instance metadata service.
public struct InstanceMetadataEndpoint: Sendable, Hashable {
  /// `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`
  public enum Mode: Sendable, Hashable {
    case ipv4
    case ipv6

    /// - Returns: nil unless it is `IPv4` or `IPv6`, case-insensitive.
    public init?(_ text: String) {
      switch text.lowercased() {
      case "ipv4": self = .ipv4
      case "ipv6": self = .ipv6
      default: return nil
      }
    }
  }

  let address: WebAddress
  public var host: String { address.hostHeader }

  private static let own: Set<HostAddress> = Set(["169.254.169.254", "fd00:ec2::254"].compactMap { HostAddress($0) })

  /// - Parameter url: `AWS_EC2_METADATA_SERVICE_ENDPOINT`, which takes precedence over the mode.
  /// - Throws: `TransportError.badURL`, or `.insecure` for a URL without TLS that is neither AWS's address nor this machine.
  public init(url: String? = nil, mode: Mode = .ipv4) throws(TransportError) {
    let url = url ?? (mode == .ipv4 ? "http://169.254.169.254" : "http://[fd00:ec2::254]")
    guard let address = WebAddress(url) else { throw .badURL(url) }
    let isOwn = HostAddress(address.host).map { $0.isLoopback || Self.own.contains($0) } ?? (address.host == "localhost")
    guard address.scheme == "https" || isOwn else { throw .insecure(host: address.host) }
    self.address = address
  }
}

/// Fetches the role's credentials from the instance metadata service: only version 2, which requires a token (EC2 User Guide, "Use
/// the Instance Metadata Service").
///
/// The timeout is one second, as in the SDKs. A missing response is not retried: most machines are not instances.
public final class InstanceMetadataClient: Sendable {
  static let timeout = 1_000
  /// The lifetime of the token in seconds; it is used at once.
  static let tokenLife = 60
  private static let action = "GetInstanceCredentials"
  private static let rolePath = "/latest/meta-data/iam/security-credentials/"

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// - Throws: `AWSError`.
  public func getCredentials(from endpoint: InstanceMetadataEndpoint) async throws -> IssuedCredential {
    let life = ("X-aws-ec2-metadata-token-ttl-seconds", String(Self.tokenLife))
    let token = try await call(endpoint, "PUT", path: "/latest/api/token", header: life, as: .text).read {
      text throws(MalformedResponse) in
      guard let token = text.plain(1...4_096) else { throw MalformedResponse(what: "no token") }
      return token.withBytes { String(decoding: $0, as: UTF8.self) }
    }
    let proof = ("X-aws-ec2-metadata-token", token)
    let role = try await call(endpoint, "GET", path: Self.rolePath, header: proof, as: .text).read {
      text throws(MalformedResponse) in
      try Self.roleName(text)
    }
    let answer = try await call(endpoint, "GET", path: Self.rolePath + SigV4.encoded(role), header: proof, as: .json)
    // A role that EC2 may not assume is reported with status 200.
    if let code = answer.document.text("Code"), code != "Success" {
      throw AWSError(
        .service(code: String(code.prefix(128)), text: answer.document.text("Message") ?? "", status: 200), action: Self.action,
        host: endpoint.host, attempts: answer.attempts)
    }
    return try answer.read { json throws(MalformedResponse) in
      IssuedCredential(
        credential: try CredentialParser.metadata(json, now: caller.now()), requestId: answer.requestId,
        attempts: answer.attempts)
    }
  }

  /// The first line; an instance has one role.
  private static func roleName(_ text: SecretBytes) throws(MalformedResponse) -> String {
    let whole = text.withBytes { String(decoding: $0.prefix(1_024), as: UTF8.self) }
    guard let name = whole.split(whereSeparator: \.isNewline).first,
      (1...64).contains(name.utf8.count),
      name.utf8.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) || "+=,.@-_".utf8.contains($0) })
    else { throw MalformedResponse(what: "no name of a role") }
    return String(name)
  }

  private func call<Document>(
    _ endpoint: InstanceMetadataEndpoint, _ method: String, path: String, header: (name: String, value: String),
    as form: ResponseDecoder<Document>
  ) async throws -> AWSResponse<Document> {
    var request = HTTPRequest(
      method: method, url: endpoint.address.appending(path).text, headers: [("Host", endpoint.host), header],
      body: SecretBytes(""),
      timeout: Self.timeout)
    request.isPlainAllowed = true
    let call = AWSCall(action: Self.action, host: endpoint.host, retries: .answered, request: { [request] _ in request })
    return try await caller.call(call, form)
  }
}
