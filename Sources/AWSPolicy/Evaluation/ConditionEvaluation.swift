import VaultModel
import VaultSecrets

extension PolicyCondition {
  /// Whether the condition holds (IAM User Guide, "IAM JSON policy elements: Condition operators" and "Single-valued vs.
  /// multivalued context keys").
  ///
  /// - Parameter hasVariables: whether the policy's version has variables.
  func holds(for keys: ContextKeys, hasVariables: Bool = true) -> Bool {
    let actual = keys[key]
    // "A null data set, such as an empty string".
    let isNull = actual?.allSatisfy(\.isEmpty) ?? true
    if test.comparison == .null { return values.contains { $0.lowercased() == (isNull ? "true" : "false") } }
    guard let actual else {
      if test.ifExists { return true }
      return switch test.quantifier {
      case .forAllValues: true
      case .forAnyValue: false
      case nil: test.comparison.isNegated
      }
    }
    let comparison = test.comparison
    let expected = values.compactMap { ExpectedValue($0, for: comparison, variables: hasVariables ? keys : nil) }
    func fits(_ value: String) -> Bool { expected.contains { $0.matches(value, comparison) } }
    return switch test.quantifier {
    case .forAllValues: isNull || actual.allSatisfy { fits($0) != comparison.isNegated }
    case .forAnyValue: !isNull && actual.contains { fits($0) != comparison.isNegated }
    // IAM requires a quantifier for a key with several values, and does not say what happens without one.
    case nil: actual.contains(where: fits) != comparison.isNegated
    }
  }
}

extension ConditionOperator.Comparison {
  /// Whether it is true of a value that equals none of the policy's, and of a key that the request does not have.
  public var isNegated: Bool {
    switch self {
    case .stringNotEquals, .stringNotEqualsIgnoreCase, .stringNotLike, .numericNotEquals, .dateNotEquals, .notIpAddress,
      .arnNotEquals,
      .arnNotLike:
      true
    default: false
    }
  }
}

/// A value of a condition in a policy, read as its operator needs it.
private enum ExpectedValue {
  case text(WildcardPattern)
  case folded(WildcardPattern)
  case arn([WildcardPattern])
  case number(ConditionNumber)
  case date(Timestamp)
  case bool(Bool)
  case bytes([UInt8])
  case addresses(AddressRange)

  /// - Returns: nil for a value that cannot match: it lacks the operator's form, or a variable in it has no value.
  init?(_ text: String, for comparison: ConditionOperator.Comparison, variables keys: ContextKeys?) {
    func pattern(_ text: String, hasWildcards: Bool = true) -> WildcardPattern? {
      guard let keys else { return WildcardPattern(text, hasWildcards: hasWildcards) }
      return WildcardPattern(text, hasWildcards: hasWildcards, variables: keys)
    }
    let read: ExpectedValue? =
      switch comparison {
      case .stringLike, .stringNotLike: pattern(text).map { .text($0) }
      case .stringEquals, .stringNotEquals: pattern(text, hasWildcards: false).map { .text($0) }
      case .stringEqualsIgnoreCase, .stringNotEqualsIgnoreCase: pattern(text, hasWildcards: false).map { .folded($0.lowercased) }
      case .arnEquals, .arnLike, .arnNotEquals, .arnNotLike: pattern(text).map { .arn($0.segments) }
      case .numericEquals, .numericNotEquals, .numericLessThan, .numericLessThanEquals, .numericGreaterThan,
        .numericGreaterThanEquals:
        ConditionNumber(text).map { .number($0) }
      case .dateEquals, .dateNotEquals, .dateLessThan, .dateLessThanEquals, .dateGreaterThan, .dateGreaterThanEquals:
        Timestamp(condition: text).map { .date($0) }
      case .bool: Self.bool(pattern(text, hasWildcards: false)).map { .bool($0) }
      case .binaryEquals: Base64.decoded(text).map { .bytes($0) }
      case .ipAddress, .notIpAddress: AddressRange(text).map { .addresses($0) }
      case .null: nil
      }
    guard let read else { return nil }
    self = read
  }

  private static func bool(_ pattern: WildcardPattern?) -> Bool? {
    guard let pattern = pattern?.lowercased else { return nil }
    return pattern.matches("true") ? true : pattern.matches("false") ? false : nil
  }

  /// Whether a value of the request matches, before negation.
  func matches(_ value: String, _ comparison: ConditionOperator.Comparison) -> Bool {
    switch self {
    case .text(let pattern): return pattern.matches(value)
    case .folded(let pattern): return pattern.matches(value.lowercased())
    case .arn(let segments):
      let parts = value.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
      return segments.count == 6 && parts.count == 6 && zip(segments, parts).allSatisfy { $0.matches(String($1)) }
    case .number(let expected):
      guard let actual = ConditionNumber(value) else { return false }
      return Self.compare(comparison, isEqual: actual == expected, isLess: actual < expected)
    case .date(let expected):
      guard let actual = Timestamp(condition: value) else { return false }
      return Self.compare(comparison, isEqual: actual == expected, isLess: actual < expected)
    case .bool(let expected): return value.lowercased() == (expected ? "true" : "false")
    case .bytes(let expected): return Base64.decoded(value) == expected
    case .addresses(let range): return AddressRange(value).map { range.contains($0) } ?? false
    }
  }

  private static func compare(_ comparison: ConditionOperator.Comparison, isEqual: Bool, isLess: Bool) -> Bool {
    switch comparison {
    case .numericLessThan, .dateLessThan: isLess
    case .numericLessThanEquals, .dateLessThanEquals: isLess || isEqual
    case .numericGreaterThan, .dateGreaterThan: !isLess && !isEqual
    case .numericGreaterThanEquals, .dateGreaterThanEquals: !isLess
    default: isEqual
    }
  }
}
