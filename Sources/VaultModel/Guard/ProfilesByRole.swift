/// Which profiles give a role's credentials: a guard rule for one of their names holds for the role by whichever name it is reached.
public final class ProfilesByRole: Sendable {
  private let names: [String: [String]]

  /// - Parameter roleARNs: the ARNs of the role that a profile gives; see ``CredentialChain/deliveredRoleARNs``.
  public init(_ profiles: [String], roleARNs: (String) -> [String]) {
    names = profiles.reduce(into: [:]) { names, profile in
      for role in roleARNs(profile) { names[Self.key(role), default: []].append(profile) }
    }
  }

  /// The profiles of a role, by any of its ARNs.
  public func names(of roleARNs: [String]) -> [String] { roleARNs.flatMap { names[Self.key($0)] ?? [] } }

  /// Two roles of an account differ in more than case (IAM API reference, `CreateRole`, "RoleName").
  private static func key(_ role: String) -> String { role.lowercased() }
}
