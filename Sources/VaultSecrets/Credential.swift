import VaultModel

/// Keys that sign requests to AWS. Only the id is public.
public struct Credential: Sendable {
  public let accessKeyId: String
  public let secretAccessKey: SecretBytes
  /// Only temporary credentials have one.
  public let sessionToken: SecretBytes?
  /// Nil for long-lived keys.
  public let expiresAt: Timestamp?
  /// The account that owns the credentials: twelve digits; nil if unknown.
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
