import VaultModel

/// Where a profile says that STS is: the environment over the `services` section over the profile, as the SDKs have it
/// (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
enum EndpointRules {
  static func settings(
    _ profile: ProfileSettings, lookup: (SectionKind, String) -> ConfigSection?, environment: (String) -> String?
  ) throws(ConfigError) -> EndpointSettings {
    func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    var settings = EndpointSettings()
    settings.useFIPS = try flag(variable("AWS_USE_FIPS_ENDPOINT"), profile, "use_fips_endpoint")
    settings.useDualStack = try flag(variable("AWS_USE_DUALSTACK_ENDPOINT"), profile, "use_dualstack_endpoint")
    settings.legacyGlobal = (variable("AWS_STS_REGIONAL_ENDPOINTS") ?? profile.text("sts_regional_endpoints"))?.lowercased() == "legacy"
    settings.caBundle = variable("AWS_CA_BUNDLE") ?? profile.text("ca_bundle")
    let services: ConfigSection?
    if let name = profile.text("services") {
      guard let section = lookup(.services, name) else { throw profile.wrong("services", "names [services \(name)], which is not there") }
      services = section
    } else {
      services = nil
    }
    let ignores = try flag(variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), profile, "ignore_configured_endpoint_urls")
    if !ignores {
      settings.url =
        variable("AWS_ENDPOINT_URL_STS") ?? variable("AWS_ENDPOINT_URL") ?? services.flatMap(stsURL) ?? profile.text("endpoint_url")
    }
    return settings
  }

  private static func stsURL(_ services: ConfigSection) -> String? {
    guard case .nested(let lines)? = services["sts"]?.value else { return nil }
    return lines.first { $0.name == "endpoint_url" && !$0.value.isEmpty }?.value
  }

  private static func flag(_ variable: String?, _ profile: ProfileSettings, _ name: String) throws(ConfigError) -> Bool {
    switch (variable ?? profile.text(name))?.lowercased() {
    case nil, "false": return false
    case "true": return true
    default: throw profile.wrong(name, "must be true or false")
    }
  }
}
