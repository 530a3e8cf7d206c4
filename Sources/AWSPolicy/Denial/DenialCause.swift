/// Which side refused, in plain words, and who can change what.
///
/// It is never more certain than AWS's words: where they give no reason, ``refusedBy`` is `unknown`, and ``possible`` lists what
/// it can be.
public struct DenialCause: Sendable, Hashable {
  /// The sides that can refuse a call. The words are those of `vault iam why --format json`.
  public enum Side: String, Sendable, Hashable, CaseIterable {
    case trustPolicy = "trust-policy"
    case identityPolicy = "identity-policy"
    case permissionsBoundary = "permissions-boundary"
    case sessionPolicy = "session-policy"
    case scp
    case rcp
    case endpointPolicy = "endpoint-policy"
    case mfa
    case externalId = "external-id"
    case duration
    case clock
    case chain
    case region
    case sourceIdentity = "source-identity"
    case tags
    case unknown
  }

  /// What would allow the call.
  public struct Fix: Sendable, Hashable {
    /// Who can do it, and where.
    public var who: String
    /// The statement to add, as a policy; nil where nothing is to be added.
    public var document: PolicyDocument?

    public init(who: String, document: PolicyDocument? = nil) {
      self.who = who
      self.document = document
    }
  }

  /// One of several causes that the words leave open.
  public struct Possibility: Sendable, Hashable {
    public var side: Side
    public var explanation: String
    public var fix: Fix?
  }

  public var refusedBy: Side
  /// Whether a `Deny` statement refused, and not the lack of an `Allow`.
  public var isExplicit: Bool
  public var policyARN: String?
  public var sid: String?
  public var explanation: String
  /// Nil where the words leave open what it is: each of ``possible`` has its own.
  public var fix: Fix?
  /// What it can be, most likely first, if ``refusedBy`` is `unknown`.
  public var possible: [Possibility] = []
  /// One short line, for the hint under a refusal.
  public var hint: String

  /// - Parameters:
  ///   - call: what is known beside AWS's words.
  ///   - clockOffset: how far the machine's clock is behind AWS's, in seconds.
  public init(_ denial: Denial, call: AccessNeeds? = nil, clockOffset: Int64 = 0) {
    let judge = DenialJudge(denial, call, clockOffset: clockOffset)
    self = judge.cause()
  }

  init(
    _ side: Side, _ denial: Denial, explanation: String, hint: String, fix: Fix? = nil, possible: [Possibility] = []
  ) {
    refusedBy = side
    isExplicit = denial.isExplicit
    policyARN = denial.policyARN
    sid = denial.sid
    self.explanation = explanation
    self.hint = hint
    self.fix = fix
    self.possible = possible
  }
}
