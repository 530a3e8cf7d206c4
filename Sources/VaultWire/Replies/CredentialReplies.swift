import VaultModel

/// Credentials, or the address that serves them with a token or the file that holds it.
public struct IssuedReply: WireFields {
  public var accessKeyId: String?
  public var secretAccessKey: WireBytes?
  public var sessionToken: WireBytes?
  public var expiration: Timestamp?
  public var accountId: String?
  public var endpoint: String?
  public var endpointToken: WireBytes?
  public var tokenFile: String?
  public var region: String?
  public var sessionId: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&accessKeyId).field(&secretAccessKey).field(&sessionToken).field(&expiration).field(&accountId)
      .field(&endpoint).field(&endpointToken).field(&tokenFile).field(&region).field(&sessionId)
  }
}

/// What AWS said of a refusal, or why it did not.
public struct DenialReply: WireFields {
  public var principal: String?
  public var action: String?
  public var resource: String?
  /// The type of the policy that refused, in AWS's words.
  public var policyType: String?
  public var isExplicit = false
  public var policyARN: String?
  public var sid: String?
  /// Why AWS did not say; nil if it did.
  public var fault: String?
  /// The permission that asking needs, if AWS refused.
  public var missingPermission: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&principal).field(&action).field(&resource).field(&policyType).field(&isExplicit).field(&policyARN).field(&sid)
      .field(&fault).field(&missingPermission)
  }
}

/// A profile's new session, or why there is none.
public struct RotatedSession: WireFields {
  public var profile = ""
  public var sessionId: String?
  public var expiration: Timestamp?
  public var fault: String?
  public var exitStatus: ExitStatus?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&profile).field(&sessionId).field(&expiration).field(&fault).field(&exitStatus)
  }
}

/// The IDs of an access key that was deleted and of the one in its place.
public struct RotatedAccessKey: WireFields {
  public var old = ""
  public var new = ""
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&old).field(&new) }
}
