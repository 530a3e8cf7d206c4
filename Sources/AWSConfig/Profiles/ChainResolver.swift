import VaultModel

/// Resolves the path from a profile to its credentials without any call: loops and gaps are found first.
public struct ChainResolver {
  /// The maximum number of roles in a chain.
  public static let maxChainLength = 16

  let lookup: (SectionKind, String) -> ConfigSection?
  let endpoints: EndpointResolver
  let identities: IdentityReader
  private var regions: RegionRule { RegionRule(endpoints: endpoints) }

  /// - Parameters:
  ///   - lookup: the section of a kind and name.
  ///   - environment: the value of a variable.
  public init(lookup: @escaping (SectionKind, String) -> ConfigSection?, environment: @escaping (String) -> String?) {
    self.lookup = lookup
    endpoints = EndpointResolver(lookup: lookup, environment: environment)
    identities = IdentityReader(lookup: lookup, endpoints: endpoints)
  }

  /// - Throws: the first obstacle between the profile and its credentials.
  public func chain(for name: String) throws(ConfigError) -> CredentialChain {
    try chain(for: try settings(of: name, namedAt: nil))
  }

  private func chain(for leaf: ProfileSettings) throws(ConfigError) -> CredentialChain {
    let name = leaf.name
    let endpoint = try endpoints.settings(leaf)
    let region = try endpoints.region(leaf, leaf: leaf)
    var roles: [RoleLink] = []
    var visited: [ProfileSettings] = []
    var current = leaf
    while true {
      visited.append(current)
      let step = try nextStep(of: current, leaf: leaf)
      let identity: IdentityLink
      switch step {
      case .identity(let link):
        identity = link
      case .role(let source):
        guard roles.count < Self.maxChainLength else { throw ConfigError.tooLong(profile: name, limit: Self.maxChainLength) }
        let link = RoleParameters(profile: current)
        if roles.isEmpty {
          roles.append(try link.link(region: region, endpoint: endpoint))
        } else {
          roles.append(
            try link.link(region: try endpoints.region(current, leaf: leaf), endpoint: try endpoints.settings(current)))
        }
        switch source {
        case .identity(let link): identity = link
        case .profile(let next, let origin):
          if let start = visited.firstIndex(where: { $0.name == next }) {
            throw ConfigError.loop(profiles: visited[start...].map(\.name) + [next], setting: "source_profile", origin: origin)
          }
          current = try settings(of: next, namedAt: origin)
          continue
        }
      }
      let chain = CredentialChain(
        profile: name, identity: identity, roles: roles.reversed(), region: region, endpoint: endpoint,
        mfaProcess: leaf.text("mfa_process"), rotation: try Self.rotation(of: leaf))
      return try regions.placed(chain, over: visited)
    }
  }

  /// When a profile's sessions are renewed automatically: settings of vault's own.
  private static func rotation(of profile: ProfileSettings) throws(ConfigError) -> RotationRule {
    var rule = RotationRule.default
    if let setting = profile["rotation"] {
      guard let mode = setting.text.flatMap({ RotationRule.Mode(rawValue: $0.lowercased()) }) else {
        throw ConfigError.invalid(setting: "rotation", origin: setting.origin, expected: "always, used or off")
      }
      rule.mode = mode
    }
    if let setting = profile["rotation_idle"] {
      guard let seconds = setting.text.flatMap({ SessionDuration.seconds($0) }), (60...30 * 86_400).contains(seconds) else {
        throw ConfigError.invalid(setting: "rotation_idle", origin: setting.origin, expected: "a duration, such as 8h")
      }
      rule.idle = Int64(seconds)
    }
    return rule
  }

  /// The profile as `vault list` shows it. A problem is reported in `problem`.
  public func summary(for name: String) -> ProfileSummary {
    do {
      let leaf = try settings(of: name, namedAt: nil)
      let chain = try chain(for: leaf)
      let isRole = chain.roles.last?.profile == name
      return ProfileSummary(
        name: name, kind: isRole ? .assumeRole : chain.identity.kind,
        roleARN: (isRole ? chain.roles.last : chain.identity.role)?.roleARN.text,
        source: isRole ? leaf.text("source_profile") ?? leaf.text("credential_source") : nil, region: chain.region,
        signIn: chain.identity.signIn?.name, rotation: chain.rotation.mode)
    } catch {
      let own = lookup(.profile, name)
      return ProfileSummary(
        name: name, kind: nil, roleARN: own?.text("role_arn"),
        source: own?.text("source_profile") ?? own?.text("credential_source"),
        region: own?.text("region"), problem: name == "default" && error.isSettingsOnly ? nil : error.message)
    }
  }

