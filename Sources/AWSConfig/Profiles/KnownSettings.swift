/// The names of settings that vault, the SDKs or the AWS CLI understand.
///
/// From botocore (`configprovider.py`), the AWS CLI (`topics/config-vars.rst`), and the AWS SDKs and Tools Reference Guide,
/// "Settings reference".
enum KnownSettings {
  /// Settings by which vault finds a profile's credentials.
  static let ours: Set<String> = [
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "ca_bundle", "credential_process",
    "credential_source", "duration_seconds", "endpoint_url", "external_id", "ignore_configured_endpoint_urls", "include_profile",
    "login_session", "mfa_process", "mfa_serial", "parent_profile", "policy", "policy_arns", "region", "role_arn",
    "role_session_name", "rotation", "rotation_idle",
    "saml_process", "saml_provider_arn", "services", "session_tags", "source_identity", "source_profile", "sso_account_id",
    "sso_region",
    "sso_registration_scopes", "sso_role_name",
    "sso_session", "sso_start_url", "sts_regional_endpoints", "tags", "transitive_session_tags", "transitive_tag_keys",
    "use_dualstack_endpoint", "use_fips_endpoint", "web_identity_audience", "web_identity_token_file",
    "web_identity_token_process", "web_identity_token_source",
  ]

  /// Settings that other programs read from the same profile.
  static let others: Set<String> = [
    "account_id_endpoint_mode", "api_versions", "auth_scheme_preference", "aws_account_id", "cli_auto_prompt",
    "cli_binary_format", "cli_follow_urlparam", "cli_help_output", "cli_history", "cli_pager", "cli_timestamp_format",
    "cloudsearch",
    "cloudsearchdomain", "csm_client_id", "csm_enabled", "csm_host", "csm_port", "data_path", "defaults_mode",
    "disable_host_prefix_injection", "disable_request_compression", "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode", "ec2_metadata_v1_disabled", "emr", "emrcontainers", "endpoint_discovery_enabled",
    "imds_use_ipv6", "max_attempts", "metadata_service_num_attempts", "metadata_service_timeout", "output",
    "parameter_validation", "request_checksum_calculation", "request_min_compression_size_bytes",
    "response_checksum_validation", "retry_mode", "s3", "s3_disable_express_session_auth", "s3_disable_multiregion_access_points",
    "s3_us_east_1_regional_endpoint", "s3_use_arn_region", "s3api", "sdk_ua_app_id", "sigv4a_signing_region_set",
    "tcp_keepalive",
  ]

  static func contains(_ name: String) -> Bool { ours.contains(name) || others.contains(name) }

  /// Whether a name can be shown. A value may have been written before a `=` by mistake, and a secret key has 40 characters.
  static func canBeShown(_ name: String) -> Bool {
    name.utf8.count <= 36
      && name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 0x5F || $0 == 0x2D || $0 == 0x2E }
  }
}
