import VaultModel
import VaultSecrets

/// What a `credential_process` prints (AWS SDKs and Tools Reference Guide, "Process credential provider"), version 1.
public enum CredentialProcessAnswer {
  /// What is wrong with it.
  public struct Nonsense: Error, Hashable {
    public let what: String
  }

  /// - Returns: the credentials; without an end where the program names none.
  public static func read(_ printed: SecretBytes, now: Timestamp) throws(Nonsense) -> Credential {
    guard let json = JSONValue(printed) else { throw Nonsense(what: "it is no JSON object") }
    guard json.number("Version") == 1 else { throw Nonsense(what: "its Version is not 1") }
    guard let id = json.text("AccessKeyId"), IssuedCredentials.isAccessKeyId(id) else { throw Nonsense(what: "no AccessKeyId") }
    guard let secret = json.secret("SecretAccessKey"), (16...256).contains(secret.count), IssuedCredentials.isPlain(secret) else {
      throw Nonsense(what: "no SecretAccessKey")
    }
    var token: SecretBytes?
    if json.has("SessionToken"), let given = json.secret("SessionToken"), given.count > 0 {
      guard given.count <= 16_384, IssuedCredentials.isPlain(given) else { throw Nonsense(what: "a SessionToken that cannot be") }
      token = given
    }
    guard json.has("Expiration"), json["Expiration"] != nil else {
      return Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiresAt: nil)
    }
    guard let end = json.text("Expiration").flatMap({ Timestamp(iso8601: $0) }) else {
      throw Nonsense(what: "an Expiration that is no ISO 8601 time")
    }
    guard end > now else { throw Nonsense(what: "its credentials ended at \(end.iso8601)") }
    guard end.since(now) / 1_000 <= IssuedCredentials.longestLife else {
      throw Nonsense(what: "an Expiration of \(end.iso8601), which no temporary credentials have")
    }
    return Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiresAt: end)
  }
}
