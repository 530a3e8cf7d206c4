/// The AWS that the simulator plays: who exists, which keys they have, and who trusts whom.
///
/// In JSON everything that has a default may be left out.
public struct STSWorld: Codable, Sendable, Hashable {
  public var users: [User]
  public var roles: [Role]
  /// The regions that a signature may be scoped to; the first is the one that an endpoint without a region has.
  public var regions: [String]
  /// What the simulator starts with; ``STSSettings`` can be changed while it runs.
  public var settings: STSSettings
  public var identityCenter: IdentityCenter?
  public var webIdentities: [WebIdentity]
  /// ARNs of SAML providers that vouch for anybody in an assertion of theirs.
  public var samlProviders: [String]
  public var machine: Machine?
  /// What may be read of the account; nil for nothing.
  public var account: Account?
  /// The service control policies over every account, in JSON: one of them must allow, and none may deny. nil for no organization.
  public var serviceControlPolicies: [String]?
  /// `aws:PrincipalOrgID` of everybody.
  public var organization: String?
  /// Managed policies by ARN, in JSON, for a call's `PolicyArns`. One that is not here allows nothing.
  public var managedPolicies: [String: String]?

  public init(
    users: [User] = [], roles: [Role] = [], regions: [String] = ["us-east-1", "eu-central-1", "eu-west-1"],
    settings: STSSettings = STSSettings(), identityCenter: IdentityCenter? = nil, webIdentities: [WebIdentity] = [],
    samlProviders: [String] = [], machine: Machine? = nil, serviceControlPolicies: [String]? = nil, organization: String? = nil,
    managedPolicies: [String: String]? = nil
  ) {
    self.identityCenter = identityCenter
    self.webIdentities = webIdentities
    self.samlProviders = samlProviders
    self.machine = machine
    self.serviceControlPolicies = serviceControlPolicies
    self.organization = organization
    self.managedPolicies = managedPolicies
    self.users = users
    self.roles = roles
    self.regions = regions
    self.settings = settings
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let standard = STSWorld()
    users = try values.decodeIfPresent([User].self, forKey: .users) ?? []
    roles = try values.decodeIfPresent([Role].self, forKey: .roles) ?? []
    regions = try values.decodeIfPresent([String].self, forKey: .regions) ?? standard.regions
    settings = try values.decodeIfPresent(STSSettings.self, forKey: .settings) ?? standard.settings
    identityCenter = try values.decodeIfPresent(IdentityCenter.self, forKey: .identityCenter)
    webIdentities = try values.decodeIfPresent([WebIdentity].self, forKey: .webIdentities) ?? []
    samlProviders = try values.decodeIfPresent([String].self, forKey: .samlProviders) ?? []
    machine = try values.decodeIfPresent(Machine.self, forKey: .machine)
    account = try values.decodeIfPresent(Account.self, forKey: .account)
    serviceControlPolicies = try values.decodeIfPresent([String].self, forKey: .serviceControlPolicies)
    organization = try values.decodeIfPresent(String.self, forKey: .organization)
    managedPolicies = try values.decodeIfPresent([String: String].self, forKey: .managedPolicies)
  }

  /// The user of that name, to read or to change.
  public subscript(user name: String) -> User? {
    get { users.first { $0.name == name } }
    set {
      users.removeAll { $0.name == name }
      if let newValue { users.append(newValue) }
    }
  }

  /// The role of that ARN, to read or to change.
  public subscript(role arn: String) -> Role? {
    get { roles.first { $0.arn == arn } }
    set {
      roles.removeAll { $0.arn == arn }
      if let newValue { roles.append(newValue) }
    }
  }
}

extension STSWorld {
  /// A long-lived access key.
  public struct AccessKey: Codable, Sendable, Hashable {
    public var id: String
    public var secret: String
    public var active: Bool

    public init(id: String, secret: String, active: Bool = true) {
      self.id = id
      self.secret = secret
      self.active = active
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      id = try values.decode(String.self, forKey: .id)
      secret = try values.decode(String.self, forKey: .secret)
      active = try values.decodeIfPresent(Bool.self, forKey: .active) ?? true
    }
  }

  /// A user's MFA device. Each code is taken once.
  public struct MFADevice: Codable, Sendable, Hashable {
    public var serial: String
    /// The seed in base 32, for codes by time (RFC 6238: SHA-1, 30 seconds, 6 digits).
    public var totpSecret: String?
    /// Codes that are taken at any time.
    public var codes: [String]

    public init(serial: String, totpSecret: String? = nil, codes: [String] = []) {
      self.serial = serial
      self.totpSecret = totpSecret
      self.codes = codes
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      serial = try values.decode(String.self, forKey: .serial)
      totpSecret = try values.decodeIfPresent(String.self, forKey: .totpSecret)
      codes = try values.decodeIfPresent([String].self, forKey: .codes) ?? []
    }
  }

