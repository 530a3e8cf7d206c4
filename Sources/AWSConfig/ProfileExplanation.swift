import VaultModel

/// A setting that has no effect, and why.
public struct IgnoredSetting: Sendable, Hashable {
  public let name: String
  public let from: SettingOrigin
  public let why: String
}

/// Every setting of a profile, what it inherits included, and those among them that have no effect.
public struct ProfileExplanation: Sendable {
  public let settings: [Setting]
  public let ignored: [IgnoredSetting]
}

extension ChainResolver {
  /// What the profile has, and what of it counts. A profile that leads nowhere is explained too.
  public func explanation(for name: String) throws(ConfigError) -> ProfileExplanation {
    let profile = try settings(name, from: nil)
    let hasRole = profile.text("role_arn") != nil
    var ignored: [IgnoredSetting] = []
    for setting in profile.settings {
      if let why = Self.whyIgnored(setting.name, profile, hasRole: hasRole) {
        ignored.append(IgnoredSetting(name: setting.name, from: setting.origin, why: why))
      }
    }
    return ProfileExplanation(settings: profile.settings, ignored: ignored)
  }

  private static let roleOnly: Set<String> = [
    "source_profile", "credential_source", "external_id", "duration_seconds", "role_session_name", "source_identity", "policy", "policy_arns", "tags",
    "session_tags", "transitive_tag_keys", "transitive_session_tags", "web_identity_token_file",
  ]
  private static let identityOnly: Set<String> = [
    "sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name", "sso_registration_scopes", "credential_process",
  ]
  /// Settings that some SDK or the CLI knows and that say nothing about credentials.
  private static let elsewhere: Set<String> = [
    "output", "cli_pager", "cli_timestamp_format", "cli_follow_urlparam", "cli_auto_prompt", "cli_binary_format", "cli_history", "retry_mode",
    "max_attempts", "s3", "s3api", "dynamodb", "parameter_validation", "tcp_keepalive", "api_versions", "defaults_mode", "sdk_ua_app_id",
    "request_min_compression_size_bytes", "disable_request_compression", "ec2_metadata_service_endpoint", "ec2_metadata_service_endpoint_mode",
    "ec2_metadata_v1_disabled", "metadata_service_timeout", "metadata_service_num_attempts", "account_id_endpoint_mode", "sigv4a_signing_region_set",
    "request_checksum_calculation", "response_checksum_validation",
  ]
  private static let known: Set<String> = [
    "role_arn", "region", "mfa_serial", "mfa_process", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "services", "endpoint_url",
    "ignore_configured_endpoint_urls", "use_fips_endpoint", "use_dualstack_endpoint", "sts_regional_endpoints", "ca_bundle", "include_profile",
    "parent_profile", "login_session", "aws_account_id",
  ]

  private static func whyIgnored(_ name: String, _ profile: ProfileSettings, hasRole: Bool) -> String? {
    if roleOnly.contains(name) { return hasRole ? nil : "the profile assumes no role (no role_arn)" }
    if identityOnly.contains(name) {
      if hasRole { return "role_arn comes first" }
      if profile.hasStaticKeys { return "the profile's access key comes first" }
      if name == "credential_process", profile.text("sso_start_url") ?? profile.text("sso_session") != nil { return "sso_… comes first" }
      return nil
    }
    if ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"].contains(name), hasRole, profile.text("source_profile") != profile.name {
      return "role_arn comes first; the key counts where another profile names this one as its source"
    }
    if known.contains(name) { return nil }
    return elsewhere.contains(name) ? "it is for the SDKs and says nothing about credentials" : "vault does not know this setting"
  }

  /// What `vault list` says of a profile. Never throws: what is wrong is told in `problem`.
  public func summary(for name: String) -> ProfileSummary {
    do throws(ConfigError) {
      let chain = try chain(for: name)
      var summary = ProfileSummary(name: name, kind: nil, region: chain.region)
      if let role = chain.roles.last {
        summary.kind = .assumeRole
        summary.roleARN = role.roleARN.text
        let profile = try settings(name, from: nil)
        summary.source = profile.text("source_profile") ?? profile.text("credential_source")
        return summary
      }
      switch chain.identity {
      case .keys: summary.kind = .keys
      case .sso: summary.kind = .sso
      case .webIdentity(_, let arn, _, _):
        summary.kind = .webIdentity
        summary.roleARN = arn.text
      case .process: summary.kind = .process
      case .container, .instance: summary.kind = .container
      case .environment: summary.kind = .environment
      }
      return summary
    } catch {
      return ProfileSummary(name: name, kind: nil, problem: error.message)
    }
  }
}
