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
  public var sessions: [RevokedSession] = []
  /// The number of programs that are no longer served.
  public var programs = 0
  /// The files that hold nothing more: `[section] in path`.
  public var files: [String] = []
  /// The number of runs that get nothing more.
  public var runs = 0
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&sessions).field(&programs).field(&files).field(&runs) }
}

/// A session that was ended. A program that holds its keys can use them until they expire, unless AWS refuses them.
public struct RevokedSession: WireFields {
  public var id = ""
  public var profile = ""
  public var accessKeyId = ""
  public var expiration = Timestamp(milliseconds: 0)
  public var roleARN: String?
  public var roleSessionName: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&id).field(&profile).field(&accessKeyId).field(&expiration).field(&roleARN).field(&roleSessionName)
  }
}
