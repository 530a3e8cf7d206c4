import VaultModel
import VaultSecrets

/// The keys that a profile holds in plain text.
public struct ProfileSecrets: Sendable {
  public var accessKeyId: String?
  public var secretAccessKey: SecretBytes?
  public var sessionToken: SecretBytes?
  /// Where the secret access key stands.
  public var origin: SettingOrigin
}

/// AWS's two files as the SDKs understand them together.
public struct SharedConfig: Sendable {
  /// In the order of their first appearance, each once; a secret's value is `‹secret›`.
  public var sections: [ConfigSection]
  /// By profile.
  public var secrets: [String: ProfileSecrets]
  public var warnings: [ConfigWarning]

  /// Reads both files; one that is missing is as an empty one.
  ///
  /// - Parameters:
  ///   - configFile, credentialsFile: absolute paths.
  ///   - home: a folder that is shown as `~`.
  /// - Throws: `ConfigError` with file and line; nothing is taken from either file then.
  public static func read(configFile: String?, credentialsFile: String?, home: String?) throws(ConfigError) -> SharedConfig {
    var merged = MergedSections()
    var warnings: [ConfigWarning] = []
    // The config file first: for the same key of the same profile the credentials file wins.
    for (path, kind) in [(configFile, ConfigFileKind.config), (credentialsFile, .credentials)] {
      guard let path else { continue }
      let name = shown(path, home)
      var parser = ConfigParser(file: name, kind: kind)
      try ConfigFile.withBytes(of: path, shownAs: name) { bytes throws(ConfigError) in try parser.parse(bytes) }
      merged.add(parser.sections)
      warnings += parser.warnings
    }
    return merged.result(warnings)
  }

  /// Parses a text, for tests and for what is no file.
  public static func parse(_ text: String, kind: ConfigFileKind, file: String) throws(ConfigError) -> SharedConfig {
    var parser = ConfigParser(file: file, kind: kind)
    var failure: ConfigError?
    Array(text.utf8).withUnsafeBytes { bytes in
      do throws(ConfigError) { try parser.parse(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
    var merged = MergedSections()
    merged.add(parser.sections)
    return merged.result(parser.warnings)
  }

  private static func shown(_ path: String, _ home: String?) -> String {
    guard let home, home.count > 1, path.hasPrefix(home + "/") else { return path }
    return "~" + path.dropFirst(home.count)
  }
}

/// Sections of several files put together, later ones over earlier ones.
private struct MergedSections {
  private struct Key: Hashable {
    let kind: SectionKind
    let name: String
  }
  private var order: [Key] = []
  private var sections: [Key: ParsedSection] = [:]

  mutating func add(_ parsed: [ParsedSection]) {
    let prefixedDefault = parsed.contains { $0.kind == .profile && $0.name == "default" && $0.hasPrefix }
    for section in parsed {
      if prefixedDefault, section.kind == .profile, section.name == "default", !section.hasPrefix { continue }
      let key = Key(kind: section.kind, name: section.name)
      guard var known = sections[key] else {
        order.append(key)
        sections[key] = section
        continue
      }
      for setting in section.settings {
        if let index = known.settings.firstIndex(where: { $0.setting.name == setting.setting.name }) {
          known.settings[index] = setting
        } else {
          known.settings.append(setting)
        }
      }
      sections[key] = known
    }
  }

  func result(_ warnings: [ConfigWarning]) -> SharedConfig {
    var secrets: [String: ProfileSecrets] = [:]
    var result: [ConfigSection] = []
    result.reserveCapacity(order.count)
    for key in order {
      guard let section = sections[key] else { continue }
      result.append(ConfigSection(kind: key.kind, name: key.name, settings: section.settings.map(\.setting)))
      guard let secret = section.settings.first(where: { $0.setting.name == "aws_secret_access_key" }) else { continue }
      secrets[key.name] = ProfileSecrets(
        accessKeyId: section.settings.first { $0.setting.name == "aws_access_key_id" }?.setting.text, secretAccessKey: secret.secret,
        sessionToken: section.settings.first { $0.setting.name == "aws_session_token" }?.secret, origin: secret.setting.origin)
    }
    return SharedConfig(sections: result, secrets: secrets, warnings: warnings)
  }
}
