import VaultModel

extension SharedConfig {
  /// The vault's own settings, under `[default]` in its files, which use the grammar of the AWS config file.
  /// - Parameters:
  ///   - files: absolute paths; a later one takes precedence, and a missing one counts as empty.
  ///   - home: the folder that is shown as `~`.
  public static func ownSettings(of files: [String], home: String? = nil) throws(ConfigError) -> [String: Setting] {
    var values: [String: Setting] = [:]
    for file in files {
      let sections = try read(configFile: file, credentialsFile: nil, home: home).sections
      for setting in sections.first(where: { $0.kind == .profile && $0.name == "default" })?.settings ?? [] {
        values[setting.name] = setting
      }
    }
    return values
  }
}
