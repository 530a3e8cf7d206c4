/// A request as policies judge it (IAM User Guide, "Policy evaluation logic", "Processing the request context").
public struct PolicyRequest: Sendable, Hashable {
  public var caller: RequestCaller
  /// `sts:AssumeRole`.
  public var action: String
  /// The resource's ARN, or `*` for an action that has none.
  public var resource: String
  public var keys: ContextKeys

  /// - Parameter keys: condition keys beside those that follow from the caller, such as `aws:PrincipalArn`.
  public init(caller: RequestCaller, action: String, resource: String, keys: ContextKeys = [:]) {
    self.caller = caller
    self.action = action
    self.resource = resource
    self.keys = ContextKeys(caller.keys).merging(keys)
  }
}

/// The condition keys of a request with their values. "Key names are case-insensitive" (IAM User Guide, "IAM JSON policy elements:
/// Condition").
public struct ContextKeys: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  private var values: [String: [String]] = [:]

  /// For a name that is there twice, the later value counts.
  public init(dictionaryLiteral elements: (String, [String])...) {
    for (name, texts) in elements { self[name] = texts }
  }

  public init(_ values: [String: [String]]) {
    for (name, texts) in values { self[name] = texts }
  }

  /// The values of a key; nil for a key that the request does not have.
  public subscript(_ name: String) -> [String]? {
    get { values[name.lowercased()] }
    set { values[name.lowercased()] = newValue?.isEmpty == true ? nil : newValue }
  }

  /// These, with `other`'s put over them.
  public func merging(_ other: ContextKeys) -> ContextKeys {
    var merged = self
    merged.values.merge(other.values) { $1 }
    return merged
  }
}
