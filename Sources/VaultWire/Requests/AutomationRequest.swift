import VaultModel

/// Begin a tree of processes that act by themselves, with its first credentials. The requester's process is its root.
public struct AutomationRequest: Request, WireFields {
  public typealias Reply = AutomationReply
  public var kind: MessageKind { .automation }
  public var name = ""
  /// The process that adopts what loses its parents, above the root; 0 if the root does not know it.
  public var adopter = 0
  public var credentials = IssueRequest()
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&adopter).field(&credentials) }

  /// - Throws: usage, for a name that no run can have.
  public init(name: String, credentials: IssueRequest) throws(Failure) {
    (self.name, self.credentials) = (name, credentials)
    guard hasValidName else {
      throw Failure(
        "--automation: invalid name \"\(name.prefix(100))\"", hint: "1 to 64 letters, digits or characters of ._-",
        exitStatus: .usage)
    }
  }

  public var hasValidName: Bool {
    (1...64).contains(name.utf8.count) && !name.hasPrefix("-")
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}

/// A run that has begun, and its first credentials.
public struct AutomationReply: WireFields {
  /// `run_…`
  public var run = ""
  public var credentials = IssuedReply()
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&run).field(&credentials) }
}
