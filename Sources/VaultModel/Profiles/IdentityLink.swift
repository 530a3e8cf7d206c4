/// How a person or a machine proves who it is: the first link of every chain.
public enum IdentityLink: Sendable, Hashable {
  /// Long-lived access keys, sealed in the vault under `name`. `mfaSerial` is set where the keys' own session asks for a code.
  case keys(name: String, accessKeyId: String?, mfaSerial: String?)
  case sso(profile: String, accountId: String, roleName: String, place: SSOSessionConfig)
  /// `AssumeRoleWithWebIdentity`.
  case webIdentity(RoleLink, token: WebIdentityToken)
  /// `AssumeRoleWithSAML`. The provider's ARN is taken from the assertion where the profile does not name it.
  case saml(RoleLink, providerARN: String?, command: String?)
  case process(profile: String, command: String)
  case container
  case instance
  case environment

  /// The values of `credential_source`.
  public static let credentialSources: [(name: String, identity: IdentityLink)] = [
    ("EcsContainer", .container), ("Ec2InstanceMetadata", .instance), ("Environment", .environment),
  ]

  /// What `vault list` calls a profile that has it.
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

  /// Whether what it gives is a role's already, so that the next role is a chained one: Identity Center's, an identity provider's and a
  /// machine's credentials are.
  public var isRole: Bool { ![.keys, .environment, .process].contains(kind) }

  /// The role that it assumes itself, by its call to STS.
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

  /// Where a person signs in for it.
  public var signIn: SSOSessionConfig? { if case .sso(_, _, _, let place) = self { place } else { nil } }

  /// What `vault show` says of it: for a person, and as JSON's fields for a program.
  ///
  /// - Parameter isDelivered: whether no role comes after it. A role's call has the device of the role's profile alone, as in the SDKs.
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

/// Where the token for a web identity comes from, anew at each call.
public enum WebIdentityToken: Sendable, Hashable {
  case file(String)
  /// A command that prints the token.
  case process(String)
  /// GitHub Actions' OIDC provider, by the variables that a job has (`ACTIONS_ID_TOKEN_REQUEST_URL`), for this audience.
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
