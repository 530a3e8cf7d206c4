import VaultModel
import VaultSecrets

/// Reads the credentials in an answer of STS, and believes only what AWS could have said.
enum IssuedCredentials {
  /// What is wrong with an answer.
  struct Nonsense: Error { let what: String }

  /// Sessions of at most 36 hours exist (STS API, `GetSessionToken`), and clocks may differ by a quarter of an hour.
  static let longestLife: Int64 = 36 * 3_600 + 900

  static func read(
    _ elements: XMLElements, action: String, now: Timestamp, requestId: String?, attempts: Int
  ) throws(Nonsense) -> STSResult {
    let result = action + "Result/"
    let credential = try check(
      id: elements.text(result + "Credentials/AccessKeyId"), secret: elements.secret(result + "Credentials/SecretAccessKey"),
      token: elements.secret(result + "Credentials/SessionToken"),
      expiresAt: elements.text(result + "Credentials/Expiration").flatMap { Timestamp(iso8601: $0) }, now: now)
    return STSResult(
      credential: credential,
      assumedRoleARN: elements.text(result + "AssumedRoleUser/Arn"),
      packedPolicySize: elements.text(result + "PackedPolicySize").flatMap { Int($0) },
      sourceIdentity: elements.text(result + "SourceIdentity"), requestId: requestId, attempts: attempts)
  }

  /// Temporary credentials, whoever issued them.
  static func check(id: String?, secret: SecretBytes?, token: SecretBytes?, expiresAt: Timestamp?, now: Timestamp)
    throws(Nonsense) -> Credential
  {
    guard let id, isAccessKeyId(id) else { throw Nonsense(what: "no access key id") }
    guard let secret, (16...256).contains(secret.count), isPlain(secret) else { throw Nonsense(what: "no secret access key") }
    guard let token, (16...16_384).contains(token.count), isPlain(token) else { throw Nonsense(what: "no session token") }
    guard let expiresAt else { throw Nonsense(what: "no expiration") }
    let life = expiresAt.since(now) / 1_000
    guard life > 0, life <= longestLife else { throw Nonsense(what: "an expiration of \(expiresAt.iso8601), which cannot be") }
    return Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiresAt: expiresAt)
  }

  static func isAccessKeyId(_ id: String) -> Bool {
    (16...128).contains(id.utf8.count)
      && id.utf8.allSatisfy { (97...122).contains($0 | 0x20) || (48...57).contains($0) || $0 == 0x5F }
  }

  /// Printable ASCII without blanks: what can stand in a header and in an environment.
  static func isPlain(_ secret: SecretBytes) -> Bool { secret.withBytes { $0.allSatisfy { (33...126).contains($0) } } }
}
