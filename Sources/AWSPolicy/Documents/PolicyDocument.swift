/// A policy document of IAM (IAM User Guide, "Grammar of the IAM JSON policy language").
public struct PolicyDocument: Sendable, Hashable {
  public enum Version: String, Sendable, Hashable {
    /// The version before policy variables; the default where a document names none.
    case v2008 = "2008-10-17"
    case v2012 = "2012-10-17"
  }

  public var version: Version
  public var id: String?
  public var statements: [Statement]

  public init(_ statements: [Statement], version: Version = .v2012, id: String? = nil) {
    self.version = version
    self.id = id
    self.statements = statements
  }
}

/// A statement of a policy.
public struct Statement: Sendable, Hashable {
  public enum Effect: String, Sendable, Hashable {
    case allow = "Allow"
    case deny = "Deny"
  }

  public var sid: String?
  public var effect: Effect
  /// `Principal` or `NotPrincipal`, of a policy that is attached to a resource: a trust policy.
  public var principals: PrincipalElement?
  /// `Action` or `NotAction`.
  public var actions: PatternElement
  /// `Resource` or `NotResource`; a trust policy has none.
  public var resources: PatternElement?
  public var conditions: [PolicyCondition]

  public init(
    sid: String? = nil, _ effect: Effect = .allow, principals: PrincipalElement? = nil, actions: PatternElement,
    resources: PatternElement? = nil, conditions: [PolicyCondition] = []
  ) {
    self.sid = sid
    self.effect = effect
    self.principals = principals
    self.actions = actions
    self.resources = resources
    self.conditions = conditions
  }
}

/// Patterns with `*` and `?`: `Action` and `Resource`, or `NotAction` and `NotResource`.
public struct PatternElement: Sendable, Hashable {
  public var isNegated: Bool
  public var patterns: [String]

  public init(_ patterns: [String], isNegated: Bool = false) {
    self.patterns = patterns
    self.isNegated = isNegated
  }
}

/// `Principal`, or `NotPrincipal`.
public struct PrincipalElement: Sendable, Hashable {
  public var isNegated: Bool
  public var principals: [Principal]

  public init(_ principals: [Principal], isNegated: Bool = false) {
    self.principals = principals
    self.isNegated = isNegated
  }
}

/// Who is meant in a resource-based policy (IAM User Guide, "AWS JSON policy elements: Principal").
public enum Principal: Sendable, Hashable {
  /// `"Principal": "*"`.
  case anyone
  /// An ARN, an account's twelve digits, the unique id of something that was deleted, or `*`.
  case aws(String)
  case service(String)
  case federated(String)
  case canonicalUser(String)

  /// The name of its kind in a `Principal` element, and its value there; no name for `"Principal": "*"`.
  var parts: (kind: String?, value: String) {
    switch self {
    case .anyone: (nil, "*")
    case .aws(let value): ("AWS", value)
    case .service(let value): ("Service", value)
    case .federated(let value): ("Federated", value)
    case .canonicalUser(let value): ("CanonicalUser", value)
    }
  }

  init?(kind: String, value: String) {
    switch kind {
    case "AWS": self = .aws(value)
    case "Service": self = .service(value)
    case "Federated": self = .federated(value)
    case "CanonicalUser": self = .canonicalUser(value)
    default: return nil
    }
  }
}

/// One key of a `Condition`, with the operator that compares it.
public struct PolicyCondition: Sendable, Hashable {
  public var test: ConditionOperator
  /// A condition key, compared without regard to case: `aws:PrincipalArn`.
  public var key: String
  public var values: [String]

  public init(_ test: ConditionOperator, key: String, values: [String]) {
    self.test = test
    self.key = key
    self.values = values
  }
}

/// A condition operator with its quantifier and `IfExists` (IAM User Guide, "IAM JSON policy elements: Condition operators").
public struct ConditionOperator: Sendable, Hashable {
  public enum Quantifier: String, Sendable, Hashable {
    case forAllValues = "ForAllValues"
    case forAnyValue = "ForAnyValue"
  }

  public enum Comparison: String, Sendable, Hashable, CaseIterable {
    case stringEquals = "StringEquals"
    case stringNotEquals = "StringNotEquals"
    case stringEqualsIgnoreCase = "StringEqualsIgnoreCase"
    case stringNotEqualsIgnoreCase = "StringNotEqualsIgnoreCase"
    case stringLike = "StringLike"
    case stringNotLike = "StringNotLike"
    case numericEquals = "NumericEquals"
    case numericNotEquals = "NumericNotEquals"
    case numericLessThan = "NumericLessThan"
    case numericLessThanEquals = "NumericLessThanEquals"
    case numericGreaterThan = "NumericGreaterThan"
    case numericGreaterThanEquals = "NumericGreaterThanEquals"
    case dateEquals = "DateEquals"
    case dateNotEquals = "DateNotEquals"
    case dateLessThan = "DateLessThan"
    case dateLessThanEquals = "DateLessThanEquals"
    case dateGreaterThan = "DateGreaterThan"
    case dateGreaterThanEquals = "DateGreaterThanEquals"
    case bool = "Bool"
    case binaryEquals = "BinaryEquals"
    case ipAddress = "IpAddress"
    case notIpAddress = "NotIpAddress"
    case arnEquals = "ArnEquals"
    case arnNotEquals = "ArnNotEquals"
    case arnLike = "ArnLike"
    case arnNotLike = "ArnNotLike"
    case null = "Null"
  }

  public var quantifier: Quantifier?
  public var comparison: Comparison
  public var ifExists: Bool

  public init(_ comparison: Comparison, ifExists: Bool = false, quantifier: Quantifier? = nil) {
    self.quantifier = quantifier
    self.comparison = comparison
    self.ifExists = ifExists
  }

  /// - Parameter name: as in a policy: `ForAnyValue:StringLikeIfExists`.
  /// - Returns: nil for a name that IAM does not have.
  public init?(name: String) {
    let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var word = parts[parts.count - 1]
    let isOptional = word.hasSuffix("IfExists")
    if isOptional { word = word.dropLast("IfExists".count) }
    let quantifier = parts.count == 2 ? Quantifier(rawValue: String(parts[0])) : nil
    guard parts.count == 1 || quantifier != nil, let comparison = Comparison(rawValue: String(word)),
      !(isOptional && comparison == .null)
    else { return nil }
    self.init(comparison, ifExists: isOptional, quantifier: quantifier)
  }

  /// The name as in a policy.
  public var name: String { (quantifier.map { $0.rawValue + ":" } ?? "") + comparison.rawValue + (ifExists ? "IfExists" : "") }
}