  /// An IAM user.
  public struct User: Codable, Sendable, Hashable {
    /// `arn:aws:iam::ACCOUNT:user/[PATH/]NAME`, or `arn:aws:iam::ACCOUNT:root`.
    public var arn: String
    public var accessKeys: [AccessKey]
    public var mfaDevices: [MFADevice]
    /// The user's policy: ARNs of roles, with `*` for any text. It allows `sts:AssumeRole` with tags and a source identity.
    public var mayAssume: [String]
    /// Other policies of the user, in JSON. They count where a role has a ``Role/trustPolicy``.
    public var policies: [String]?
    /// The user's permissions boundary, in JSON.
    public var permissionsBoundary: String?

    public var name: String { arn.split(whereSeparator: { $0 == "/" || $0 == ":" }).last.map(String.init) ?? arn }

    public init(
      arn: String, accessKeys: [AccessKey], mfaDevices: [MFADevice] = [], mayAssume: [String] = [], policies: [String]? = nil,
      permissionsBoundary: String? = nil
    ) {
      self.arn = arn
      self.accessKeys = accessKeys
      self.mfaDevices = mfaDevices
      self.mayAssume = mayAssume
      self.policies = policies
      self.permissionsBoundary = permissionsBoundary
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      arn = try values.decode(String.self, forKey: .arn)
      accessKeys = try values.decodeIfPresent([AccessKey].self, forKey: .accessKeys) ?? []
      mfaDevices = try values.decodeIfPresent([MFADevice].self, forKey: .mfaDevices) ?? []
      mayAssume = try values.decodeIfPresent([String].self, forKey: .mayAssume) ?? []
      policies = try values.decodeIfPresent([String].self, forKey: .policies)
      permissionsBoundary = try values.decodeIfPresent(String.self, forKey: .permissionsBoundary)
    }
  }

  /// An IAM role with its trust policy.
  public struct Role: Codable, Sendable, Hashable {
    /// `arn:aws:iam::ACCOUNT:role/[PATH/]NAME`
    public var arn: String
    /// Whom the role trusts: ARNs of users, of roles, of role sessions, or of an account (`arn:aws:iam::ACCOUNT:root`).
    public var trusts: [String]
    /// The trust policy's `sts:ExternalId`.
    public var externalId: String?
    /// The trust policy's `aws:MultiFactorAuthPresent`.
    public var requiresMFA: Bool
    /// The trust policy's `sts:SourceIdentity` must be there.
    public var requiresSourceIdentity: Bool
    /// Whether the trust policy allows `sts:TagSession`.
    public var allowsTags: Bool
    /// Whether the trust policy allows `sts:SetSourceIdentity`.
    public var allowsSourceIdentity: Bool
    /// Seconds, 3,600 to 43,200.
    public var maxSessionDuration: Int
    /// The role's own policy: ARNs of roles, with `*` for any text.
    public var mayAssume: [String]
    /// The trust policy in JSON. Where there is one, the policies of both sides decide, and what is said above about trust does not
    /// count.
    public var trustPolicy: String?
    /// Other policies of the role, in JSON. They count where the role that its session assumes has a trust policy.
    public var policies: [String]?
    /// The role's permissions boundary, in JSON.
    public var permissionsBoundary: String?

    public init(
      arn: String, trusts: [String] = [], externalId: String? = nil, requiresMFA: Bool = false,
      requiresSourceIdentity: Bool = false,
      allowsTags: Bool = true, allowsSourceIdentity: Bool = true, maxSessionDuration: Int = 3_600, mayAssume: [String] = [],
      trustPolicy: String? = nil, policies: [String]? = nil, permissionsBoundary: String? = nil
    ) {
      self.arn = arn
      self.trusts = trusts
      self.externalId = externalId
      self.requiresMFA = requiresMFA
      self.requiresSourceIdentity = requiresSourceIdentity
      self.allowsTags = allowsTags
      self.allowsSourceIdentity = allowsSourceIdentity
      self.maxSessionDuration = maxSessionDuration
      self.mayAssume = mayAssume
      self.trustPolicy = trustPolicy
      self.policies = policies
      self.permissionsBoundary = permissionsBoundary
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      arn = try values.decode(String.self, forKey: .arn)
      trustPolicy = try values.decodeIfPresent(String.self, forKey: .trustPolicy)
      policies = try values.decodeIfPresent([String].self, forKey: .policies)
      permissionsBoundary = try values.decodeIfPresent(String.self, forKey: .permissionsBoundary)
      // A role without either would trust nobody by oversight.
      trusts = try trustPolicy == nil ? values.decode([String].self, forKey: .trusts) : []
      externalId = try values.decodeIfPresent(String.self, forKey: .externalId)
      requiresMFA = try values.decodeIfPresent(Bool.self, forKey: .requiresMFA) ?? false
      requiresSourceIdentity = try values.decodeIfPresent(Bool.self, forKey: .requiresSourceIdentity) ?? false
      allowsTags = try values.decodeIfPresent(Bool.self, forKey: .allowsTags) ?? true
      allowsSourceIdentity = try values.decodeIfPresent(Bool.self, forKey: .allowsSourceIdentity) ?? true
      maxSessionDuration = try values.decodeIfPresent(Int.self, forKey: .maxSessionDuration) ?? 3_600
      mayAssume = try values.decodeIfPresent([String].self, forKey: .mayAssume) ?? []
    }
  }
}
