/// Limits for a file.
///
/// Each is far above real files (the longest config in the issues of similar tools has 7,000 lines), and low enough that the time
/// and memory that a hostile file costs grow no faster than the file. The number of sections is limited only by the size of the
/// file.
enum ConfigLimits {
  static let fileBytes = 16 << 20
  /// Settings of one section, or of a profile with everything that it includes.
  static let settingsOfSection = 500
  /// Lines of one nested value.
  static let nestedSettings = 500
  /// The name of a section or a setting.
  static let nameBytes = 256
  /// The content of a section's header, with prefix, quotes and blanks.
  static let headerBytes = 1_024
  static let warnings = 1_000
  /// Profiles that one profile may include, directly or through others.
  static let includes = 16
  /// The value of a role's parameter; 50 tags of maximum length are shorter.
  static let parameterBytes = 100_000
}
