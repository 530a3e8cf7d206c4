import VaultModel

/// A part of an account that was to be read.
public enum Reading<Value: Sendable & Hashable>: Sendable, Hashable {
  case found(Value)
  /// It does not exist.
  case absent
  case unread(Obstacle)

  /// What AWS refuses to show, for the lack of a permission.
  public static func refused(permission: String) -> Reading { .unread(.permission(permission)) }

  public var value: Value? { if case .found(let value) = self { value } else { nil } }
  public var obstacle: Obstacle? { if case .unread(let obstacle) = self { obstacle } else { nil } }
}

/// Why a part of an account could not be read.
public enum Obstacle: Sendable, Hashable {
  /// The permission that is missing.
  case permission(String)
  /// Something else, in words.
  case other(String)

  public var missingPermission: String? { if case .permission(let permission) = self { permission } else { nil } }
}

/// A policy that an identity has.
public struct AttachedPolicy: Sendable, Hashable {
  /// The name of an inline policy, or the ARN of a managed one.
  public var name: String
  /// The document, JSON.
  public var text: String

  public init(name: String, text: String) {
    self.name = name
    self.text = text
  }

  /// Whether AWS maintains it.
  public var isAWSManaged: Bool { name.hasPrefix("arn:") && name.contains(":iam::aws:policy/") }
}

/// A role as it is in the account.
public struct RoleSnapshot: Sendable, Hashable {
  public var arn: String
  /// JSON.
  public var trustPolicy: String
  /// Seconds.
  public var maxSessionDuration: Int
  public var policies: Reading<[AttachedPolicy]>
  /// The services that its policies allow, with whether each was ever used; nil if AWS made no report.
  public var usedServices: Reading<[String: Bool]?>

  public init(
    arn: String, trustPolicy: String, maxSessionDuration: Int, policies: Reading<[AttachedPolicy]>,
    usedServices: Reading<[String: Bool]?>
  ) {
    self.arn = arn
    self.trustPolicy = trustPolicy
    self.maxSessionDuration = maxSessionDuration
    self.policies = policies
    self.usedServices = usedServices
  }
}

/// The caller, with what it may do.
public struct CallerSnapshot: Sendable, Hashable {
  /// The ARN that `GetCallerIdentity` returns.
  public var arn: String
  /// `AIDA…`, or `AROA…:SESSION`.
  public var userId: String
  /// The role of the session, with its path; nil if it could not be read, or the caller is no role.
  public var roleARN: String?
  /// Its user's or role's policies, and those of the user's groups.
  public var policies: Reading<[AttachedPolicy]>
  /// Its permissions boundary; absent if there is none.
  public var boundary: Reading<AttachedPolicy>

  public init(
    arn: String, userId: String, roleARN: String? = nil, policies: Reading<[AttachedPolicy]>, boundary: Reading<AttachedPolicy>
  ) {
    self.arn = arn
    self.userId = userId
    self.roleARN = roleARN
    self.policies = policies
    self.boundary = boundary
  }
}

/// What IAM's policy simulator says about one action of the caller on the role.
public struct SimulatedAction: Sendable, Hashable {
  public var action: String
  public var isAllowed: Bool
  public var isExplicitDeny: Bool
  /// Whether the organization's service control policies allow it; nil if there are none.
  public var isAllowedByOrganization: Bool?
  public var isAllowedByBoundary: Bool?

  public init(
    action: String, isAllowed: Bool, isExplicitDeny: Bool, isAllowedByOrganization: Bool? = nil, isAllowedByBoundary: Bool? = nil
  ) {
    self.action = action
    self.isAllowed = isAllowed
    self.isExplicitDeny = isExplicitDeny
    self.isAllowedByOrganization = isAllowedByOrganization
    self.isAllowedByBoundary = isAllowedByBoundary
  }
}

/// A permission set of IAM Identity Center as it is now, which an account may not have got yet.
public struct PermissionSetSnapshot: Sendable, Hashable {
  /// Whether the role in an account is that of the permission set.
  public enum Provisioning: Sendable, Hashable {
    case latest
    /// The role in the account is that of an earlier version.
    case outdated
    case none
  }

  /// The name under which ``policies`` has the inline policy, of which there is one at most.
  public static let inlinePolicy = "inline policy"

  /// Its policies; those that it refers to only by name are left out, and named in `references`.
  public var policies: Reading<[AttachedPolicy]>
  /// Customer managed policies, by path and name: `/team/name`.
  public var references: [String]
  public var provisioning: Reading<Provisioning>
  /// Who has it in the account: `group My Devs`.
  public var assignees: Reading<[String]>
  /// The name of its permissions boundary; nil if it has none, or it may not be read.
  public var boundary: String?

  public init(
    policies: Reading<[AttachedPolicy]>, references: [String] = [], provisioning: Reading<Provisioning>,
    assignees: Reading<[String]>,
    boundary: String? = nil
  ) {
    self.boundary = boundary
    self.policies = policies
    self.references = references
    self.provisioning = provisioning
    self.assignees = assignees
  }
}

/// The call itself, tried.
public enum AssumeOutcome: Sendable, Hashable {
  case succeeded
  /// In AWS's own words.
  case refused(String)
  case untried(why: String)
}

/// What was read of an account for one call for a role.
public struct AccountSnapshot: Sendable, Hashable {
  /// The caller; a text with the reason if it has no credentials.
  public var caller: Result<CallerSnapshot, NoCaller>
  public var role: Reading<RoleSnapshot>
  public var simulation: Reading<[SimulatedAction]>
  /// For a caller that has a permission set.
  public var permissionSet: Reading<PermissionSetSnapshot>?
  public var outcome: AssumeOutcome

  public init(
    caller: Result<CallerSnapshot, NoCaller>, role: Reading<RoleSnapshot>, simulation: Reading<[SimulatedAction]>,
    permissionSet: Reading<PermissionSetSnapshot>? = nil, outcome: AssumeOutcome
  ) {
    self.caller = caller
    self.role = role
    self.simulation = simulation
    self.permissionSet = permissionSet
    self.outcome = outcome
  }

  /// Why there are no credentials of the caller, in AWS's own words.
  public struct NoCaller: Error, Sendable, Hashable {
    public var why: String
    public init(why: String) { self.why = why }
  }
}