  /// The sign-in of `vault login NAME`: the `sso-session` of that name, or the one that the profile of that name uses.
  ///
  /// - Throws: if neither exists, or the profile does not use IAM Identity Center.
  public func signInPlace(named name: String) throws(ConfigError) -> SSOSessionConfig {
    if let session = lookup(.ssoSession, name) {
      let nobody = try ProfileSettings(ConfigSection(kind: .profile, name: name, settings: []), lookup: lookup)
      let origin = session.settings.first?.origin ?? SettingOrigin(file: "environment", line: 0)
      return try identities.place(of: session, profile: nobody, at: origin)
    }
    let leaf = try settings(of: name, namedAt: nil)
    // A profile may be for a token only, without an account and a role.
    if leaf.saysSSO, leaf["role_arn"] == nil { return try identities.place(of: leaf) }
    if let place = try chain(for: leaf).identity.signIn { return place }
    throw ConfigError.incomplete(
      profile: name, origin: leaf.section.settings.first?.origin, problem: "does not use IAM Identity Center",
      expected: "name an sso-session, or a profile that has one")
  }

  /// The endpoint of a service for a profile; if there is no such profile, from the environment alone.
  public func endpoint(of name: String, _ service: Service) throws(ConfigError) -> EndpointSettings {
    let section = lookup(.profile, name) ?? ConfigSection(kind: .profile, name: name, settings: [])
    return try endpoints.settings(try ProfileSettings(section, lookup: lookup), service)
  }

  /// The settings of a profile, including those that it inherits.
  func settings(of name: String, namedAt origin: SettingOrigin?) throws(ConfigError) -> ProfileSettings {
    guard let section = lookup(.profile, name) else { throw ConfigError.noSuchProfile(name: name, namedAt: origin) }
    return try ProfileSettings(section, lookup: lookup)
  }

  private enum Step {
    case identity(IdentityLink)
    case role(Source)
  }

  private enum Source {
    case identity(IdentityLink)
    case profile(String, origin: SettingOrigin)
  }

  /// - Parameter leaf: the requested profile. If another profile led here, access keys come before a role.
  private func nextStep(of profile: ProfileSettings, leaf: ProfileSettings) throws(ConfigError) -> Step {
    let isSource = profile.name != leaf.name
    guard let roleARN = profile["role_arn"], !(isSource && profile.saysAccessKeys) else {
      return .identity(try identities.identity(of: profile, keysFirst: isSource))
    }
    let source = profile["source_profile"]
    let credentialSource = profile["credential_source"]
    if source != nil, let credentialSource {
      throw ConfigError.incomplete(
        profile: profile.name, origin: credentialSource.origin, problem: "has both source_profile and credential_source",
        expected: "remove one of the two")
    }
    if let source {
      guard let next = source.text else {
        throw ConfigError.invalid(setting: "source_profile", origin: source.origin, expected: "the name of a profile")
      }
      // A profile may be its own source if it has access keys.
      if next == profile.name, profile.saysAccessKeys { return .role(.identity(try identities.keys(of: profile))) }
      return .role(.profile(next, origin: source.origin))
    }
    if let credentialSource { return .role(.identity(try identities.named(credentialSource))) }
    let federated = try identities.federated(profile) { () throws(ConfigError) -> RoleLink in
      try RoleParameters(profile: profile).link(
        region: try endpoints.region(profile, leaf: leaf), endpoint: try endpoints.settings(profile))
    }
    if let federated { return .identity(federated) }
    throw ConfigError.incomplete(
      profile: profile.name, origin: roleARN.origin, problem: "has a role_arn, but no source to assume the role with",
      expected: "add source_profile, credential_source, web_identity_token_file or saml_process")
  }
}
