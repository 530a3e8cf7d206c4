import VaultModel

/// A profile's settings as they count: its own, and what it takes over from others by `include_profile`.
struct ProfileSettings {
  let name: String
  /// Each name once; an own setting before one that is taken over.
  let section: ConfigSection
  /// What would have been taken over, had a nearer profile not said it as well.
  let overridden: [Setting]

  /// aws-vault's, and its older name.
  static let includes = ["include_profile", "parent_profile"]
  /// Access keys are one profile's own and are never taken over.
  private static let own = Set(["aws_access_key_id"] + SecretName.all + includes)

  /// - Parameter lookup: a profile's own section.
  /// - Throws: where a profile that is included is missing, or includes go in a circle.
  init(_ own: ConfigSection, lookup: (SectionKind, String) -> ConfigSection?) throws(ConfigError) {
    name = own.name
    var merged = own
    var overridden: [Setting] = []
    var visited = [own.name]
    var current = own
    while let include = Self.include(of: current), let next = include.text {
      guard !visited.contains(next) else {
        throw ConfigError.loop(profiles: visited + [next], setting: include.name, origin: include.origin)
      }
      guard let section = lookup(.profile, next) else { throw ConfigError.noSuchProfile(name: next, namedAt: include.origin) }
      for setting in section.settings where !Self.own.contains(setting.name) && setting.value != .text("") {
        if merged[setting.name] == nil {
          merged.settings.append(setting)
        } else if merged[setting.name]?.value == .text("") {
          merged.settings.removeAll { $0.name == setting.name }
          merged.settings.append(setting)
        } else {
          overridden.append(setting)
        }
      }
      visited.append(next)
      current = section
    }
    section = merged
    self.overridden = overridden
  }

  private static func include(of section: ConfigSection) -> Setting? {
    includes.lazy.filter { section.text($0) != nil }.compactMap { section[$0] }.first
  }

  subscript(_ name: String) -> Setting? { section[name].flatMap { $0.value == .text("") ? nil : $0 } }
  func text(_ name: String) -> String? { section.text(name) }

  /// Where the first of these settings stands.
  func origin(_ names: String...) -> SettingOrigin? {
    names.lazy.compactMap { self[$0]?.origin }.first ?? section.settings.first?.origin
  }

  var saysAccessKeys: Bool { text("aws_access_key_id") != nil || text("aws_secret_access_key") != nil }
  var saysSSO: Bool { section.settings.contains { Self.ssoNames.contains($0.name) && $0.value != .text("") } }

  static let ssoNames: Set<String> = ["sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name"]
}
