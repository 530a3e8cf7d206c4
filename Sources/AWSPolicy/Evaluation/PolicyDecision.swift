/// The decision of policies of one kind about a request: those of an identity, for example, or a role's trust policy.
public struct PolicyDecision: Sendable, Hashable {
  public enum Outcome: Sendable, Hashable {
    case allow
    /// A statement denies it. No other policy can allow it then.
    case explicitDeny
    /// No statement allows it.
    case implicitDeny
  }

  /// A statement, and the policy it is in. Both are counted from 0.
  public struct StatementPlace: Sendable, Hashable {
    public let policy: Int
    public let statement: Int
    public let sid: String?
  }

  /// A part of a statement that does not match the request.
  public enum Mismatch: Sendable, Hashable {
    case principal
    case action
    case resource
    /// - Parameter actual: the key's values in the request; nil if it has none.
    case condition(PolicyCondition, actual: [String]?)
  }

  /// A statement that would allow the request but for its mismatches.
  public struct NearMiss: Sendable, Hashable {
    public let place: StatementPlace
    public let mismatches: [Mismatch]
  }

  public let outcome: Outcome
  /// The statement that allows or denies; nil for an implicit deny.
  public let statement: StatementPlace?
  /// How the statement that allows matches the caller; nil in a policy that names no principals.
  public let principal: PrincipalMatch?
  /// For an implicit deny, the statements that allow something else, the nearest first.
  public let nearMisses: [NearMiss]

  public var isAllowed: Bool { outcome == .allow }

  /// Evaluates all policies of one kind together: their order and the order of their statements have no effect on the outcome.
  public init(of policies: [PolicyDocument], on request: PolicyRequest) {
    var allowed: (place: StatementPlace, principal: PrincipalMatch?)?
    var nearMisses: [NearMiss] = []
    for (number, policy) in policies.enumerated() {
      for (index, statement) in policy.statements.enumerated() {
        let place = StatementPlace(policy: number, statement: index, sid: statement.sid)
        let mismatches = statement.mismatches(with: request, hasVariables: policy.version == .v2012)
        switch (statement.effect, mismatches.isEmpty) {
        case (.deny, true):
          self.init(outcome: .explicitDeny, statement: place, principal: nil, nearMisses: [])
          return
        case (.allow, true):
          let principal = statement.principals?.match(request.caller)
          // Of several statements, the one that leaves least to other policies.
          if allowed == nil || principal.map({ $0 > allowed?.principal ?? .account }) == true { allowed = (place, principal) }
        case (.allow, false): nearMisses.append(NearMiss(place: place, mismatches: mismatches))
        case (.deny, false): break
        }
      }
    }
    if let allowed {
      self.init(outcome: .allow, statement: allowed.place, principal: allowed.principal, nearMisses: [])
    } else {
      let sorted = nearMisses.enumerated().sorted { ($0.element.weight, $0.offset) < ($1.element.weight, $1.offset) }.map(
        \.element)
      self.init(outcome: .implicitDeny, statement: nil, principal: nil, nearMisses: sorted)
    }
  }

  private init(outcome: Outcome, statement: StatementPlace?, principal: PrincipalMatch?, nearMisses: [NearMiss]) {
    self.outcome = outcome
    self.statement = statement
    self.principal = principal
    self.nearMisses = nearMisses
  }
}

extension PolicyDecision.NearMiss {
  /// How far the statement is from a match. One about another action or resource is further than one whose conditions are not met.
  fileprivate var weight: Int {
    mismatches.reduce(0) { sum, mismatch in
      switch mismatch {
      case .action: sum + 10_000
      case .resource, .principal: sum + 100
      case .condition: sum + 1
      }
    }
  }
}

extension PolicyDocument {
  /// The decision of this policy alone.
  public func decision(on request: PolicyRequest) -> PolicyDecision { PolicyDecision(of: [self], on: request) }
}

extension Statement {
  /// The parts of the statement that do not match a request; empty if the statement applies to it.
  ///
  /// - Parameter hasVariables: whether the policy's version has variables, as 2012-10-17 does.
  public func mismatches(with request: PolicyRequest, hasVariables: Bool = true) -> [PolicyDecision.Mismatch] {
    var mismatches: [PolicyDecision.Mismatch] = []
    if let principals, principals.match(request.caller) == nil { mismatches.append(.principal) }
    let action = request.action.lowercased()
    if actions.patterns.contains(where: { WildcardPattern($0.lowercased()).matches(action) }) == actions.isNegated {
      mismatches.append(.action)
    }
    if let resources {
      let keys = hasVariables ? request.keys : nil
      let isMeant = resources.patterns.contains {
        WildcardPattern(resource: $0, variables: keys)?.matches(request.resource) == true
      }
      if isMeant == resources.isNegated { mismatches.append(.resource) }
    }
    for condition in conditions where !condition.holds(for: request.keys, hasVariables: hasVariables) {
      mismatches.append(.condition(condition, actual: request.keys[condition.key]))
    }
    return mismatches
  }
}
