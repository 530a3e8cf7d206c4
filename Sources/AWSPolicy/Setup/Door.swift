import VaultModel

/// Who asks STS for a role: the caller that the role's trust policy must name.
public enum Door: Sendable, Hashable {
  /// A permission set of IAM Identity Center: the caller is the role `AWSReservedSSO_NAME_…` of the account.
  ///
  /// - Parameter region: the region of Identity Center, a part of that role's path everywhere but in us-east-1.
  case permissionSet(name: String, account: String, region: String)
  /// An IAM user, by its long-term access key. AWS alone knows the user's name (`GetCallerIdentity`).
  case accessKey(profile: String, accessKeyId: String?)
  /// A role that was assumed before (role chaining).
  case role(RoleARN)
  /// A token of an OpenID Connect provider: GitHub Actions, GitLab, Kubernetes (`AssumeRoleWithWebIdentity`).
  case webIdentity(WebIdentityToken)
  /// `AssumeRoleWithSAML`; without a provider's ARN, the assertion names it.
  case saml(providerARN: String?)
  /// The role of an EC2 instance.
  case instance
  /// The role of a container (ECS, EKS).
  case container
  /// The keys of the environment, whoever's they are.
  case environment
  /// The keys that a program prints, whoever's they are.
  case process(command: String)

  /// The caller of the first call of a chain.
  public init(_ identity: IdentityLink) {
    switch identity {
    case .keys(let name, let id, _): self = .accessKey(profile: name, accessKeyId: id)
    case .sso(_, let account, let role, let place): self = .permissionSet(name: role, account: account, region: place.region)
    case .webIdentity(_, let token): self = .webIdentity(token)
    case .saml(_, let provider, _): self = .saml(providerARN: provider)
    case .process(_, let command): self = .process(command: command)
    case .container: self = .container
    case .instance: self = .instance
    case .environment: self = .environment
    }
  }

  /// The STS action by which it gets a role.
  public var action: String {
    switch self {
    case .webIdentity: "sts:AssumeRoleWithWebIdentity"
    case .saml: "sts:AssumeRoleWithSAML"
    default: "sts:AssumeRole"
    }
  }

  /// Why `aws:MultiFactorAuthPresent` is never true for this caller; nil if it can be.
  ///
  /// The key is in the request only for the keys of an IAM user, and for a session that such a user got with a code
  /// (IAM User Guide, "AWS global condition context keys", `aws:MultiFactorAuthPresent`).
  public var noMFA: String? {
    switch self {
    case .accessKey, .environment, .process: nil
    case .permissionSet: NoMFA.identityCenter
    case .role: NoMFA.role
    case .webIdentity: NoMFA.token
    case .saml: "a SAML assertion carries no MFA that AWS knows: require it at the identity provider"
    case .instance, .container: "a machine has no MFA device"
    }
  }

  /// The account of the caller, if the profile says it.
  public var account: String? {
    switch self {
    case .permissionSet(_, let account, _): account
    case .role(let arn): arn.account
    case .saml(let provider?):
      provider.split(separator: ":", omittingEmptySubsequences: false).dropFirst(4).first.map(String.init)
    default: nil
    }
  }
}

/// Why the calls of some callers never carry MFA.
enum NoMFA {
  static let identityCenter =
    "AWS does not see the MFA of a sign-in to IAM Identity Center: require MFA in Identity Center's own settings"
  static let role = "the session of a role carries no MFA, even if a code was given for it"
  static let token = "a token of an OpenID Connect provider carries no MFA that AWS knows"
}
