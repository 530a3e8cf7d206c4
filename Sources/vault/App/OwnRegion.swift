/// The region that a `vault` command has set in this environment. It is not the user's choice: it does not apply to requests for
/// another profile, and it is removed when the next region is set.
enum OwnRegion {
  /// Holds the region that was set.
  static let mark = "VAULT_AWS_REGION"
  static let names = ["AWS_REGION", "AWS_DEFAULT_REGION"]

  /// Whether a region variable was set by the vault.
  static func set(_ name: String, _ value: String) -> Bool { names.contains(name) && value == variable(mark) }

  /// The region variables in this environment that were set by the vault.
  static var present: [String] { names.filter { name in variable(name).map { set(name, $0) } ?? false } }

  /// Whether a region differs from the one that the user set here.
  static func isNew(_ region: String) -> Bool {
    !names.contains { name in variable(name).map { $0 == region && !set(name, $0) } ?? false }
  }
}
