/// The state of a session, as `vault list` shows it.
public enum SessionState: String, Sendable, CaseIterable {
  case none
  case fresh
  /// Usable, but so close to expiry that the next request renews it.
  case due
  case expired
  case needsLogin = "needs-login"
  case needsMFA = "needs-mfa"
  case failing
}

/// Why a session is no longer the profile's current one.
public enum SessionEnd: String, Sendable {
  case expired, replaced, forgotten, revoked
}

/// The kind of call that issued the session.
public enum SessionKind: String, Sendable {
  /// `AssumeRole`
  case role
  /// The temporary credentials of an identity: from `GetSessionToken` for an access key, `GetRoleCredentials` for a sign-in, …
  case token
}

/// A session that AWS issued, without its secrets.
public struct SessionRecord: Sendable, Hashable {
  /// `ses_…`
  public var id: String
  public var profile: String
  public var kind: SessionKind
  /// A digest of all parameters, so that a changed profile is not served an old session.
  public var fingerprint: String
  public var roleARN: String?
  public var roleSessionName: String?
  public var sourceIdentity: String?
  public var accessKeyId: String
  public var issuedAt: Timestamp
  public var expiresAt: Timestamp
  public var endedAt: Timestamp?
  public var endReason: SessionEnd?
  public var replacedBy: String?
  public var deliveries: Int64
  public var lastUsedAt: Timestamp?
  /// What it was narrowed to, as the audit log shows it (JSON); nil for the profile's own.
  public var scope: String?

  public init(
    id: String, profile: String, kind: SessionKind, fingerprint: String, roleARN: String?, roleSessionName: String?,
    sourceIdentity: String?, accessKeyId: String, issuedAt: Timestamp, expiresAt: Timestamp, endedAt: Timestamp? = nil,
    endReason: SessionEnd? = nil, replacedBy: String? = nil, deliveries: Int64 = 0, lastUsedAt: Timestamp? = nil,
    scope: String? = nil
  ) {
    self.id = id
    self.profile = profile
    self.kind = kind
    self.fingerprint = fingerprint
    self.roleARN = roleARN
    self.roleSessionName = roleSessionName
    self.sourceIdentity = sourceIdentity
    self.accessKeyId = accessKeyId
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.endedAt = endedAt
    self.endReason = endReason
    self.replacedBy = replacedBy
    self.deliveries = deliveries
    self.lastUsedAt = lastUsedAt
    self.scope = scope
  }

  /// When the session should be renewed: a one-hour session with 20 minutes left, a longer one with a third of its life left (at
  /// most 30 minutes), one shorter than 40 minutes at half its life (architecture, "Time").
  public var renewsAt: Timestamp {
    let life = expiresAt.since(issuedAt)
    let lead: Int64
    if life < 40 * 60_000 {
      lead = life / 2
    } else if life <= 3_600_000 {
      lead = 20 * 60_000
    } else {
      lead = min(life / 3, 30 * 60_000)
    }
    return expiresAt.adding(milliseconds: -lead)
  }

  /// The state at a given time, as far as it depends on the clock.
  public func state(at now: Timestamp) -> SessionState {
    if endedAt != nil { return endReason == .expired ? .expired : .none }
    if now >= expiresAt { return .expired }
    return now >= renewsAt ? .due : .fresh
  }
}
