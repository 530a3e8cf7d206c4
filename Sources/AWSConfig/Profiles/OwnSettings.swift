import VaultModel

extension SharedConfig {
  /// The vault's own settings: what stands under `[default]` in its files, which are in the grammar of the AWS config file.
  /// - Parameters:
  ///   - files: absolute paths; a later one counts before an earlier one, and one that is missing says nothing.
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
