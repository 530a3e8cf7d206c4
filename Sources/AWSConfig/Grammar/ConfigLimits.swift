/// How much of a file is taken.
///
/// Each is far above what people have (the longest config in rivals' issues has 7,000 lines) and low enough that the time and the
/// memory that a hostile file costs grow no faster than the file. How many sections there are is limited by the file's size alone.
enum ConfigLimits {
  static let fileBytes = 16 << 20
  /// Settings of one section, or of a profile with all that it includes.
  static let settingsOfSection = 500
  /// Lines of one nested value.
  static let nestedSettings = 500
  /// A section's or a setting's name.
  static let nameBytes = 256
  /// What stands in a section's header, with the prefix, quotes and blanks.
  static let headerBytes = 1_024
  static let warnings = 1_000
  /// Profiles that one profile may include, one through the other.
  static let includes = 16
  /// The value of a role's parameter: 50 tags of the longest kind are shorter.
  static let parameterBytes = 100_000
}
