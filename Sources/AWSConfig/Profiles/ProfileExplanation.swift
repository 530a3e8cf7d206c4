import VaultModel

/// A setting of a profile that has no effect.
public struct IgnoredSetting: Sendable, Hashable {
  public var name: String
  /// Its origin.
  public var from: SettingOrigin
  public var why: String

  public init(name: String, from: SettingOrigin, why: String) {
    self.name = name
    self.from = from
    self.why = why
  }
}

/// The settings of a profile that count, and those that do not.
public struct ProfileExplanation: Sendable, Hashable {
  /// Every setting: the profile's own, then those it inherits. Those without effect are also in `ignored`.
  public var settings: [Setting]
  public var ignored: [IgnoredSetting]

  public init(settings: [Setting], ignored: [IgnoredSetting]) {
    self.settings = settings
    self.ignored = ignored
  }
}

extension ChainResolver {
  /// Which settings count for a requested profile, and why the others do not.
  ///
  /// Empty for a profile that does not exist. If a profile's includes cannot be resolved, only its own settings are used.
  public func explanation(for name: String) -> ProfileExplanation {
    guard let own = lookup(.profile, name) else { return ProfileExplanation(settings: [], ignored: []) }
    let profile: ProfileSettings
    do { profile = try ProfileSettings(own, lookup: lookup) } catch {
      return ProfileExplanation(settings: own.settings, ignored: [])
    }
    var result = ProfileExplanation(settings: [], ignored: [])
    for setting in profile.section.settings {
      if let why = reason(setting, in: profile) {
        result.ignored.append(IgnoredSetting(name: setting.name, from: setting.origin, why: why))
      }
      result.settings.append(setting)
    }
    for setting in profile.overridden {
      result.ignored.append(IgnoredSetting(name: setting.name, from: setting.origin, why: "overridden by a nearer profile"))
    }
    return result
  }

  private static let roleNames: Set<String> = [
    "external_id", "duration_seconds", "role_session_name", "source_identity", "policy", "policy_arns", "tags", "session_tags",
    "transitive_tag_keys", "transitive_session_tags", "source_profile", "credential_source", "web_identity_token_file",
    "web_identity_token_process", "web_identity_token_source", "web_identity_audience", "saml_process", "saml_provider_arn",
  ]
  private static let federatedNames = [
    "web_identity_token_file", "web_identity_token_process", "web_identity_token_source", "saml_process", "saml_provider_arn",
  ]
  /// Parameters that `AssumeRoleWithWebIdentity` and `AssumeRoleWithSAML` do not have.
  private static let callerNames: Set<String> = [
    "external_id", "mfa_serial", "mfa_process", "source_identity", "tags", "session_tags", "transitive_tag_keys",
    "transitive_session_tags",
  ]
  private static let twins = [
    "tags": "session_tags", "transitive_tag_keys": "transitive_session_tags", "parent_profile": "include_profile",
  ]
  private static let variables = [
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT", "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "sts_regional_endpoints": "AWS_STS_REGIONAL_ENDPOINTS", "ca_bundle": "AWS_CA_BUNDLE",
    "ignore_configured_endpoint_urls": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  ]

  /// Nil for a setting that counts.
  private func reason(_ setting: Setting, in profile: ProfileSettings) -> String? {
    let name = setting.name
    if !KnownSettings.ours.contains(name) {
      return KnownSettings.others.contains(name) ? "used by other programs only" : "unknown to vault"
    }
    if setting.value == .text("") { return "it is empty" }
    if let twin = Self.twins[name], profile[twin] != nil { return "overridden by \(twin)" }
    if let variable = Self.variables[name], let value = endpoints.environment(variable), !value.isEmpty {
      return "overridden by the environment's \(variable)"
    }
    if name == "endpoint_url" { return urlReason(setting, in: profile) }
    return profile["role_arn"] == nil ? reasonWithoutRole(name, in: profile) : reasonWithRole(name, in: profile)
  }

  private func reasonWithRole(_ name: String, in profile: ProfileSettings) -> String? {
    let source = profile.text("source_profile")
    let way =
      source == nil && profile["credential_source"] == nil ? Self.federatedNames.first { profile.text($0) != nil } : nil
    if Self.federatedNames.contains(name) || name == "web_identity_audience" {
      if let way {
        if way.hasPrefix("saml") { return name.hasPrefix("saml") ? nil : "no source of the token is set" }
        if name == "web_identity_audience" { return way == "web_identity_token_source" ? nil : "\(way) needs no audience" }
        return name == way ? nil : "overridden by \(way)"
      }
      return source == nil ? "overridden by credential_source" : "overridden by source_profile"
    }
    if let way, Self.callerNames.contains(name) {
      return "not supported for a role assumed with \(way.hasPrefix("saml") ? "an assertion" : "a web identity")"
    }
    if name == "mfa_process", profile["mfa_serial"] == nil { return "no mfa_serial is set" }
    let isKey = name == "aws_access_key_id" || SecretName.contains(name)
    if isKey, source == profile.name { return nil }
    let isIdentity = isKey || ProfileSettings.ssoNames.contains(name) || name == "credential_process" || name == "login_session"
    return isIdentity ? "overridden by role_arn" : nil
  }

  private func reasonWithoutRole(_ name: String, in profile: ProfileSettings) -> String? {
    if Self.roleNames.contains(name) { return "no role_arn is set" }
    let hasSSO = profile["sso_account_id"] != nil || profile["sso_role_name"] != nil
    let isKey = name == "aws_access_key_id" || SecretName.contains(name)
    if hasSSO {
      return isKey || name == "credential_process" || name == "login_session" ? "overridden by the SSO settings" : nil
    }
    if profile.saysAccessKeys, name == "credential_process" || name == "login_session" { return "overridden by the access keys" }
    if name == "login_session" {
      return profile["credential_process"] != nil ? "overridden by credential_process" : "vault does not support `aws login`"
    }
    return nil
  }

  private func urlReason(_ setting: Setting, in profile: ProfileSettings) -> String? {
    do {
      if try endpoints.ignoresURLs(profile) { return "configured endpoint URLs are switched off" }
      guard let winner = try endpoints.urlSetting(profile), winner != setting else { return nil }
      return winner.origin.line > 0 ? "overridden by the services section" : "overridden by the environment's \(winner.name)"
    } catch {
      return nil
    }
  }
}
