/// What comparing an account with what a profile needs has found about one thing.
public struct Finding: Sendable, Hashable {
  /// What was compared.
  public enum Check: String, Sendable, Hashable, CaseIterable {
    /// Who calls.
    case identity
    /// Whether the caller's policies allow the call.
    case assumePolicy = "assume-policy"
    /// Whether the role's trust policy allows the call, and nobody else's by mistake.
    case trustPolicy = "trust-policy"
    case role
    case maxSessionDuration = "max-session-duration"
    /// What the role may do.
    case applicationPolicy = "application-policy"
    case permissionSet = "permission-set"
    case assignment
    /// The call itself.
    case assumeRole = "assume-role"
    /// What the person may do without the role.
    case directAccess = "direct-access"
  }

  public enum State: String, Sendable, Hashable {
    case ok
    case differs
    /// It could not be read.
    case unknown
  }

  /// The smallest change that makes the difference go away.
  public struct Fix: Sendable, Hashable {
    /// The policy as it should be, or the one to add; nil for a change of something other than a policy.
    public var document: JSONValue?
    public var terraform: String?

    public init(document: JSONValue? = nil, terraform: String? = nil) {
      self.document = document
      self.terraform = terraform
    }
  }

  /// Who refuses the call, as far as what was read decides it.
  public struct Refusal: Sendable, Hashable {
    public var side: DenialCause.Side
    /// Whether a `Deny` statement refuses, and not the lack of an `Allow`.
    public var isExplicit: Bool
    public var sid: String?

    public init(_ side: DenialCause.Side, isExplicit: Bool = false, sid: String? = nil) {
      self.side = side
      self.isExplicit = isExplicit
      self.sid = sid
    }
  }

  public var check: Check
  public var state: State
  /// A sentence without a full stop.
  public var detail: String
  public var fix: Fix?
  /// The permission without which it could not be read: `iam:GetRole`.
  public var missingPermission: String?
  /// Of ``Check/assumeRole`` alone.
  public var refusal: Refusal?

  public init(_ check: Check, _ state: State, detail: String, fix: Fix? = nil, missingPermission: String? = nil) {
    self.check = check
    self.state = state
    self.detail = detail
    self.fix = fix
    self.missingPermission = missingPermission
  }
}

extension Finding {
  /// As `vault iam check --format json` prints it.
  public var json: JSONValue {
    func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    return .object([
      JSONMember("check", .string(check.rawValue)), JSONMember("state", .string(state.rawValue)),
      JSONMember("detail", .string(detail)),
      JSONMember(
        "fix",
        fix.map { .object([JSONMember("document", $0.document ?? .null), JSONMember("terraform", text($0.terraform))]) } ?? .null),
      JSONMember("missingPermission", text(missingPermission)),
      JSONMember("refusedBy", text(refusal?.side.rawValue)), JSONMember("explicit", .bool(refusal?.isExplicit ?? false)),
      JSONMember("sid", text(refusal?.sid)),
    ])
  }

  /// - Returns: nil for anything but ``json``.
  public init?(json: JSONValue) {
    guard let check = json["check"]?.string.flatMap(Check.init), let state = json["state"]?.string.flatMap(State.init),
      let detail = json["detail"]?.string
    else { return nil }
    var fix: Fix?
    if let value = json["fix"], value.members != nil {
      let document = value["document"]
      fix = Fix(document: document == .null ? nil : document, terraform: value["terraform"]?.string)
    }
    self.init(check, state, detail: detail, fix: fix, missingPermission: json["missingPermission"]?.string)
    if let side = json["refusedBy"]?.string.flatMap(DenialCause.Side.init) {
      refusal = Refusal(side, isExplicit: json["explicit"] == .bool(true), sid: json["sid"]?.string)
    }
  }

  /// Findings as JSON, in order.
  public static func json(_ findings: [Finding]) -> JSONValue { .array(findings.map(\.json)) }

  /// - Returns: nil for a text that ``json(_:)`` did not make.
  public static func read(_ text: String) -> [Finding]? {
    guard let array = (try? JSONText(Array(text.utf8)))?.value.array else { return nil }
    let findings = array.compactMap { Finding(json: $0) }
    return findings.count == array.count ? findings : nil
  }
}
