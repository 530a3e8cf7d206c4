/// Ways to be somebody without an access key: IAM Identity Center, identity providers, and machines.
extension STSWorld {
  /// An IAM Identity Center with one person in it.
  public struct IdentityCenter: Codable, Sendable, Hashable {
    /// An account with its permission sets.
    public struct Account: Codable, Sendable, Hashable {
      public var id: String
      public var name: String
      public var roles: [String]

      public init(id: String, name: String, roles: [String]) {
        self.id = id
        self.name = name
        self.roles = roles
      }
    }

    public var startURL: String
    public var region: String
    public var user: String
    public var accounts: [Account]
    /// Seconds that an access token lives.
    public var tokenSeconds: Int
    /// Seconds that a device code lives.
    public var codeSeconds: Int
    /// Seconds between two questions for a token.
    public var interval: Int
    /// Whether the person says yes at once; else a control call says it.
    public var approves: Bool
    /// Seconds that credentials of a permission set live.
    public var roleSeconds: Int
    /// Calls a second to the portal before it asks to slow down; 0 is no limit.
    public var mostPerSecond: Int
    /// Whether a refresh token is good for more than once, and no other comes with a renewal.
    public var keepsRefreshTokens: Bool?
    /// Where a company's own address for the portal redirects to, by its path below `/vanity/`.
    public var redirects: [String: String]?
    /// The inline policies of each permission set, in JSON. They count where a role has a ``Role/trustPolicy``.
    public var policies: [String: [String]]?
    /// The permissions boundary of a permission set, in JSON.
    public var permissionsBoundaries: [String: String]?
    /// The region's segment in the ARNs of the roles. Those of an instance in us-east-1 have none (IAM Identity Center User
    /// Guide, "Referencing permission sets in resource policies").
    public var roleRegion: String?
    /// The end of the roles' names: another one each time that a role is made again.
    public var roleSuffix: String?

    public init(
      startURL: String = "https://corp.awsapps.com/start", region: String = "us-east-1", user: String = "alice@example.com",
      accounts: [Account], tokenSeconds: Int = 3_600, codeSeconds: Int = 600, interval: Int = 1, approves: Bool = true,
      roleSeconds: Int = 3_600, mostPerSecond: Int = 0, policies: [String: [String]]? = nil, roleRegion: String? = nil,
      roleSuffix: String? = nil
    ) {
      self.startURL = startURL
      self.region = region
      self.user = user
      self.accounts = accounts
      self.tokenSeconds = tokenSeconds
      self.codeSeconds = codeSeconds
      self.interval = interval
      self.approves = approves
      self.roleSeconds = roleSeconds
      self.mostPerSecond = mostPerSecond
      self.policies = policies
      self.roleRegion = roleRegion
      self.roleSuffix = roleSuffix
    }

    /// The role that a permission set is in an account; a trust policy names it.
    public func roleARN(_ account: String, _ role: String) -> String {
      let path = "aws-reserved/sso.amazonaws.com/" + (roleRegion.map { $0 + "/" } ?? "")
      return "arn:aws:iam::\(account):role/\(path)AWSReservedSSO_\(role)_\(roleSuffix ?? "0123456789abcdef")"
    }
  }

  /// A token that an OIDC provider gave out, and whose it is.
  public struct WebIdentity: Codable, Sendable, Hashable {
    public var token: String
    public var subject: String
    /// The roles that trust it, of those without a ``Role/trustPolicy``.
    public var roles: [String]
    /// The provider's host name, which begins its condition keys and ends its ARN; nil for `token.example.com`.
    public var provider: String?
    public var audience: String?

    public init(token: String, subject: String, roles: [String], provider: String? = nil, audience: String? = nil) {
      self.token = token
      self.subject = subject
      self.roles = roles
      self.provider = provider
      self.audience = audience
    }
  }

  /// Credentials of a machine's own role.
  public struct Machine: Codable, Sendable, Hashable {
    public var role: String
    /// What a container must send as `Authorization`; nil for nothing.
    public var containerToken: String?
    /// Seconds.
    public var seconds: Int

    public init(role: String, containerToken: String? = nil, seconds: Int = 3_600) {
      self.role = role
      self.containerToken = containerToken
      self.seconds = seconds
    }
  }
}

/// The body of `POST /_sim/sign-in`: what the person, or an administrator, does.
public struct SignInControl: Codable, Sendable, Hashable {
  public enum Act: String, Codable, Sendable {
    /// Says yes to what waits.
    case approve
    /// Says no to what waits.
    case deny
    /// Ends every sign-in: no token is taken any more.
    case revoke
    /// Ends every access token; refresh tokens are still taken.
    case expire
  }

  public var act: Act

  public init(_ act: Act) { self.act = act }
}

/// The body of `POST /_sim/identity`: puts these in the place of what there is; what is nil stays.
public struct IdentityChange: Codable, Sendable, Hashable {
  public var identityCenter: STSWorld.IdentityCenter?
  public var webIdentities: [STSWorld.WebIdentity]?
  public var machine: STSWorld.Machine?

  public init(
    identityCenter: STSWorld.IdentityCenter? = nil, webIdentities: [STSWorld.WebIdentity]? = nil, machine: STSWorld.Machine? = nil
  ) {
    self.identityCenter = identityCenter
    self.webIdentities = webIdentities
    self.machine = machine
  }
}
