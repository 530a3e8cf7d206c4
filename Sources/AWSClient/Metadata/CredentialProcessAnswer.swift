import VaultModel
import VaultSecrets

/// Why the output of a `credential_process` cannot be used.
public enum CredentialProcessError: ReportableError, Hashable {
  /// Not a single JSON object, or one that is too large or too deep.
  case notJSON
  /// Nil if it is missing or not an integer.
  case version(Int64?)
  case missing(String)
  /// A key of the wrong type, empty, or with characters that are invalid in such a value.
  case malformed(String)
  case expired(Timestamp)

  public var message: String {
    switch self {
    case .notJSON: "the output of credential_process is not one JSON object"
    case .version(nil): "the output of credential_process has no Version (expected 1)"
    case .version(let version?): "the output of credential_process has Version \(version) (expected 1)"
    case .missing(let key): "the output of credential_process has no \(key)"
    case .malformed(let key): "the output of credential_process has an invalid \(key)"
    case .expired(let moment): "the credentials from credential_process expired at \(moment.iso8601)"
    }
  }

  public var hint: String? {
    switch self {
    case .expired: "has the process's own sign-in expired, or is this machine's clock wrong?"
    default: #"it must print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …} and nothing else"#
    }
  }

  public var exitStatus: ExitStatus {
    switch self {
    case .expired: .refused
    default: .badData
    }
  }
}

/// The output of a `credential_process` (AWS SDKs and Tools Reference Guide, "Process credential provider").
public struct CredentialProcessAnswer: Sendable {
  /// The maximum lifetime of temporary credentials (STS API, `GetSessionToken`). A later expiration is cut to this, and the process
  /// is then run again: some programs print a distant year for "no end".
  private static let maxLifetime: Int64 = 36 * 3_600

  /// Without an expiration if the process prints none: it is then never run again automatically.
  public let credential: Credential

  /// - Parameter now: the time that `Expiration` must be after.
  public init(_ text: SecretBytes, now: Timestamp) throws(CredentialProcessError) {
    guard let json = JSONDocument(text) else { throw .notJSON }
    guard json.int("Version") == 1 else { throw .version(json.int("Version")) }
    guard let id = try Self.secret("AccessKeyId", length: 1...128, in: json),
      let secret = try Self.secret("SecretAccessKey", length: 1...1_024, in: json)
    else { throw .missing(json.has("AccessKeyId") ? "SecretAccessKey" : "AccessKeyId") }
    var expiresAt: Timestamp?
    if json.has("Expiration") {
      guard let moment = json.text("Expiration").flatMap({ Timestamp(iso8601: $0) }) else { throw .malformed("Expiration") }
      guard moment > now else { throw .expired(moment) }
      expiresAt = min(moment, now.adding(seconds: Self.maxLifetime))
    }
    // Programs print an empty string for a missing value; the AWS CLI accepts that.
    let account = json.text("AccountId") == "" || !json.has("AccountId") ? nil : json.text("AccountId") ?? "?"
    if let account, account.utf8.count != 12 || !account.utf8.allSatisfy({ (48...57).contains($0) }) {
      throw .malformed("AccountId")
    }
    credential = Credential(
      accessKeyId: id.withBytes { String(decoding: $0, as: UTF8.self) }, secretAccessKey: secret,
      sessionToken: json.text("SessionToken") == "" ? nil : try Self.secret("SessionToken", length: 1...16_384, in: json),
      expiresAt: expiresAt, accountId: account)
  }

  /// - Returns: nil if there is none.
  private static func secret(
    _ key: String, length: ClosedRange<Int>, in json: JSONDocument
  ) throws(CredentialProcessError) -> SecretBytes? {
    guard json.has(key) else { return nil }
    guard let value = json.secret(key)?.plain(length) else { throw .malformed(key) }
    return value
  }
}
