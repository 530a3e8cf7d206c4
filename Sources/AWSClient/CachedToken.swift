import VaultModel
import VaultSecrets

/// A sign-in's token as the SDKs cache it (botocore, `SSOTokenLoader`).
public struct CachedToken: Sendable {
  /// What is wrong with it.
  public struct Nonsense: Error, Hashable {
    public let what: String
  }

  public let startURL: String
  public let region: String
  public let accessToken: SecretBytes
  public let expiresAt: Timestamp

  public init(_ file: SecretBytes) throws(Nonsense) {
    guard let json = JSONValue(file) else { throw Nonsense(what: "the file is no JSON") }
    guard let startURL = json.text("startUrl"), let region = json.text("region") else {
      throw Nonsense(what: "it names no place")
    }
    guard let token = json.secret("accessToken"), (1...16_384).contains(token.count), IssuedCredentials.isPlain(token) else {
      throw Nonsense(what: "there is none")
    }
    // Older versions of the AWS CLI wrote `UTC` in place of the Z.
    guard let end = json.text("expiresAt").flatMap({ Timestamp(iso8601: $0.replacing("UTC", with: "Z")) }) else {
      throw Nonsense(what: "it has no end")
    }
    self.startURL = startURL
    self.region = region
    accessToken = token
    expiresAt = end
  }
}
