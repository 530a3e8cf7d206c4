/// What a policy document is attached to, with IAM's limits for it.
public enum PolicyKind: Sendable, Hashable, CaseIterable {
  /// A role's `AssumeRolePolicyDocument`.
  case trust
  /// A customer managed policy.
  case managed
  /// A role's inline policies, all of them together.
  case roleInline
  /// The inline policy of a permission set.
  case permissionSetInline
  /// The `Policy` of an `AssumeRole`.
  case session

  /// The most characters, white space not counted (IAM User Guide, "IAM and AWS STS quotas"; SSO Admin API,
  /// `PermissionSetPolicyDocument`). A trust policy's limit can be raised to 4,096 on request.
  public var maxCharacters: Int {
    switch self {
    case .trust: 2_048
    case .managed: 6_144
    case .roleInline: 10_240
    case .permissionSetInline: 32_768
    case .session: 2_048
    }
  }

  /// Whether its statements name principals, and no resources.
  public var hasPrincipal: Bool { self == .trust }

  /// The kind as a noun, for an error.
  public var noun: String {
    switch self {
    case .trust: "a trust policy"
    case .managed: "a managed policy"
    case .roleInline: "a role's inline policy"
    case .permissionSetInline: "a permission set's inline policy"
    case .session: "a session policy"
    }
  }
}
