/// How a `Principal` element matches a caller. It decides which other policies must allow the request too (IAM User Guide, "Policy
/// evaluation for requests within a single account"). Later cases need less.
public enum PrincipalMatch: Int, Sendable, Hashable, Comparable {
  /// By the account, which leaves the decision to the caller's own policies.
  case account
  /// By the ARN or id of the caller's role. Limits of the session still apply.
  case role
  /// By the caller's own ARN or id, or as anyone.
  case direct

  public static func < (a: PrincipalMatch, b: PrincipalMatch) -> Bool { a.rawValue < b.rawValue }
}

extension PrincipalElement {
  /// - Returns: nil if the element does not match the caller.
  public func match(_ caller: RequestCaller) -> PrincipalMatch? {
    let match = principals.compactMap { $0.match(caller) }.max()
    // IAM refuses NotPrincipal in a trust policy. Elsewhere, the exceptions are listed with their roles and accounts.
    return isNegated ? (match == nil ? .direct : nil) : match
  }
}

extension Principal {
  /// - Returns: nil if the principal does not match the caller. Nothing in it is a pattern: "You cannot use a wildcard to match
  ///   part of a principal name or ARN" (IAM User Guide, "AWS JSON policy elements: Principal").
  public func match(_ caller: RequestCaller) -> PrincipalMatch? {
    switch (self, caller) {
    case (.anyone, _), (.aws("*"), _): return .direct
    case (.service(let name), .service(let caller)): return name == caller ? .direct : nil
    case (.federated(let provider), .federated(let caller)): return provider == caller ? .direct : nil
    case (.aws(let text), _):
      guard let arn = caller.arn, let account = caller.account else { return nil }
      if text == arn { return caller.isRoot ? .account : .direct }
      // The id of a session's role. After a role is deleted, its id matches nobody, and least of all a new role of that name.
      if text == caller.id || text == caller.principalARN { return caller.isRoleSession ? .role : .direct }
      let partition = arn.split(separator: ":")[1]
      return text == account || text == "arn:\(partition):iam::\(account):root" ? .account : nil
    default: return nil
    }
  }
}

extension RequestCaller {
  /// Whether it is a session of a role.
  public var isRoleSession: Bool { if case .roleSession = self { true } else { false } }
  fileprivate var isRoot: Bool { if case .root = self { true } else { false } }
}
