import VaultModel

/// Finds the region if the profile and the environment name none, and checks regions against the partitions of the roles.
struct RegionRule {
  let endpoints: EndpointResolver

  /// The chain with a region for every call that can have one: the profile's, the environment's, that of the nearest source, and
  /// then the partition's default. The program that runs gets the last two only if it would fail without them: in the commercial
  /// partition it may have a region of its own.
  ///
  /// - Parameter profiles: the path from the requested profile to the one with the identity.
  /// - Throws: if a region and a role, or two roles, are in different partitions.
  func placed(_ chain: CredentialChain, over profiles: [ProfileSettings]) throws(ConfigError) -> CredentialChain {
    guard let leaf = profiles.first else { return chain }
    let partition = chain.partition
    var found: String?
    for profile in profiles.dropFirst() where found == nil { found = try endpoints.region(ofAlone: profile) }
    let isCommercial = partition == .aws || partition == nil
    let region = chain.region ?? found ?? (isCommercial ? nil : partition?.globalRegion)
    var chain = chain
    if !isCommercial { chain.region = region }
    for index in chain.roles.indices {
      let link = chain.roles[index]
      guard let profile = profiles.first(where: { $0.name == link.profile }) else { continue }
      chain.roles[index] = try placed(link, in: region, of: profile, leaf: leaf)
      guard Partition(rawValue: link.roleARN.partition) == partition else {
        throw incomplete(
          profile, at: profile["role_arn"], problem: "has a role of a partition other than its source's",
          expected: "role chaining cannot cross partitions")
      }
    }
    if let profile = profiles.last, let link = chain.identity.role {
      chain.identity.role = try placed(link, in: region, of: profile, leaf: leaf)
    }
    return chain
  }

  private func placed(_ link: RoleLink, in region: String?, of profile: ProfileSettings, leaf: ProfileSettings)
    throws(ConfigError) -> RoleLink
  {
    var link = link
    link.region = link.region ?? region
    guard let region = link.region, let partition = Partition(rawValue: link.roleARN.partition),
      Partition(region: region) != partition
    else { return link }
    throw incomplete(
      profile, at: endpoints.regionSetting(profile, leaf: leaf) ?? profile["role_arn"],
      problem: "has a role of the partition \(partition.rawValue) but a region of \(Partition(region: region).rawValue)",
      expected: "set a region of \(partition.rawValue), such as \(partition.globalRegion)")
  }

  private func incomplete(_ profile: ProfileSettings, at setting: Setting?, problem: String, expected: String) -> ConfigError {
    .incomplete(profile: profile.name, origin: setting?.origin, problem: problem, expected: expected)
  }
}
