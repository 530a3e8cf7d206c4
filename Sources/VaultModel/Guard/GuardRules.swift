/// All guard rules, of the machine's settings and of the user's.
///
/// A rule can only demand more, never less: so no file can loosen what another one says.
public struct GuardRules: Sendable, Hashable {
  /// In the order of the files and their lines.
  public let rules: [GuardRule]

  public init(_ rules: [GuardRule] = []) { self.rules = rules }

  public var isEmpty: Bool { rules.isEmpty }

  /// What the rules say about a profile.
  ///
  /// - Parameters:
  ///   - roleARNs: the role whose credentials it gives; several where its ARN is only partly known.
  ///   - otherNames: other profiles of that role.
  public func decision(profile: String, roleARNs: [String], otherNames: [String] = []) -> GuardDecision {
    let names = [profile] + roleARNs + otherNames
    return GuardDecision(rules: rules.filter { rule in names.contains { rule.glob.matches($0) } })
  }

  /// Whether a rule that does not apply to a profile by these may apply by another name of its role.
  public func dependsOnNames(profile: String, roleARNs: [String]) -> Bool {
    !roleARNs.isEmpty
      && rules.contains { rule in
        !rule.glob.isForRoles && !rule.glob.matches(profile) && !roleARNs.contains { rule.glob.matches($0) }
      }
  }
}

/// What the rules that apply to a profile demand together.
@dynamicMemberLookup
public struct GuardDecision: Sendable, Hashable {
  public let rules: [GuardRule]
  public let limits: GuardLimits

  public init(rules: [GuardRule]) {
    self.rules = rules
    limits = rules.reduce(into: GuardLimits()) { $0.tighten(by: $1.limits) }
  }

  /// Whether any rule applies.
  public var isGuarded: Bool { !rules.isEmpty }
  public subscript<Value>(dynamicMember path: KeyPath<GuardLimits, Value>) -> Value { limits[keyPath: path] }
}
