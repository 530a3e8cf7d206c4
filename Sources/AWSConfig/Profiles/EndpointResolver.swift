import VaultModel

/// An AWS service, with the name that the SDKs use in variables and in `services` sections.
public enum Service: String, Sendable {
  case sts, sso, iam, signin
  case iamToolbox = "iam_toolbox"
  case ssoOIDC = "sso_oidc"
  case ssoAdmin = "sso_admin"
  case identityStore = "identitystore"

  /// `AWS_ENDPOINT_URL_SSO_OIDC`
  var variable: String { "AWS_ENDPOINT_URL_" + rawValue.uppercased() }
}

/// Resolves the endpoints of STS and related services for one profile: the environment first, then the `services` section, then the
/// profile.
struct EndpointResolver {
  let lookup: (SectionKind, String) -> ConfigSection?
  let environment: (String) -> String?

  /// The region becomes part of a host name, so it must look like one.
  func region(_ profile: ProfileSettings, leaf: ProfileSettings) throws(ConfigError) -> String? {
    try checked(regionSetting(profile, leaf: leaf))
  }

  /// The region that a profile itself sets.
  func region(ofAlone profile: ProfileSettings) throws(ConfigError) -> String? { try checked(profile["region"]) }

  func regionSetting(_ profile: ProfileSettings, leaf: ProfileSettings) -> Setting? {
    profile["region"] ?? leaf["region"] ?? named("AWS_REGION") ?? named("AWS_DEFAULT_REGION")
  }

  private func checked(_ setting: Setting?) throws(ConfigError) -> String? {
    guard let setting else { return nil }
    guard let text = setting.text, Self.isRegion(text) else {
      throw ConfigError.invalid(setting: setting.name, origin: setting.origin, expected: Self.expectedRegion)
    }
    guard !Self.isZone(text) else {
      throw ConfigError.invalid(
        setting: setting.name, origin: setting.origin, expected: "a region, such as \(text.dropLast()), not an availability zone")
    }
    return text
  }

  func settings(_ profile: ProfileSettings, _ service: Service = .sts) throws(ConfigError) -> EndpointSettings {
    let url = try url(profile, service)
    let caBundle = value("ca_bundle", variable: "AWS_CA_BUNDLE", of: profile)
    return EndpointSettings(
      url: url?.text, useFIPS: try flag("use_fips_endpoint", variable: "AWS_USE_FIPS_ENDPOINT", of: profile),
      useDualStack: try flag("use_dualstack_endpoint", variable: "AWS_USE_DUALSTACK_ENDPOINT", of: profile),
      legacyGlobal: try isLegacy(profile), caBundle: caBundle?.text, urlVariable: Self.variable(url),
      caBundleVariable: Self.variable(caBundle))
  }

  func ignoresURLs(_ profile: ProfileSettings) throws(ConfigError) -> Bool {
    try flag("ignore_configured_endpoint_urls", variable: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", of: profile)
  }

  /// The URL that wins, and its origin.
  func urlSetting(_ profile: ProfileSettings, _ service: Service = .sts) throws(ConfigError) -> Setting? {
    if try ignoresURLs(profile) { return nil }
    let own = try ownURLSetting(profile, service)
    // A URL that the file has too counts as the file's.
    if let named = named(service.variable) ?? named("AWS_ENDPOINT_URL") { return named.text == own?.text ? own : named }
    return own
  }

  /// The URL from the `services` section or the profile.
  private func ownURLSetting(_ profile: ProfileSettings, _ service: Service) throws(ConfigError) -> Setting? {
    if let services = profile["services"], let name = services.text {
      guard let section = lookup(.services, name) else {
        throw ConfigError.noSuchSection(kind: .services, name: name, namedAt: services.origin)
      }
      if let own = section[service.rawValue], case .nested(let list) = own.value,
        let url = list.last(where: { $0.name == "endpoint_url" })?.value, !url.isEmpty
      {
        return Setting(name: "endpoint_url", value: .text(url), origin: own.origin)
      }
    }
    return profile["endpoint_url"]
  }

  private func url(_ profile: ProfileSettings, _ service: Service) throws(ConfigError) -> Setting? {
    guard let setting = try urlSetting(profile, service) else { return nil }
    guard let text = setting.text, Self.isURL(text) else {
      throw ConfigError.invalid(
        setting: setting.name, origin: setting.origin, expected: "a URL that starts with https:// or http://")
    }
    return setting
  }

  /// The variable that a setting comes from; nil if it comes from a file.
  private static func variable(_ setting: Setting?) -> String? { setting?.origin == environmentOrigin ? setting?.name : nil }

  private func flag(_ name: String, variable: String, of profile: ProfileSettings) throws(ConfigError) -> Bool {
    guard let setting = value(name, variable: variable, of: profile) else { return false }
    switch setting.text?.lowercased() {
    case "true": return true
    case "false": return false
    default: throw ConfigError.invalid(setting: setting.name, origin: setting.origin, expected: "true or false")
    }
  }

  private func isLegacy(_ profile: ProfileSettings) throws(ConfigError) -> Bool {
    guard let setting = value("sts_regional_endpoints", variable: "AWS_STS_REGIONAL_ENDPOINTS", of: profile) else { return false }
    switch setting.text?.lowercased() {
    case "legacy": return true
    case "regional": return false
    default: throw ConfigError.invalid(setting: setting.name, origin: setting.origin, expected: "regional or legacy")
    }
  }

  private func value(_ name: String, variable: String, of profile: ProfileSettings) -> Setting? {
    guard let named = named(variable) else { return profile[name] }
    return named.text == profile[name]?.text ? profile[name] : named
  }

  /// A variable as a setting; an empty one counts as missing.
  private func named(_ variable: String) -> Setting? {
    guard let text = environment(variable), !text.isEmpty else { return nil }
    return Setting(name: variable, value: .text(text), origin: Self.environmentOrigin)
  }

  private static let environmentOrigin = SettingOrigin(file: "environment", line: 0)

  static let expectedRegion = "a region, such as eu-west-1"

  static func isRegion(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }

  /// Whether it is an availability zone such as `us-east-1a`: a region with a letter after its number.
  private static func isZone(_ text: String) -> Bool {
    let end = Array(text.utf8.suffix(3))
    return end.count == 3 && end[0] == UInt8(ascii: "-") && (48...57).contains(end[1]) && (97...122).contains(end[2])
  }

  static func isURL(_ text: String) -> Bool {
    guard text.utf8.count <= 2_048 else { return false }
    let lowered = text.lowercased()
    let rest = lowered.hasPrefix("https://") ? lowered.dropFirst(8) : lowered.hasPrefix("http://") ? lowered.dropFirst(7) : ""
    guard let first = rest.utf8.first, first != UInt8(ascii: "/") else { return false }
    return text.utf8.allSatisfy { (33...126).contains($0) }
  }
}
