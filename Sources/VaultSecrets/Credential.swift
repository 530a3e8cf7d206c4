import VaultModel

/// Keys that sign requests to AWS. The id is public; the rest is not.
public struct Credential: Sendable {
  public let accessKeyId: String
  public let secretAccessKey: SecretBytes
  /// Only temporary credentials have one.
  public let sessionToken: SecretBytes?
  /// Nil for long-lived keys.
  public let expiresAt: Timestamp?

  public init(accessKeyId: String, secretAccessKey: SecretBytes, sessionToken: SecretBytes?, expiresAt: Timestamp?) {
    self.accessKeyId = accessKeyId
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
    self.expiresAt = expiresAt
  }
}

extension Credential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "\(accessKeyId) ‹secret›" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: ["accessKeyId": accessKeyId]) }
}
