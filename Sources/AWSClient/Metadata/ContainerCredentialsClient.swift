import VaultModel
import VaultSecrets

/// Fetches credentials from a container's endpoint (AWS SDKs and Tools Reference Guide, "Container credential provider").
///
/// Retries as described at ``AWSCaller``; the timeout is 2 seconds, as in the SDKs.
public final class ContainerCredentialsClient: Sendable {
  static let timeout = 2_000
  private static let action = "GetContainerCredentials"

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// - Throws: `AWSError`; `TokenFile.Problem`.
  public func getCredentials(
    from endpoint: ContainerEndpoint, authorization: ContainerAuthorization
  ) async throws -> IssuedCredential {
    var headers: [(name: String, value: String)] = [("Host", endpoint.host), ("Accept", "application/json")]
    if let token = try Self.token(authorization) {
      // A line break would begin another header.
      guard token.withBytes({ bytes in bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }), token.count <= 16_384 else {
        throw AWSError(
          .invalid("the authorization token contains a line break or control character"), action: Self.action,
          host: endpoint.host)
      }
      headers.append(("Authorization", token.withBytes { String(decoding: $0, as: UTF8.self) }))
    }
    var request = HTTPRequest(
      method: "GET", url: endpoint.address.text, headers: headers, body: SecretBytes(""),
      query: endpoint.query,
      timeout: Self.timeout)
    request.isPlainAllowed = true
    let call = AWSCall(action: Self.action, host: endpoint.host, request: { [request] _ in request })
    let answer = try await caller.call(call, .json)
    return try answer.read { json throws(MalformedResponse) in
      IssuedCredential(
        credential: try CredentialParser.metadata(json, now: caller.now()), requestId: answer.requestId,
        attempts: answer.attempts)
    }
  }

  private static func token(_ authorization: ContainerAuthorization) throws(TokenFile.Problem) -> SecretBytes? {
    switch authorization {
    case .none: nil
    case .token(let token): token
    case .file(let path): try TokenFile.read(path)
    }
  }
}

extension CredentialParser {
  /// Reads the format of container and instance endpoints.
  static func metadata(_ json: JSONDocument, now: Timestamp) throws(MalformedResponse) -> Credential {
    try temporary(
      id: json.text("AccessKeyId"), secret: json.secret("SecretAccessKey"), token: json.secret("Token"),
      expiresAt: json.text("Expiration").flatMap { Timestamp(iso8601: $0) }, now: now)
  }
}
