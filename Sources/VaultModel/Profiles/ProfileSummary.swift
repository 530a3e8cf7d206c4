/// The kind of a profile: by what its own credentials come.
public enum ProfileKind: String, Sendable, CaseIterable {
  case assumeRole = "assume-role"
  case sso, keys
  case webIdentity = "web-identity"
  case saml, process, container, environment
}

/// What `vault list` says of a profile, worked out when the profile is taken in and not when it is listed.
public struct ProfileSummary: Sendable, Hashable {
  public var name: String
  /// Nil where the profile cannot lead to credentials; `problem` then says why.
  public var kind: ProfileKind?
  public var roleARN: String?
  /// The profile (or `credential_source`) that a role is assumed from.
  public var source: String?
  public var region: String?
  public var problem: String?
  /// The name of the sign-in that the profile's identity comes from; nil where it comes from elsewhere.
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
