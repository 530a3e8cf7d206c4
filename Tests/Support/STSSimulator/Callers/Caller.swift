import SimulatorModel
import VaultModel

/// Credentials that the simulator issued.
struct IssuedSession: Sendable {
  enum Holder: Sendable {
    /// By `GetSessionToken`: the user goes on as before.
    case user(arn: String, mfa: Bool)
    case role(RoleARN, sessionName: String)
    /// By `GetFederationToken`: the user under another name, for everything but IAM and STS.
    case federated(user: String, name: String)
  }

  let holder: Holder
  let accessKeyId: String
  let secretAccessKey: String
  let sessionToken: String
  let issuedAt: Timestamp
  let expiresAt: Timestamp
  /// All session tags.
  let tags: [SessionTag]
  /// Passed on to every session further down the chain.
  let transitiveTags: [SessionTag]
  let sourceIdentity: String?
  /// The policies that the session was limited to, in JSON; nil for none.
  let policies: [String]?
  /// Whether a role's session assumed this one.
  var isChained = false
}

/// Who made a call, once the signature was found right.
struct Caller: Sendable {
  /// `arn:aws:iam::…:user/alice` or `arn:aws:sts::…:assumed-role/NAME/SESSION`
  let arn: String
  let userId: String
  let account: String
  /// What a trust policy names: the user or the role.
  let principal: String
  let isRole: Bool
  /// Whoever has a session may assume a role for an hour only, a user's session from `GetSessionToken` as well as a role's.
  let isTemporary: Bool
  var isFederated = false
  let mfa: Bool
  let session: IssuedSession?
  /// `AIDA…` of a user, `AROA…` of a role.
  var principalId: String? { userId.split(separator: ":").first.map(String.init) }

  init(user: STSWorld.User, session: IssuedSession?, mfa: Bool) {
    arn = user.arn
    account = Self.account(of: user.arn)
    userId = user.arn.hasSuffix(":root") ? account : Identity.userId(user.arn)
    principal = user.arn
    isRole = false
    isTemporary = session != nil
    self.mfa = mfa
    self.session = session
  }

  init(role: RoleARN, sessionName: String, session: IssuedSession) {
    arn = Identity.sessionARN(role, sessionName)
    account = role.account
    userId = "\(Identity.roleId(role.text)):\(sessionName)"
    principal = role.text
    isRole = true
    isTemporary = true
    // What AssumeRole issues carries no word of MFA (IAM User Guide, "Secure API access with MFA").
    mfa = false
    self.session = session
  }

  /// By `GetFederationToken`.
  init(federated name: String, of user: String, session: IssuedSession) {
    account = Self.account(of: user)
    arn = Identity.federatedARN(name, account: account)
    userId = "\(account):\(name)"
    principal = arn
    isRole = false
    isTemporary = true
    isFederated = true
    mfa = false
    self.session = session
  }

  /// The fifth part of an ARN.
  static func account(of arn: String) -> String {
    let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count > 4 ? String(parts[4]) : ""
  }
}
