/// Whether a role may be assumed, and which policies refuse it.
public struct AssumeRoleDecision: Sendable, Hashable {
  /// A policy that can refuse.
  public enum Side: Sendable, Hashable {
    case identityPolicy
    case trustPolicy
    case permissionsBoundary
    case sessionPolicy
    case serviceControlPolicy
    case resourceControlPolicy
  }

  /// One side's refusal of one action.
  public struct Refusal: Sendable, Hashable {
    /// `sts:AssumeRole`, `sts:TagSession` or `sts:SetSourceIdentity`.
    public let action: String
    public let side: Side
    /// Why: the statement that denies, or those that nearly allow.
    public let decision: PolicyDecision

    /// Whether a statement denies it, rather than none allowing it.
    public var isExplicit: Bool { decision.outcome == .explicitDeny }
  }

  /// All refusals, the call's own action first, and of an action the explicit ones alone where there are any.
  public let refusals: [Refusal]

  public var isAllowed: Bool { refusals.isEmpty }
  /// The refusal to name; nil if the role may be assumed.
  public var refusal: Refusal? { refusals.first }

  /// Decides as IAM does (IAM User Guide, "Policy evaluation logic"; STS API Reference, `AssumeRole`).
  ///
  /// - The trust policy must allow the caller in any case.
  /// - The caller's own policies must allow it too, except within an account where the trust policy names the caller itself, its
  ///   role, or anyone. Naming the account leaves it to the caller's policies.
  /// - A boundary or session policy must allow it, except within an account where the trust policy names the caller itself or
  ///   anyone.
  /// - The organization's policies must allow it on each level.
  /// - An explicit deny of any of them counts before all else.
  ///
  /// If the trust policy is not known, it is taken to name the account.
  public init(_ request: AssumeRoleRequest, _ policies: AssumeRolePolicies) {
    refusals = request.actions.flatMap { Self.refusals(of: $0, request, policies) }
  }

  private static func refusals(of action: String, _ call: AssumeRoleRequest, _ policies: AssumeRolePolicies) -> [Refusal] {
    let request = call.policyRequest(action)
    func refusal(_ side: Side, _ documents: [PolicyDocument]?) -> Refusal? {
      guard let documents else { return nil }
      let decision = PolicyDecision(of: documents, on: request)
      return decision.isAllowed ? nil : Refusal(action: action, side: side, decision: decision)
    }
    let trust = policies.trust?.decision(on: request)
    let isWithinAccount = call.caller.account == call.role.account
    let grant = isWithinAccount ? trust?.principal ?? .account : .account
    // "When you assume a role with another role, permissions for sts:SetSourceIdentity are required in both" policies.
    let needsBoth = action != call.action && call.caller.isRoleSession
    var found: [(refusal: Refusal?, isLifted: Bool)] = [
      (trust.flatMap { $0.isAllowed ? nil : Refusal(action: action, side: .trustPolicy, decision: $0) }, false)
    ]
    // A service and a federated identity have no policies of their own.
    if call.caller.account != nil {
      found.insert((refusal(.identityPolicy, policies.identity), grant >= .role && !needsBoth), at: 0)
      found.append((refusal(.permissionsBoundary, policies.boundary.map { [$0] }), grant == .direct))
      found.append((refusal(.sessionPolicy, policies.session), grant == .direct))
      found += (policies.serviceControl ?? []).map { (refusal(.serviceControlPolicy, $0), false) }
    }
    found += (policies.resourceControl ?? []).map { (refusal(.resourceControlPolicy, $0), false) }
    let explicit = found.compactMap(\.refusal).filter(\.isExplicit)
    return explicit.isEmpty ? found.compactMap { $0.isLifted ? nil : $0.refusal } : explicit
  }
}
