import VaultModel

/// Take back what was handed out. Exactly one target is set.
public struct RevokeRequest: Request, WireFields {
  public typealias Reply = Revoked
  public var kind: MessageKind { .revoke }
  public var profile: String?
  /// A session's ID, or its access key ID.
  public var session: String?
  /// The name of runs that act by themselves.
  public var automation: String?
  public var pid: Int?
  public var all = false
  public var reason: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&profile).field(&session).field(&automation).field(&pid).field(&all).field(&reason)
  }
}

/// What was taken back.
public struct Revoked: WireFields {
  /// The number of sessions.
  public var sessions = 0
  /// When the last of them expires: until then a program that has its keys can use them, unless AWS refuses them.
  public var expiration: Timestamp?
  /// The number of programs that are no longer served.
  public var programs = 0
  /// Files that hold nothing more: `[section] in path`.
  public var files: [String] = []
  /// The number of runs that get nothing more.
  public var runs = 0
  /// The number of requests that were under way, and get nothing.
  public var requests = 0
  /// The process that was given what was taken back, if another was named, which has it from there; and its program.
  public var pid: Int?
  public var program = ""
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&sessions).field(&expiration).field(&programs).field(&files).field(&runs).field(&requests).field(&pid)
      .field(&program)
  }
}

/// Have AWS refuse what a role issued: show the policy for that, or put it.
public struct RevokeInAWSRequest: Request, WireFields {
  public typealias Reply = AWSRevocation
  public var kind: MessageKind { .revokeInAWS }
  /// The profile whose credentials put the policy.
  public var profile = ""
  public var roleARN = ""
  /// Only sessions of these names; none for every session of the role.
  public var sessionNames: [String] = []
  /// Of these, only the sessions with the tag of one of these runs; none for every session of the names.
  public var runs: [String] = []
  /// Nil for now, by AWS's clock.
  public var before: Timestamp?
  /// The policy as it was shown, to be put; nil to show it.
  public var document: WireBytes?
  public var mfaCode: WireBytes?
  public var reason: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&profile).field(&roleARN).field(&sessionNames).field(&runs).field(&before).field(&document).field(&mfaCode)
      .field(&reason)
  }
}

/// The policy by which AWS refuses sessions.
public struct AWSRevocation: WireFields {
  public var policyName = ""
  /// JSON without blanks.
  public var document = WireBytes.none
  public var before = Timestamp(milliseconds: 0)
  /// Whether the role already had a policy of this name, whose statements are in it.
  public var isAddition = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&policyName).field(&document).field(&before).field(&isAddition)
  }
}
