import SimulatorModel
import VaultModel

/// Who may assume which role (IAM User Guide, "Policy evaluation logic", and "Cross-account").
struct Trust {
  let world: STSWorld

  /// Whether the caller may assume the role: the role's trust policy and the caller's own must agree.
  ///
  /// A trust policy that names the caller suffices within an account; one that names the caller's account leaves it to the
  /// caller's own policy; and across accounts that policy must allow it in any case.
  func allows(_ caller: Caller, _ role: STSWorld.Role, _ parameters: AssumeRoleParameters, mfa: Bool) -> Bool {
    if let externalId = role.externalId, parameters.externalId != externalId { return false }
    if role.requiresMFA, !mfa { return false }
    if role.requiresSourceIdentity, parameters.sourceIdentity ?? caller.session?.sourceIdentity == nil { return false }
    let named = role.trusts.contains { $0 == caller.principal || $0 == caller.arn || $0 == "*" }
    let account = role.trusts.contains {
      $0 == caller.account || ($0.hasSuffix(":root") && Caller.account(of: $0) == caller.account)
    }
    if named, caller.account == parameters.role.account { return true }
    return (named || account) && policy(of: caller).contains { Self.matches(role.arn, $0) }
  }

  private func policy(of caller: Caller) -> [String] {
    caller.isRole
      ? world.roles.first { $0.arn == caller.principal }?.mayAssume ?? []
      : world.users.first { $0.arn == caller.principal }?.mayAssume ?? []
  }

  /// Whether a text is one that a pattern with `*` for any text stands for.
  static func matches(_ text: String, _ pattern: String) -> Bool {
    let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard pieces.count > 1, let first = pieces.first, let last = pieces.last else { return text == pattern }
    guard text.hasPrefix(first) else { return false }
    var rest = text.dropFirst(first.count)
    for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
      guard let found = rest.range(of: piece) else { return false }
      rest = rest[found.upperBound...]
    }
    return rest.count >= last.count && rest.hasSuffix(last)
  }
}
