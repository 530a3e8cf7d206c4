import VaultModel

/// A profile's settings with what it inherits: aws-vault's `include_profile`, and its older name `parent_profile`.
struct ProfileSettings {
  let name: String
  private(set) var settings: [Setting]

  static let deepest = 16

  /// - Throws: where an included profile is not there, or the includes go in a circle.
  init(_ section: ConfigSection, lookup: (SectionKind, String) -> ConfigSection?) throws(ConfigError) {
    name = section.name
    settings = section.settings
    var seen = [section.name]
    var current = section
    while let include = current.text("include_profile") ?? current.text("parent_profile") {
      if seen.contains(include) { throw .cycle(seen + [include]) }
      guard seen.count <= Self.deepest else { throw .profile(name: name, problem: "includes more than \(Self.deepest) profiles") }
      guard let next = lookup(.profile, include) else {
        throw .profile(name: current.name, problem: "includes profile \"\(include)\", which is not there")
      }
      seen.append(include)
      settings += next.settings.filter { inherited in !settings.contains { $0.name == inherited.name } }
      current = next
    }
  }

  subscript(_ name: String) -> Setting? { settings.first { $0.name == name } }

  /// A plain, non-empty value.
  func text(_ name: String) -> String? {
    guard let text = self[name]?.text, !text.isEmpty else { return nil }
    return text
  }

  /// The first of several names that is set.
  func first(of names: String...) -> Setting? {
    for name in names { if text(name) != nil { return self[name] } }
    return nil
  }

  func wrong(_ setting: String, _ problem: String) -> ConfigError {
    .setting(profile: name, name: setting, at: self[setting]?.origin ?? .vault, problem: problem)
  }

  var hasStaticKeys: Bool { text("aws_access_key_id") != nil || text("aws_secret_access_key") != nil }

  /// - Throws: where half of a key pair is missing.
  func requireWholeKeys() throws(ConfigError) {
    guard text("aws_access_key_id") != nil else { throw wrong("aws_secret_access_key", "stands without aws_access_key_id") }
    guard text("aws_secret_access_key") != nil else { throw wrong("aws_access_key_id", "stands without aws_secret_access_key") }
  }
}
