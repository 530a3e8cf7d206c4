import VaultSecrets

/// Proves that the client that redeems a code is the one that requested it (RFC 7636), and builds the browser's URL.
public struct PKCE: Sendable {
  /// 43 to 128 unreserved characters.
  public let verifier: SecretBytes
  /// BASE64URL(SHA256(verifier)), the method `S256`.
  public let challenge: String

  /// A new proof: 64 characters from 48 random bytes.
  public init() {
    self.init(verifier: SecretBytes.random(count: 48).withBytes { Base64.urlEncoded($0) })
  }

  init(verifier: SecretBytes) {
    self.verifier = verifier
    var copy = verifier.withBytes { Array($0) }
    defer { wipe(&copy) }
    challenge = sha256(copy).withUnsafeBytes { bytes in
      Base64.urlEncoded(bytes).withBytes { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// A new value for `state`, which the browser must return: 32 characters from 24 random bytes (RFC 6749, 10.12).
  public static func newState() -> String {
    randomBytes(24).withUnsafeBytes { bytes in
      Base64.urlEncoded(bytes).withBytes { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// The URL for the browser.
  ///
  /// - Parameters:
  ///   - endpoint: the `oidc` one.
  ///   - redirectURI: with the port that is listened on.
  ///   - scopes: the registered ones.
  public func authorizeURL(
    clientId: String, redirectURI: String, state: String, scopes: [String], at endpoint: ServiceEndpoint
  ) -> String {
    let pairs = [
      ("response_type", "code"), ("client_id", clientId), ("redirect_uri", redirectURI), ("state", state),
      ("code_challenge_method", "S256"), ("scopes", scopes.joined(separator: " ")), ("code_challenge", challenge),
    ]
    let query = pairs.map { "\($0.0)=\(SigV4.encoded($0.1))" }.joined(separator: "&")
    return "\(endpoint.address("/authorize").text)?\(query)"
  }
}
