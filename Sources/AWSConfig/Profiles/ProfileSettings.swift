import VaultModel

/// A profile's effective settings: its own, and those it inherits by `include_profile`.
struct ProfileSettings {
  let name: String
  /// Each name once; the profile's own settings override inherited ones.
  let section: ConfigSection
  /// Inherited settings that a nearer profile overrides.
  let overridden: [Setting]

  /// aws-vault's name, and its older one.
  static let includes = ["include_profile", "parent_profile"]
  /// Access keys belong to one profile and are never inherited.
  private static let own = Set(["aws_access_key_id"] + SecretName.all + includes)

  /// - Parameter lookup: a profile's own section.
  /// - Throws: if an included profile is missing, includes form a loop, or there are more than `ConfigLimits` allow.
  init(_ own: ConfigSection, lookup: (SectionKind, String) -> ConfigSection?) throws(ConfigError) {
    name = own.name
    guard Self.include(of: own) != nil else {
      section = own
      overridden = []
      return
    }
    // An empty setting counts as missing, and an inherited one replaces it.
    var settings = own.settings.filter { $0.value != .text("") || Self.own.contains($0.name) }
    let empty = own.settings.filter { $0.value == .text("") && !Self.own.contains($0.name) }
    var names = Set(settings.map(\.name))
    var overridden: [Setting] = []
    var visited = [own.name]
    var current = own
    while let include = Self.include(of: current), let next = include.text {
      if let start = visited.firstIndex(of: next) {
        throw ConfigError.loop(profiles: visited[start...] + [next], setting: include.name, origin: include.origin)
      }
      guard visited.count <= ConfigLimits.includes else {
        throw ConfigError.includesTooMuch(profile: name, origin: include.origin, limit: "\(ConfigLimits.includes) others")
      }
      guard let section = lookup(.profile, next) else { throw ConfigError.noSuchProfile(name: next, namedAt: include.origin) }
      for setting in section.settings where !Self.own.contains(setting.name) && setting.value != .text("") {
        if names.insert(setting.name).inserted { settings.append(setting) } else { overridden.append(setting) }
      }
      guard settings.count + overridden.count <= ConfigLimits.settingsOfSection else {
        throw ConfigError.includesTooMuch(
          profile: name, origin: include.origin, limit: "\(ConfigLimits.settingsOfSection) settings")
      }
      visited.append(next)
      current = section
    }
    settings += empty.filter { !names.contains($0.name) }
    section = ConfigSection(kind: own.kind, name: own.name, settings: settings)
    self.overridden = overridden
  }

  private static func include(of section: ConfigSection) -> Setting? {
    includes.lazy.filter { section.text($0) != nil }.compactMap { section[$0] }.first
  }

  subscript(_ name: String) -> Setting? { section[name].flatMap { $0.value == .text("") ? nil : $0 } }
  func text(_ name: String) -> String? { section.text(name) }

  /// The origin of the first of these settings.
  func origin(_ names: String...) -> SettingOrigin? {
    names.lazy.compactMap { self[$0]?.origin }.first ?? section.settings.first?.origin
  }

  var saysAccessKeys: Bool { text("aws_access_key_id") != nil || text("aws_secret_access_key") != nil }
  var saysSSO: Bool { section.settings.contains { Self.ssoNames.contains($0.name) && $0.value != .text("") } }

  var saysSAML: Bool { text("saml_process") != nil || text("saml_provider_arn") != nil }

  static let ssoNames: Set<String> = ["sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name"]
}
