import VaultBytes
import VaultModel

/// Reads the first link of a chain from the profile that holds it.
struct IdentityReader {
  let lookup: (SectionKind, String) -> ConfigSection?
  let endpoints: EndpointResolver

  /// The identity of a profile, ignoring its `role_arn`. The order is the SDKs': SSO, access keys, a process.
  func identity(of profile: ProfileSettings, keysFirst: Bool) throws(ConfigError) -> IdentityLink {
    if keysFirst, profile.saysAccessKeys { return try keys(of: profile) }
    if let sso = try sso(of: profile) { return sso }
    if profile.saysAccessKeys { return try keys(of: profile) }
    if let command = profile.text("credential_process") { return .process(profile: profile.name, command: command) }
    if profile.saysSSO {
      throw incomplete(
        profile, "has SSO settings, but no account and role", expected: "add sso_account_id and sso_role_name", at: "sso_session")
    }
    if profile.text("login_session") != nil {
      throw incomplete(
        profile, "uses `aws login` (login_session), which vault does not support",
        expected:
          "give another profile credential_process = aws configure export-credentials --profile \(ShellText.word(profile.name)) --format process",
        at: "login_session")
    }
    if let name = Self.waysToARole.first(where: { profile.text($0) != nil }) {
      throw incomplete(profile, "has \(name), but no role_arn", expected: "add role_arn, or remove \(name)", at: name)
    }
    throw .settingsOnly(profile: profile.name, origin: profile.origin("region"))
  }

  /// Settings that say how to assume a role, and mean nothing without one.
  private static let waysToARole = [
    "source_profile", "credential_source", "web_identity_token_file", "web_identity_token_process", "web_identity_token_source",
    "saml_process", "saml_provider_arn",
  ]

  func keys(of profile: ProfileSettings) throws(ConfigError) -> IdentityLink {
    guard let id = profile.text("aws_access_key_id") else {
      throw incomplete(profile, "has an incomplete key pair", expected: "add aws_access_key_id", at: "aws_secret_access_key")
    }
    guard profile.text("aws_secret_access_key") != nil else {
      throw incomplete(profile, "has an incomplete key pair", expected: "add aws_secret_access_key", at: "aws_access_key_id")
    }
    return .keys(name: profile.name, accessKeyId: id, mfaSerial: try RoleParameters(profile: profile).mfaSerial())
  }

  func named(_ source: Setting) throws(ConfigError) -> IdentityLink {
    let sources = IdentityLink.credentialSources
    guard let found = sources.first(where: { $0.name.lowercased() == source.text?.lowercased() }) else {
      let names = sources.map(\.name)
      throw ConfigError.invalid(
        setting: source.name, origin: source.origin,
        expected: names.dropLast().joined(separator: ", ") + " or " + (names.last ?? ""))
    }
    return found.identity
  }

  /// The identity of a profile whose `role_arn` is assumed with a token or an assertion; nil if it names neither.
  ///
  /// - Parameter role: the profile's settings for its role.
  func federated(_ profile: ProfileSettings, role: () throws(ConfigError) -> RoleLink) throws(ConfigError) -> IdentityLink? {
    if let file = profile.text("web_identity_token_file") { return .webIdentity(try role(), token: .file(file)) }
    if let command = profile.text("web_identity_token_process") { return .webIdentity(try role(), token: .process(command)) }
    if let source = profile["web_identity_token_source"] {
      guard source.text?.lowercased() == "githubactions" else {
        throw ConfigError.invalid(setting: source.name, origin: source.origin, expected: "GitHubActions")
      }
      let audience = profile.text("web_identity_audience") ?? "sts.amazonaws.com"
      return .webIdentity(try role(), token: .gitHubActions(audience: audience))
    }
    guard profile.saysSAML else { return nil }
    let provider = profile["saml_provider_arn"]
    if let provider {
      guard let text = provider.text, Self.isProviderARN(text) else {
        throw ConfigError.invalid(
          setting: provider.name, origin: provider.origin,
          expected: "the ARN of a provider, arn:PARTITION:iam::ACCOUNT:saml-provider/NAME")
      }
    }
    return .saml(try role(), providerARN: provider?.text, command: profile.text("saml_process"))
  }

  private static func isProviderARN(_ text: String) -> Bool {
    (20...2_048).contains(text.utf8.count) && text.hasPrefix("arn:") && text.contains(":saml-provider/")
      && text.utf8.allSatisfy { (33...126).contains($0) }
  }

  /// Nil if the profile names neither an account nor a role: it is then for a token only.
  private func sso(of profile: ProfileSettings) throws(ConfigError) -> IdentityLink? {
    guard profile["sso_account_id"] != nil || profile["sso_role_name"] != nil else {
      if profile["sso_session"] != nil { _ = try place(of: profile) }
      return nil
    }
    let account = try required("sso_account_id", profile)
    let role = try required("sso_role_name", profile)
    guard account.text.utf8.count == 12, account.text.utf8.allSatisfy({ (48...57).contains($0) }) else {
      throw ConfigError.invalid(setting: "sso_account_id", origin: account.origin, expected: "an account number of twelve digits")
    }
    return .sso(profile: profile.name, accountId: account.text, roleName: role.text, place: try place(of: profile))
  }

  /// The sign-in of a profile.
  func place(of profile: ProfileSettings) throws(ConfigError) -> SSOSessionConfig {
    guard let named = profile["sso_session"], let name = named.text else {
      let url = try checkedURL(try required("sso_start_url", profile))
      return SSOSessionConfig(
        name: url, startURL: url, region: try checkedRegion(try required("sso_region", profile)), scopes: [], isSession: false,
        oidc: try endpoints.settings(profile, .ssoOIDC), portal: try endpoints.settings(profile, .sso))
    }
    guard let session = lookup(.ssoSession, name) else {
      throw ConfigError.noSuchSection(kind: .ssoSession, name: name, namedAt: named.origin)
    }
    for key in ["sso_start_url", "sso_region"] {
      if let own = profile[key], let common = session[key], own.value != common.value {
        throw incomplete(
          profile, "contradicts \(key) of its sso_session (\(common.origin))", expected: "remove \(key) from the profile", at: key
        )
      }
    }
    return try place(of: session, profile: profile, at: named.origin)
  }

  /// The sign-in of an `sso-session`.
  ///
  /// - Parameters:
  ///   - profile: sets the services' endpoints, together with the environment.
  ///   - origin: where the section is named.
  func place(of session: ConfigSection, profile: ProfileSettings, at origin: SettingOrigin) throws(ConfigError)
    -> SSOSessionConfig
  {
    let url = try required("sso_start_url", in: session, of: profile, at: origin)
    let region = try required("sso_region", in: session, of: profile, at: origin)
    let scopes = session.text("sso_registration_scopes") ?? Self.defaultScope
    return SSOSessionConfig(
      name: session.name, startURL: try checkedURL(url), region: try checkedRegion(region),
      scopes: scopes.split { $0 == "," || $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init), isSession: true,
      oidc: try endpoints.settings(profile, .ssoOIDC), portal: try endpoints.settings(profile, .sso))
  }

  /// The AWS CLI's default if a session names no scopes: with it, the token can be renewed.
  private static let defaultScope = "sso:account:access"

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

  private func incomplete(_ profile: ProfileSettings, _ problem: String, expected: String, at name: String) -> ConfigError {
    .incomplete(profile: profile.name, origin: profile.origin(name), problem: problem, expected: expected)
  }
}
