/// The region that a command of ours has set in this environment. It is no word of the person's: what is asked of another profile is not asked
/// in it, and it goes when the next one is set.
enum OwnRegion {
  /// Holds the region that was set.
  static let mark = "VAULT_AWS_REGION"
  static let names = ["AWS_REGION", "AWS_DEFAULT_REGION"]

  /// Whether a variable of the region is ours.
  static func set(_ name: String, _ value: String) -> Bool { names.contains(name) && value == variable(mark) }

  /// The variables of the region that are ours here.
  static var present: [String] { names.filter { name in variable(name).map { set(name, $0) } ?? false } }

  /// Whether a region is another than the person's own words say here.
  static func isNew(_ region: String) -> Bool {
    !names.contains { name in variable(name).map { $0 == region && !set(name, $0) } ?? false }
  }
}
