import VaultModel

/// Agree to a request, or refuse it. The reply is the request.
public struct ApproveRequest: Request, WireFields {
  public typealias Reply = WaitingApproval
  public var kind: MessageKind { .approve }
  public var id = ""
  public var deny = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&id).field(&deny) }
}

/// A request that waits for a person's agreement.
public struct WaitingApproval: WireFields {
  /// What is asked, as every way of asking shows it.
  public struct Line: WireFields {
    public var name = ""
    public var value = ""
    public init() {}
    public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&value) }
  }

  public var id = ""
  public var profile = ""
  public var role: String?
  public var program = ""
  /// Empty if the kernel does not vouch for it.
  public var executable = ""
  public var pid: Int32 = 0
  /// The processes above it, the nearest first.
  public var parents: [Ancestor] = []
  public var directory = ""
  /// As in the audit log; nil for the profile's own session.
  public var scope: String?
  /// `session`, `console`, or `access-key` for a long-lived key itself.
  public var credentials = ""
  /// Nil if the source of the credentials decides it.
  public var duration: Int?
  public var reason: String?
  /// The run that asks, if it acts by itself.
  public var automation: String?
  public var run: String?
  /// Seconds for which an agreement holds; nil if it is asked for each time.
  public var remembered: Int?
  /// How many requests wait for this answer.
  public var requests = 0
  public var asked = Timestamp(milliseconds: 0)
  public var expires = Timestamp(milliseconds: 0)
  public var lines: [Line] = []
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&id).field(&profile).field(&role).field(&program).field(&executable).field(&pid).field(&parents).field(&directory)
      .field(&scope).field(&credentials).field(&duration).field(&reason).field(&automation).field(&run).field(&remembered).field(
        &requests
      )
      .field(&asked).field(&expires).field(&lines)
  }
}

extension Ancestor: FieldValue {
  public init?(field: WireBytes) {
    let coder = FieldCoder(reading: field)
    var (pid, executable) = (Int32(0), "")
    coder.field(&pid).field(&executable)
    guard (try? coder.end()) != nil else { return nil }
    self.init(pid: pid, executable: executable)
  }

  public func append(to frame: WireBuffer) {
    var (pid, executable) = (pid, executable)
    FieldCoder(writing: frame).field(&pid).field(&executable)
  }
}
