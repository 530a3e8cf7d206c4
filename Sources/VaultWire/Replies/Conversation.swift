// What agent and client say to each other between a request and its reply.

/// A web page that the user must visit.
public struct Page: WireFields {
  public var url = ""
  /// A code to compare.
  public var code: String?
  /// The address on loopback that sends a browser there.
  public var address: String?
  /// The rows of a QR code, each module a digit.
  public var rows: [String] = []
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&url).field(&code).field(&address).field(&rows) }
}

/// The question of a prompt.
public enum PromptKind: String, FieldValue {
  case mfaCode, passphrase, newPassphrase, assertion
  /// The passphrase of another program's store; the client looks in that program's own variable first.
  case otherPassphrase
  /// Variables of the client's environment; the user is not asked.
  case variables
  /// All of the environment but those.
  case environment
  /// Whether a place may be sent secrets.
  case trust
  /// A question that only a person at a terminal can answer with yes.
  case yesNo
  /// Why a guarded profile is needed.
  case reason
}

/// A question to the user or the client, who sends an answer.
public struct Prompt: WireFields {
  public var kind = PromptKind.trust
  public var text = ""
  /// The variables.
  public var names: [String] = []
  /// The setting that says yes for good.
  public var setting: String?
  public var value: String?
  /// The least characters of a new passphrase.
  public var minimum: Int?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&kind).field(&text).field(&names).field(&setting).field(&value).field(&minimum)
  }
}
