import VaultModel
import VaultSecrets

/// A sign-in token in the SDKs' cache format (botocore, `SSOTokenLoader`).
public struct CachedToken: Sendable {
  /// The fault of a token.
  public struct Malformed: Error, Hashable {
    public let what: String
  }

  public let startURL: String
  public let region: String
  public let accessToken: SecretBytes
  public let expiresAt: Timestamp
  /// What renews the token; nil if the file does not have all of it.
  public let renewal: Renewal?

  /// A refresh token, and the client that received it.
  public struct Renewal: Sendable {
    public let refreshToken: SecretBytes
    public let client: SSOClientRegistration
  }

  public init(_ file: SecretBytes) throws(Malformed) {
    guard let json = JSONDocument(file) else { throw Malformed(what: "the file is not JSON") }
    guard let startURL = json.text("startUrl"), let region = json.text("region") else {
      throw Malformed(what: "it has no start URL or region")
    }
    guard let token = json.secret("accessToken")?.plain(1...16_384) else { throw Malformed(what: "it has no access token") }
    // Older versions of the AWS CLI wrote `UTC` instead of the Z.
    guard let end = json.text("expiresAt").flatMap({ Timestamp(iso8601: $0.replacing("UTC", with: "Z")) }) else {
      throw Malformed(what: "it has no expiration")
    }
    self.startURL = startURL
    self.region = region
    accessToken = token
    expiresAt = end
    renewal = Self.renewal(json)
  }
  private static func renewal(_ json: JSONDocument) -> Renewal? {
    guard let token = json.secret("refreshToken")?.plain(1...65_536), let id = json.text("clientId"),
      (1...1_024).contains(id.utf8.count), let secret = json.secret("clientSecret")?.plain(1...65_536),
      let end = json.text("registrationExpiresAt").flatMap({ Timestamp(iso8601: $0.replacing("UTC", with: "Z")) })
    else { return nil }
    return Renewal(
      refreshToken: token, client: SSOClientRegistration(clientId: id, clientSecret: secret, expiresAt: end))
  }
}
