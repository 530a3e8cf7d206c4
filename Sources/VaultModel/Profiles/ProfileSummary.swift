/// The kind of a profile: the source of its own credentials.
public enum ProfileKind: String, Sendable, CaseIterable {
  case assumeRole = "assume-role"
  case sso, keys
  case webIdentity = "web-identity"
  case saml, process, container, environment
}

/// A profile as `vault list` shows it, computed when the profile is read rather than when it is listed.
public struct ProfileSummary: Sendable, Hashable {
  public var name: String
  /// Nil if the profile cannot lead to credentials; `problem` then says why.
  public var kind: ProfileKind?
  public var roleARN: String?
  /// The profile (or `credential_source`) from which a role is assumed.
  public var source: String?
  public var region: String?
  public var problem: String?
  /// The name of the sign-in that provides the profile's identity; nil if it has another source.
  public var signIn: String?
  public var rotation: RotationRule.Mode

  public init(
    name: String, kind: ProfileKind?, roleARN: String? = nil, source: String? = nil, region: String? = nil,
    problem: String? = nil, signIn: String? = nil, rotation: RotationRule.Mode = .used
  ) {
    self.rotation = rotation
    self.name = name
    self.kind = kind
    self.roleARN = roleARN
    self.source = source
    self.region = region
    self.problem = problem
    self.signIn = signIn
  }
}
