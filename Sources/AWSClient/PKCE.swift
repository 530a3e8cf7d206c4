import VaultModel
import VaultSecrets

/// The proof that the one who redeems an authorization code is the one who asked for it (RFC 7636, method S256).
public struct PKCE: Sendable {
  /// 64 characters.
  public let verifier: SecretBytes
  /// What the browser carries, in the clear.
  public let challenge: String

  public init() { self.init(verifier: Self.randomText(bytes: 48)) }

  init(verifier: SecretBytes) {
    self.verifier = verifier
    challenge = verifier.withBytes { bytes in
      var copy = Array(bytes)
      defer { wipe(&copy) }
      return sha256(copy).withUnsafeBytes { base64URL($0) }.withBytes { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// Random bytes as text that can stand in a URL.
  public static func randomText(bytes count: Int) -> SecretBytes {
    SecretBytes.random(count: count).withBytes { base64URL($0) }
  }

  /// Where the browser goes (AWS CLI, `sso login`).
  ///
  /// - Parameters:
  ///   - redirectURL: with the port at which the answer is awaited.
  ///   - state: comes back with the answer, and shows that it is one.
  public func authorizeURL(
    at endpoint: AWSEndpoint, clientId: String, scopes: [String], redirectURL: String, state: SecretBytes
  ) -> String {
    let pairs = [
      ("response_type", "code"), ("client_id", clientId), ("redirect_uri", redirectURL),
      ("state", state.withBytes { String(decoding: $0, as: UTF8.self) }), ("code_challenge_method", "S256"),
      ("scopes", scopes.joined(separator: " ")), ("code_challenge", challenge),
    ]
    return endpoint.url("/authorize") + "?" + pairs.map { "\($0.0)=\(SigV4.encoded($0.1))" }.joined(separator: "&")
  }
}
