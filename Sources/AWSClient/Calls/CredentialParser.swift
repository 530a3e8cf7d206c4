import VaultModel
import VaultSecrets

/// Credentials from a service or an endpoint other than STS, with the call's details for the audit log.
public struct IssuedCredential: Sendable {
  public let credential: Credential
  public let requestId: String?
  public let attempts: Int
}

/// Reads the credentials in a response, and accepts only values that AWS could have sent.
enum CredentialParser {
  /// In seconds: sessions last at most 36 hours (STS API, `GetSessionToken`), and clocks may differ by a quarter of an hour.
  static let maxLifetime: Int64 = 36 * 3_600 + 900

  /// Temporary credentials from their parts.
  static func temporary(
    id: String?, secret: SecretBytes?, token: SecretBytes?, expiresAt: Timestamp?, now: Timestamp
  ) throws(MalformedResponse) -> Credential {
    let (id, secret) = try keys(id: id, secret: secret)
    guard let token = token?.plain(16...16_384) else { throw MalformedResponse(what: "no session token") }
    guard let expiresAt else { throw MalformedResponse(what: "no expiration") }
    let life = expiresAt.since(now) / 1_000
    guard life > 0, life <= maxLifetime else {
      throw MalformedResponse(what: "an impossible expiration (\(expiresAt.iso8601))")
    }
    return Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiresAt: expiresAt)
  }

  static func keys(id: String?, secret: SecretBytes?) throws(MalformedResponse) -> (id: String, secret: SecretBytes) {
    guard let id, AccessKeyForm.isId(id.utf8) else { throw MalformedResponse(what: "no access key id") }
    guard let secret = secret?.plain(16...256) else { throw MalformedResponse(what: "no secret access key") }
    return (id, secret)
  }

  /// Reads a response of STS.
  static func read(
    _ elements: XMLElements, action: String, from caller: AWSCaller, requestId: String?, attempts: Int
  ) throws(MalformedResponse) -> STSResult {
    let result = action + "Result/"
    let credential = try temporary(
      id: elements.text(result + "Credentials/AccessKeyId"), secret: elements.secret(result + "Credentials/SecretAccessKey"),
      token: elements.secret(result + "Credentials/SessionToken"),
      expiresAt: caller.local(elements.text(result + "Credentials/Expiration").flatMap { Timestamp(iso8601: $0) }),
      now: caller.now())
    return STSResult(
      credential: credential, assumedRoleARN: elements.text(result + "AssumedRoleUser/Arn"),
      packedPolicySize: elements.text(result + "PackedPolicySize").flatMap { Int($0) },
      sourceIdentity: elements.text(result + "SourceIdentity"), requestId: requestId, attempts: attempts)
  }
}
