import VaultModel

/// The parameters of one call for a role that policies can refuse (STS API, `AssumeRole`).
public struct SentParameters: Sendable, Hashable {
  /// What the call sends; or, for a chained role, what the caller's session has: it persists down the chain and cannot be changed.
  public var sourceIdentity: String?
  public var tags: [SessionTag]
  /// Transitive tags of the caller's own session, which the new session has too.
  public var inheritedTags: [SessionTag]
  public var transitiveTagKeys: [String]
  public var externalId: String?
  public var mfaSerial: String?
  /// Nil for the vault's own: the user and the host, `alice@laptop`.
  public var roleSessionName: String?
  /// The seconds that the profile asks for.
  public var requestedSeconds: Int
  /// Whether the caller is itself a role: the session then ends after an hour at most (IAM User Guide, "Role chaining").
  public var isChained: Bool
  /// A session policy, JSON.
  public var sessionPolicy: String?
  public var sessionPolicyARNs: [String]

  /// The parameters of a call that sends nothing of its own.
  public init(
    sourceIdentity: String? = nil, tags: [SessionTag] = [], externalId: String? = nil, mfaSerial: String? = nil,
    requestedSeconds: Int = SessionDuration.default.seconds, isChained: Bool = false
  ) {
    self.sourceIdentity = sourceIdentity
    self.tags = tags
    self.externalId = externalId
    self.mfaSerial = mfaSerial
    self.requestedSeconds = requestedSeconds
    self.isChained = isChained
    inheritedTags = []
    transitiveTagKeys = []
    sessionPolicyARNs = []
  }

  /// A call with a token or an assertion, which themselves say the source identity and the tags.
  init(tokenFor link: RoleLink) {
    self.init(requestedSeconds: (link.duration ?? .default).seconds)
    set(link)
  }

  /// - Parameter caller: what the call sent that gave the caller's session.
  init(_ link: RoleLink, isChained: Bool, after caller: SentParameters) {
    self.init(
      sourceIdentity: link.sourceIdentity ?? caller.sourceIdentity, tags: link.tags, externalId: link.externalId,
      mfaSerial: link.mfaSerial, requestedSeconds: (link.duration ?? .default).seconds, isChained: isChained)
    transitiveTagKeys = link.transitiveTagKeys
    set(link)
    let transitive = Set(caller.transitiveTagKeys)
    inheritedTags = caller.inheritedTags + caller.tags.filter { transitive.contains($0.key) }
  }

  /// The actions that policies must allow beside the call itself: `sts:SetSourceIdentity` if the call sends a source identity or the
  /// caller's session has one, and `sts:TagSession` if it sends tags or inherits them (IAM User Guide, "Pass session tags in AWS STS"
  /// and "Monitor and control actions taken with assumed roles").
  public var actions: [String] {
    (sourceIdentity == nil ? [] : ["sts:SetSourceIdentity"])
      + (tags.isEmpty && inheritedTags.isEmpty ? [] : ["sts:TagSession"])
  }

  private mutating func set(_ link: RoleLink) {
    roleSessionName = link.roleSessionName?.text
    sessionPolicy = link.policy
    sessionPolicyARNs = link.policyARNs
  }

  /// The seconds that are sent: at most an hour if the caller is a role.
  public var seconds: Int { isChained ? min(requestedSeconds, SessionDuration.chainedLimit.seconds) : requestedSeconds }
}
