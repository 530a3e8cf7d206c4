/// The identity of a person or a machine: the first link of every chain.
public enum IdentityLink: Sendable, Hashable {
  /// Long-term access keys, sealed in the vault under `name`. `mfaSerial` is set if the keys' own session requires a code.
  case keys(name: String, accessKeyId: String?, mfaSerial: String?)
  case sso(profile: String, accountId: String, roleName: String, place: SSOSessionConfig)
  /// `AssumeRoleWithWebIdentity`.
  case webIdentity(RoleLink, token: WebIdentityToken)
  /// `AssumeRoleWithSAML`. The provider's ARN comes from the assertion if the profile does not name it.
  case saml(RoleLink, providerARN: String?, command: String?)
  case process(profile: String, command: String)
  case container
  case instance
  case environment

  /// The values of `credential_source`.
  public static let credentialSources: [(name: String, identity: IdentityLink)] = [
    ("EcsContainer", .container), ("Ec2InstanceMetadata", .instance), ("Environment", .environment),
  ]

  /// The kind that `vault list` shows for a profile with this identity.
  public var kind: ProfileKind {
    switch self {
    case .keys: .keys
    case .sso: .sso
    case .webIdentity: .webIdentity
    case .saml: .saml
    case .process: .process
    case .container, .instance: .container
    case .environment: .environment
    }
  }

  /// Whether its credentials are already a role's, so that the next role is chained: true for Identity Center, identity providers
  /// and machines.
  public var isRole: Bool { ![.keys, .environment, .process].contains(kind) }

  /// The role that the identity assumes with its own call to STS.
  public var role: RoleLink? {
    get {
      switch self {
      case .webIdentity(let role, _), .saml(let role, _, _): role
      default: nil
      }
    }
    set {
      switch (self, newValue) {
      case (.webIdentity(_, let token), let role?): self = .webIdentity(role, token: token)
      case (.saml(_, let provider, let command), let role?): self = .saml(role, providerARN: provider, command: command)
      default: break
      }
    }
  }

  /// The profile that has its settings; nil if no profile has.
  public var profile: String? {
    switch self {
    case .sso(let profile, _, _, _), .process(let profile, _): profile
    default: role?.profile
    }
  }

  /// The sign-in that it needs.
  public var signIn: SSOSessionConfig? { if case .sso(_, _, _, let place) = self { place } else { nil } }

  /// The identity as `vault show` prints it: text for a person, and JSON fields for a program.
  ///
  /// - Parameter isDelivered: whether no role follows it. A role's call uses only the MFA device of the role's profile, as in the
  ///   SDKs.
  public func description(isDelivered: Bool) -> (text: String, fields: [(name: String, value: String?)]) {
    switch self {
    case .keys(let name, let id, let serial):
      let device = isDelivered ? serial : nil
      return (
        "access key \(name) \(id ?? "")" + (device.map { "  MFA \($0)" } ?? ""),
        [("kind", "keys"), ("accessKeyId", id), ("accountId", nil), ("mfaSerial", device)]
      )
    case .sso(_, let account, let role, let place):
      return (
        "IAM Identity Center \(place.startURL), account \(account), permission set \(role)",
        [
          ("kind", "sso"), ("accountId", account), ("roleName", role), ("startUrl", place.startURL), ("region", place.region),
          ("ssoSession", place.isSession ? place.name : nil),
        ]
      )
    case .webIdentity(let role, let token):
      let token = token.description
      return (
        "web identity \(token.text) for \(role.roleARN.text)",
        [("kind", "web-identity"), ("roleArn", role.roleARN.text)] + token.fields
          + [("roleSessionName", role.roleSessionName?.text)]
      )
    case .saml(let role, let provider, let command):
      return (
        "SAML assertion of \(command ?? "standard input") for \(role.roleARN.text)",
        [("kind", "saml"), ("roleArn", role.roleARN.text), ("providerArn", provider), ("command", command)]
      )
    case .process(_, let command): return ("command \(command)", [("kind", "process"), ("command", command)])
    case .container: return ("container endpoint", [("kind", "container")])
    case .instance: return ("instance metadata", [("kind", "instance")])
    case .environment: return ("environment", [("kind", "environment")])
    }
  }
}

/// The source of a web identity token, read again for each call.
public enum WebIdentityToken: Sendable, Hashable {
  case file(String)
  /// A command that prints the token.
  case process(String)
  /// GitHub Actions' OIDC provider, found by the variables of a job (`ACTIONS_ID_TOKEN_REQUEST_URL`), for this audience.
  case gitHubActions(audience: String)

  fileprivate var description: (text: String, fields: [(name: String, value: String?)]) {
    switch self {
    case .file(let file): (file, [("tokenFile", file)])
    case .process(let command): ("of the command \(command)", [("tokenFile", nil), ("tokenCommand", command)])
    case .gitHubActions(let audience):
      ("of GitHub Actions for \(audience)", [("tokenFile", nil), ("tokenSource", "GitHubActions"), ("audience", audience)])
    }
  }
}
