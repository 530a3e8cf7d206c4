import VaultModel

/// The combined content of both shared files. The credentials file wins for the same setting of the same profile.
public struct SharedConfig: Sendable {
  public var sections: [ConfigSection]
  /// By profile name; only profiles that hold a secret.
  public var secrets: [String: ProfileSecrets]
  public var warnings: [ConfigWarning]

  public init(sections: [ConfigSection], secrets: [String: ProfileSecrets], warnings: [ConfigWarning]) {
    self.sections = sections
    self.secrets = secrets
    self.warnings = warnings
  }

  /// Reads both files. A missing one counts as empty.
  /// - Parameters:
  ///   - configFile, credentialsFile: absolute paths; nil for a file not to read.
  ///   - home: the folder that is shown as `~`.
  public static func read(configFile: String?, credentialsFile: String?, home: String?) throws(ConfigError) -> SharedConfig {
    let config = try parse(configFile, kind: .config, home: home)
    let credentials = try parse(credentialsFile, kind: .credentials, home: home)
    var table = config.table
    table.merge(credentials.table)
    var secrets: [String: ProfileSecrets] = [:]
    for section in table.sections { if let found = section.secrets { secrets[section.name] = found } }
    return SharedConfig(
      sections: table.sections.map(\.section), secrets: secrets, warnings: config.warnings + credentials.warnings)
  }

  /// Everything that was ignored, and invalid access keys.
  public var allWarnings: [ConfigWarning] {
    warnings + secrets.sorted { $0.key < $1.key }.compactMap { $0.value.fault(of: $0.key) }
  }

  private static func parse(
    _ path: String?, kind: ConfigFileKind, home: String?
  ) throws(ConfigError) -> (table: SectionTable, warnings: [ConfigWarning]) {
    guard let path else { return (SectionTable(), []) }
    let file = try ConfigFile(path, shown: shown(path, home: home))
    defer { withExtendedLifetime(file) {} }
    return try ConfigParser.parse(file.bytes, file: file.shown, kind: kind)
  }

  /// The path as the user knows it.
  static func shown(_ path: String, home: String?) -> String {
    guard var home = home.map({ $0[...] }) else { return path }
    while home.hasSuffix("/") { home = home.dropLast() }
    return !home.isEmpty && path.hasPrefix(home + "/") ? "~" + path.dropFirst(home.count) : path
  }
}
