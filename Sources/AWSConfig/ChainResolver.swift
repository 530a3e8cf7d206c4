import VaultModel

/// Finds the way from a profile to credentials, as the SDKs do (facts, "From a profile to credentials").
public struct ChainResolver {
  /// Roles that a chain may have; each is a call to AWS.
  public static let longestChain = 16

  let lookup: (SectionKind, String) -> ConfigSection?
  let environment: (String) -> String?

  /// - Parameters:
  ///   - lookup: a section by its name.
  ///   - environment: a variable of the asker's environment.
  public init(lookup: @escaping (SectionKind, String) -> ConfigSection?, environment: @escaping (String) -> String?) {
    self.lookup = lookup
    self.environment = environment
  }

  /// The whole chain of a profile. Nothing is asked of AWS to find it.
  ///
  /// - Throws: what keeps the profile from leading to credentials: loops and dangling sources by all their names.
  public func chain(for profile: String) throws(ConfigError) -> CredentialChain {
    let leaf = try settings(profile, from: nil)
    let leafRegion = region(leaf)
    var links: [RoleLink] = []
    var path: [String] = []
    var current = leaf
    while true {
      let isSource = !path.isEmpty
      if path.contains(current.name) { throw .cycle(path[(path.firstIndex(of: current.name) ?? 0)...] + [current.name]) }
      path.append(current.name)
      // A source's own keys count before its role.
      guard current.text("role_arn") != nil, !(isSource && current.hasStaticKeys) else { break }
      guard current.text("web_identity_token_file") == nil || current.text("source_profile") != nil || current.text("credential_source") != nil else { break }
      links.append(try RoleParameters.link(current, region: current.text("region") ?? leafRegion, endpoint: try endpoint(current)))
      guard links.count <= Self.longestChain else { throw .profile(name: profile, problem: "is a chain of over \(Self.longestChain) roles") }
      switch try source(of: current) {
      case .identity(let identity): return finish(leaf, identity, links, leafRegion)
      case .itself: return finish(leaf, try keys(current), links, leafRegion)
      case .profile(let name): current = try settings(name, from: current)
      }
    }
    return finish(leaf, try identity(current), links, leafRegion)
  }

  private func finish(_ leaf: ProfileSettings, _ identity: IdentityLink, _ links: [RoleLink], _ region: String?) -> CredentialChain {
    CredentialChain(
      profile: leaf.name, identity: identity, roles: links.reversed(), region: region, endpoint: (try? endpoint(leaf)) ?? EndpointSettings())
  }

  func settings(_ name: String, from asker: ProfileSettings?) throws(ConfigError) -> ProfileSettings {
    guard let section = lookup(.profile, name) else {
      guard let asker else { throw .profile(name: name, problem: "is not there") }
      throw asker.wrong("source_profile", "names \"\(name)\", which is not there (\(asker.name) → \(name))")
    }
    return try ProfileSettings(section, lookup: lookup)
  }

  private func endpoint(_ profile: ProfileSettings) throws(ConfigError) -> EndpointSettings {
    try EndpointRules.settings(profile, lookup: lookup, environment: environment)
  }

  /// The profile was named by the person, so that its own region counts before the environment's.
  private func region(_ profile: ProfileSettings) -> String? {
    profile.text("region") ?? [environment("AWS_REGION"), environment("AWS_DEFAULT_REGION")].compactMap { $0 }.first { !$0.isEmpty }
  }

  // MARK: a role's source

  private enum Source {
    case identity(IdentityLink)
    /// The profile's own static keys.
    case itself
    case profile(String)
  }

  private func source(of profile: ProfileSettings) throws(ConfigError) -> Source {
    let name = profile.text("source_profile")
    let kind = profile.text("credential_source")
    if name != nil, kind != nil { throw profile.wrong("credential_source", "cannot stand beside source_profile") }
    if let name {
      guard name == profile.name else { return .profile(name) }
      guard profile.hasStaticKeys else { throw .cycle([name, name]) }
      return .itself
    }
    switch kind {
    case "EcsContainer": return .identity(.container)
    case "Ec2InstanceMetadata": return .identity(.instance)
    case "Environment": return .identity(.environment)
    case .some: throw profile.wrong("credential_source", "must be Environment, Ec2InstanceMetadata or EcsContainer")
    case nil: throw profile.wrong("role_arn", "needs a source_profile or a credential_source")
    }
  }

  // MARK: the identity

  private func identity(_ profile: ProfileSettings) throws(ConfigError) -> IdentityLink {
    if profile.text("role_arn") != nil, !profile.hasStaticKeys, let file = profile.text("web_identity_token_file") {
      guard let arn = RoleARN(profile.text("role_arn") ?? "") else { throw profile.wrong("role_arn", "is no role's ARN") }
      return .webIdentity(profile: profile.name, roleARN: arn, tokenFile: file, roleSessionName: profile.text("role_session_name"))
    }
    if ["sso_session", "sso_start_url", "sso_account_id", "sso_role_name"].contains(where: { profile.text($0) != nil }), !profile.hasStaticKeys {
      return try SSOSettings.identity(profile, lookup: lookup)
    }
    if profile.hasStaticKeys { return try keys(profile) }
    if let command = profile.text("credential_process") { return .process(profile: profile.name, command: command) }
    throw .profile(name: profile.name, problem: "has no credentials: no role_arn, sso_…, access key, credential_process or web identity")
  }

  private func keys(_ profile: ProfileSettings) throws(ConfigError) -> IdentityLink {
    try profile.requireWholeKeys()
    return .keys(name: profile.name, accessKeyId: profile.text("aws_access_key_id"), mfaSerial: profile.text("mfa_serial"))
  }
}
