import VaultModel

/// Reads the first link of a chain out of the profile that holds it.
struct IdentityReader {
  let lookup: (SectionKind, String) -> ConfigSection?

  /// The identity of a profile whose `role_arn` does not count. The order is the SDKs': SSO, access keys, a process.
  func identity(of profile: ProfileSettings, keysFirst: Bool) throws(ConfigError) -> IdentityLink {
    if keysFirst, profile.saysAccessKeys { return try keys(of: profile) }
    if let sso = try sso(of: profile) { return sso }
    if profile.saysAccessKeys { return try keys(of: profile) }
    if let command = profile.text("credential_process") { return .process(profile: profile.name, command: command) }
    if profile.saysSSO {
      throw incomplete(
        profile, "has SSO settings, but no account and role", "add sso_account_id and sso_role_name", at: "sso_session")
    }
    if profile.text("login_session") != nil {
      throw incomplete(
        profile, "has a login_session alone, which is not supported", "use sso_session or access keys", at: "login_session")
    }
    throw incomplete(
      profile, "says nothing that leads to credentials", "add role_arn, sso_session, access keys or credential_process",
      at: "region")
  }

  func keys(of profile: ProfileSettings) throws(ConfigError) -> IdentityLink {
    guard let id = profile.text("aws_access_key_id") else {
      throw incomplete(profile, "has half a key pair", "add aws_access_key_id", at: "aws_secret_access_key")
    }
    guard profile.text("aws_secret_access_key") != nil else {
      throw incomplete(profile, "has half a key pair", "add aws_secret_access_key", at: "aws_access_key_id")
    }
    return .keys(name: profile.name, accessKeyId: id, mfaSerial: try RoleParameters(profile: profile).mfaSerial())
  }

  func named(_ source: Setting) throws(ConfigError) -> IdentityLink {
    switch source.text?.lowercased() {
    case "ecscontainer": return .container
    case "ec2instancemetadata": return .instance
    case "environment": return .environment
    default:
      throw ConfigError.invalid(
        setting: source.name, origin: source.origin, expected: "EcsContainer, Ec2InstanceMetadata or Environment")
    }
  }

  func webIdentity(of profile: ProfileSettings, tokenFile: String) throws(ConfigError) -> IdentityLink {
    let role = RoleParameters(profile: profile)
    return .webIdentity(
      profile: profile.name, roleARN: try role.roleARN(), tokenFile: tokenFile, roleSessionName: try role.sessionName()?.text)
  }

  /// Nil where the profile names neither an account nor a role: it is then for a token only.
  private func sso(of profile: ProfileSettings) throws(ConfigError) -> IdentityLink? {
    guard profile["sso_account_id"] != nil || profile["sso_role_name"] != nil else {
      if profile["sso_session"] != nil { _ = try ssoPlace(of: profile) }
      return nil
    }
    let account = try required("sso_account_id", profile)
    let role = try required("sso_role_name", profile)
    guard account.text.utf8.count == 12, account.text.utf8.allSatisfy({ (48...57).contains($0) }) else {
      throw ConfigError.invalid(setting: "sso_account_id", origin: account.origin, expected: "an account number of twelve digits")
    }
    let place = try ssoPlace(of: profile)
    return .sso(
      profile: profile.name, accountId: account.text, roleName: role.text, startURL: place.url, region: place.region,
      session: profile.text("sso_session"))
  }

  private func ssoPlace(of profile: ProfileSettings) throws(ConfigError) -> (url: String, region: String) {
    guard let named = profile["sso_session"], let name = named.text else {
      let url = try required("sso_start_url", profile)
      return (try checkedURL(url), try checkedRegion(try required("sso_region", profile)))
    }
    guard let session = lookup(.ssoSession, name) else {
      throw ConfigError.noSuchSection(kind: .ssoSession, name: name, namedAt: named.origin)
    }
    for key in ["sso_start_url", "sso_region"] {
      if let own = profile[key], let common = session[key], own.value != common.value {
        throw incomplete(
          profile, "contradicts \(key) of its sso_session (\(common.origin))", "remove \(key) from the profile", at: key)
      }
    }
    let url = try required("sso_start_url", in: session, of: profile, at: named.origin)
    let region = try required("sso_region", in: session, of: profile, at: named.origin)
    return (try checkedURL(url), try checkedRegion(region))
  }

  private func checkedURL(_ url: (text: String, origin: SettingOrigin)) throws(ConfigError) -> String {
    guard EndpointResolver.isURL(url.text) else {
      throw ConfigError.invalid(setting: "sso_start_url", origin: url.origin, expected: "a URL that starts with https://")
    }
    return url.text
  }

  private func checkedRegion(_ region: (text: String, origin: SettingOrigin)) throws(ConfigError) -> String {
    guard EndpointResolver.isRegion(region.text) else {
      throw ConfigError.invalid(setting: "sso_region", origin: region.origin, expected: EndpointResolver.expectedRegion)
    }
    return region.text
  }

  private func required(_ name: String, _ profile: ProfileSettings) throws(ConfigError) -> (text: String, origin: SettingOrigin) {
    guard let setting = profile[name], let text = setting.text else {
      let origin = profile.section.settings.first { ProfileSettings.ssoNames.contains($0.name) }?.origin
      throw ConfigError.incomplete(
        profile: profile.name, origin: origin, problem: "has SSO settings, but no \(name)", expected: "add \(name)")
    }
    return (text, setting.origin)
  }

  private func required(
    _ name: String, in session: ConfigSection, of profile: ProfileSettings, at origin: SettingOrigin
  ) throws(ConfigError) -> (text: String, origin: SettingOrigin) {
    guard let setting = session[name], let text = session.text(name) else {
      throw ConfigError.incomplete(
        profile: profile.name, origin: session.settings.first?.origin ?? origin,
        problem: "uses [sso-session \(session.name)], which has no \(name)", expected: "add \(name) to that section")
    }
    return (text, setting.origin)
  }

  private func incomplete(_ profile: ProfileSettings, _ problem: String, _ expected: String, at name: String) -> ConfigError {
    .incomplete(profile: profile.name, origin: profile.origin(name), problem: problem, expected: expected)
  }
}
