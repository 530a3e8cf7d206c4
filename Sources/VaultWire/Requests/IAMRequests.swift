/// Compare an account with what a profile needs. The reply is a list of findings, JSON.
public struct IAMCheckRequest: Request, WireFields {
  public typealias Reply = WireBytes
  public var kind: MessageKind { .iamCheck }
  public var profile = ""
  /// The profile whose credentials read the account; nil for the profile's own.
  public var reader: String?
  public var mfaCode: WireBytes?
  public var reason: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&profile).field(&reader).field(&mfaCode).field(&reason) }
}
