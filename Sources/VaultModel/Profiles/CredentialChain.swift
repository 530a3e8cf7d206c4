/// The path from an identity to a profile's credentials: the identity first, then one role after another.
public struct CredentialChain: Sendable, Hashable {
  /// The requested profile.
  public var profile: String
  public var identity: IdentityLink
  /// In the order in which they are assumed. Empty if the profile uses the identity's own credentials.
  public var roles: [RoleLink]
  public var region: String?
  public var endpoint: EndpointSettings
  /// The requested profile's own `mfa_process`.
  public var mfaProcess: String?
  public var rotation: RotationRule

  public init(
    profile: String, identity: IdentityLink, roles: [RoleLink], region: String?, endpoint: EndpointSettings,
    mfaProcess: String? = nil, rotation: RotationRule = .default
  ) {
    self.mfaProcess = mfaProcess
    self.rotation = rotation
    self.profile = profile
    self.identity = identity
    self.roles = roles
    self.region = region
    self.endpoint = endpoint
  }
}

extension CredentialChain {
  /// The partition in which the chain's credentials are valid; nil if unknown.
  public var partition: Partition? {
    if let role = roles.last ?? identity.role { return Partition(rawValue: role.roleARN.partition) }
    return identity.signIn.map { Partition(region: $0.region) }
  }
}

/// The IAM Identity Center configuration of a sign-in.
public struct SSOSessionConfig: Sendable, Hashable {
  /// The name of the `sso-session`, or the start URL if the profile has it itself: all profiles with this name share one sign-in.
  public var name: String
  public var startURL: String
  public var region: String
  /// `sso_registration_scopes`. Empty in the older form, which has no refresh token.
  public var scopes: [String]
  public var isSession: Bool
  /// The endpoints of the OIDC service and the portal.
  public var oidc: EndpointSettings
  public var portal: EndpointSettings

  public init(
    name: String, startURL: String, region: String, scopes: [String], isSession: Bool,
    oidc: EndpointSettings = EndpointSettings(), portal: EndpointSettings = EndpointSettings()
  ) {
    self.name = name
    self.startURL = startURL
    self.region = region
    self.scopes = scopes
    self.isSession = isSession
    self.oidc = oidc
    self.portal = portal
  }
}

/// One `AssumeRole` with all its parameters from the profile.
public struct RoleLink: Sendable, Hashable {
  /// The profile that names the role.
  public var profile: String
  public var roleARN: RoleARN
  public var roleSessionName: RoleSessionName?
  public var externalId: String?
  public var mfaSerial: String?
  /// A command that prints the code of the MFA device (aws-vault's `mfa_process`).
  public var mfaProcess: String?
  public var duration: SessionDuration?
  public var sourceIdentity: String?
  public var tags: [SessionTag]
  public var transitiveTagKeys: [String]
  /// A session policy, JSON.
  public var policy: String?
  public var policyARNs: [String]
  /// The region and endpoint for this call, from the profile with the role.
  public var region: String?
  public var endpoint: EndpointSettings

  public init(
    profile: String, roleARN: RoleARN, roleSessionName: RoleSessionName? = nil, externalId: String? = nil,
    mfaSerial: String? = nil, mfaProcess: String? = nil,
    duration: SessionDuration? = nil, sourceIdentity: String? = nil, tags: [SessionTag] = [], transitiveTagKeys: [String] = [],
    policy: String? = nil, policyARNs: [String] = [], region: String? = nil, endpoint: EndpointSettings = EndpointSettings()
  ) {
    self.profile = profile
    self.roleARN = roleARN
    self.roleSessionName = roleSessionName
    self.externalId = externalId
    self.mfaSerial = mfaSerial
    self.mfaProcess = mfaProcess
    self.duration = duration
    self.sourceIdentity = sourceIdentity
    self.tags = tags
    self.transitiveTagKeys = transitiveTagKeys
    self.policy = policy
    self.policyARNs = policyARNs
    self.region = region
    self.endpoint = endpoint
  }
}

/// A session tag (STS API, `Tag`: key 1 to 128 characters, value 0 to 256).
public struct SessionTag: Sendable, Hashable {
  public var key: String
  public var value: String

  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }
}

/// The STS endpoint settings of a profile, its `services` section and the environment.
public struct EndpointSettings: Sendable, Hashable {
  /// A URL that replaces AWS's own (`AWS_ENDPOINT_URL_STS`, `services`' `sts.endpoint_url`, `endpoint_url`).
  public var url: String?
  public var useFIPS: Bool
  public var useDualStack: Bool
  /// `sts_regional_endpoints = legacy`: the global endpoint for the older regions.
  public var legacyGlobal: Bool
  public var caBundle: String?
  /// The variable that set `url`; nil if a file or the vault itself did.
  public var urlVariable: String?
  /// The variable that set `caBundle`; nil if a file did.
  public var caBundleVariable: String?

  public init(
    url: String? = nil, useFIPS: Bool = false, useDualStack: Bool = false, legacyGlobal: Bool = false, caBundle: String? = nil,
    urlVariable: String? = nil, caBundleVariable: String? = nil
  ) {
    self.urlVariable = urlVariable
    self.caBundleVariable = caBundleVariable
    self.url = url
    self.useFIPS = useFIPS
    self.useDualStack = useDualStack
    self.legacyGlobal = legacyGlobal
    self.caBundle = caBundle
  }
}
