/// The way from an identity to a profile's credentials: an identity first, then one role after the other.
public struct CredentialChain: Sendable, Hashable {
  /// The profile that was asked for.
  public var profile: String
  public var identity: IdentityLink
  /// In the order in which they are assumed. Empty where the identity's own credentials are the profile's.
  public var roles: [RoleLink]
  public var region: String?
  public var endpoint: EndpointSettings

  public init(profile: String, identity: IdentityLink, roles: [RoleLink], region: String?, endpoint: EndpointSettings) {
    self.profile = profile
    self.identity = identity
    self.roles = roles
    self.region = region
    self.endpoint = endpoint
  }
}

/// How a person or a machine proves who it is: the first link of every chain.
public enum IdentityLink: Sendable, Hashable {
  /// Long-lived access keys, sealed in the vault under `name`. `mfaSerial` is set where the keys' own session asks for a code.
  case keys(name: String, accessKeyId: String?, mfaSerial: String?)
  case sso(profile: String, accountId: String, roleName: String, startURL: String, region: String, session: String?)
  case webIdentity(profile: String, roleARN: RoleARN, tokenFile: String, roleSessionName: String?)
  case process(profile: String, command: String)
  /// `credential_source`: `EcsContainer`, `Ec2InstanceMetadata` or `Environment`.
  case container
  case instance
  case environment
}

/// One `AssumeRole`, with everything that the profile says about it.
public struct RoleLink: Sendable, Hashable {
  /// The profile that names the role.
  public var profile: String
  public var roleARN: RoleARN
  public var roleSessionName: RoleSessionName?
  public var externalId: String?
  public var mfaSerial: String?
  public var duration: SessionDuration?
  public var sourceIdentity: String?
  public var tags: [SessionTag]
  public var transitiveTagKeys: [String]
  /// A session policy, JSON.
  public var policy: String?
  public var policyARNs: [String]
  /// The region and endpoint for this call, as the profile with the role says.
  public var region: String?
  public var endpoint: EndpointSettings

  public init(
    profile: String, roleARN: RoleARN, roleSessionName: RoleSessionName? = nil, externalId: String? = nil,
    mfaSerial: String? = nil,
    duration: SessionDuration? = nil, sourceIdentity: String? = nil, tags: [SessionTag] = [], transitiveTagKeys: [String] = [],
    policy: String? = nil, policyARNs: [String] = [], region: String? = nil, endpoint: EndpointSettings = EndpointSettings()
  ) {
    self.profile = profile
    self.roleARN = roleARN
    self.roleSessionName = roleSessionName
    self.externalId = externalId
    self.mfaSerial = mfaSerial
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

/// What a profile, its `services` section and the environment say about where STS is.
public struct EndpointSettings: Sendable, Hashable {
  /// A URL that takes the place of AWS's own (`AWS_ENDPOINT_URL_STS`, `services`' `sts.endpoint_url`, `endpoint_url`).
  public var url: String?
  public var useFIPS: Bool
  public var useDualStack: Bool
  /// `sts_regional_endpoints = legacy`: the global endpoint for the older regions.
  public var legacyGlobal: Bool
  public var caBundle: String?

  public init(
    url: String? = nil, useFIPS: Bool = false, useDualStack: Bool = false, legacyGlobal: Bool = false, caBundle: String? = nil
  ) {
    self.url = url
    self.useFIPS = useFIPS
    self.useDualStack = useDualStack
    self.legacyGlobal = legacyGlobal
    self.caBundle = caBundle
  }
}
