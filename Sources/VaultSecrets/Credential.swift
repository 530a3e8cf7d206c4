import VaultModel

/// Keys that sign requests to AWS. The id is public; the rest is not.
public struct Credential: Sendable {
  public let accessKeyId: String
  public let secretAccessKey: SecretBytes
  /// Only temporary credentials have one.
  public let sessionToken: SecretBytes?
  /// Nil for long-lived keys.
  public let expiresAt: Timestamp?
  /// Whose credentials they are: twelve digits; nil where that is not known.
  public var accountId: String?

  public init(
    accessKeyId: String, secretAccessKey: SecretBytes, sessionToken: SecretBytes?, expiresAt: Timestamp?, accountId: String? = nil
  ) {
    self.accessKeyId = accessKeyId
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
    self.expiresAt = expiresAt
    self.accountId = accountId
  }
}

extension Credential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "\(accessKeyId) ‹secret›" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: ["accessKeyId": accessKeyId]) }
}
