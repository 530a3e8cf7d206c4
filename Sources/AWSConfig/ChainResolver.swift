import VaultModel

/// Works out the way from a profile to its credentials, without asking anyone: loops and gaps are found before any call.
public struct ChainResolver {
  /// The roles that one chain may have.
  public static let longestChain = 16

  let lookup: (SectionKind, String) -> ConfigSection?
  let endpoints: EndpointResolver
  let identities: IdentityReader

  /// - Parameters:
  ///   - lookup: the section of that kind and name.
  ///   - environment: the value of a variable.
  public init(lookup: @escaping (SectionKind, String) -> ConfigSection?, environment: @escaping (String) -> String?) {
    self.lookup = lookup
    endpoints = EndpointResolver(lookup: lookup, environment: environment)
    identities = IdentityReader(lookup: lookup)
  }

  /// - Throws: the first thing that stands between the profile and its credentials.
  public func chain(for name: String) throws(ConfigError) -> CredentialChain {
    try chain(for: try settings(of: name, namedAt: nil))
  }

  private func chain(for leaf: ProfileSettings) throws(ConfigError) -> CredentialChain {
    let name = leaf.name
    let endpoint = try endpoints.settings(leaf)
    let region = try endpoints.region(leaf, leaf: leaf)
    var roles: [RoleLink] = []
    var visited: [String] = []
    var current = leaf
    while true {
      visited.append(current.name)
      let step = try nextStep(of: current, isSource: visited.count > 1)
      let identity: IdentityLink
      switch step {
      case .identity(let link):
        identity = link
      case .role(let source):
        guard roles.count < Self.longestChain else { throw ConfigError.tooLong(profile: name, limit: Self.longestChain) }
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
          if let start = visited.firstIndex(of: next) {
            throw ConfigError.loop(profiles: visited[start...] + [next], setting: "source_profile", origin: origin)
          }
          current = try settings(of: next, namedAt: origin)
          continue
        }
      }
      return CredentialChain(
        profile: name, identity: identity, roles: roles.reversed(), region: region, endpoint: endpoint)
    }
  }

  /// What `vault list` says of the profile. What is wrong with it stands in `problem`.
  public func summary(for name: String) -> ProfileSummary {
    do {
      let leaf = try settings(of: name, namedAt: nil)
      let chain = try chain(for: leaf)
      let isRole = chain.roles.last?.profile == name
      var arn = isRole ? chain.roles.last?.roleARN.text : nil
      if case .webIdentity(_, let role, _, _) = chain.identity, !isRole { arn = role.text }
      return ProfileSummary(
        name: name, kind: isRole ? .assumeRole : Self.kind(of: chain.identity), roleARN: arn,
        source: isRole ? leaf.text("source_profile") ?? leaf.text("credential_source") : nil, region: chain.region)
    } catch {
      let own = lookup(.profile, name)
      return ProfileSummary(
        name: name, kind: nil, roleARN: own?.text("role_arn"),
        source: own?.text("source_profile") ?? own?.text("credential_source"),
        region: own?.text("region"), problem: error.message)
    }
  }

  /// The settings of a profile with what it takes over from others.
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

  /// - Parameter isSource: whether another profile led here; access keys then come before a role.
  private func nextStep(of profile: ProfileSettings, isSource: Bool) throws(ConfigError) -> Step {
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
      // A profile may be its own source where it has access keys.
      if next == profile.name, profile.saysAccessKeys { return .role(.identity(try identities.keys(of: profile))) }
      return .role(.profile(next, origin: source.origin))
    }
    if let credentialSource { return .role(.identity(try identities.named(credentialSource))) }
    if let file = profile.text("web_identity_token_file") {
      return .identity(try identities.webIdentity(of: profile, tokenFile: file))
    }
    throw ConfigError.incomplete(
      profile: profile.name, origin: roleARN.origin, problem: "has a role_arn, but nothing to assume the role with",
      expected: "add source_profile, credential_source or web_identity_token_file")
  }

  private static func kind(of identity: IdentityLink) -> ProfileKind {
    switch identity {
    case .keys: .keys
    case .sso: .sso
    case .webIdentity: .webIdentity
    case .process: .process
    case .container, .instance: .container
    case .environment: .environment
    }
  }
}
