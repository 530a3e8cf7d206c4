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
