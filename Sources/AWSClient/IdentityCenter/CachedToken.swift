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
  }
}
