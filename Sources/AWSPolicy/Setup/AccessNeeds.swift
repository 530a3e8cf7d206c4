import VaultModel

/// What one call for a role needs on the AWS side: who calls, for which role, and what the vault sends.
///
/// A profile makes one such call, or several where a role is assumed from a role. It is the question that the trust policy of the
/// role and the policies of the caller have to answer.
public struct AccessNeeds: Sendable, Hashable {
  /// The requested profile.
  public var profile: String
  public var door: Door
  public var role: RoleARN
  /// What the call carries.
  public var sent: SentParameters
  /// The region in which STS is called, and the program works; nil if neither the profile nor the environment names one.
  public var region: String?

  public init(profile: String, door: Door, role: RoleARN, sent: SentParameters = SentParameters(), region: String? = nil) {
    self.profile = profile
    self.door = door
    self.role = role
    self.sent = sent
    self.region = region
  }

  /// The last call of a chain, which gets the profile's own credentials.
  ///
  /// - Returns: nil if the chain assumes no role: the profile has an identity's own credentials.
  public init?(_ chain: CredentialChain) {
    guard let last = Self.calls(of: chain).last else { return nil }
    self = last
  }

  /// Every call for a role that a chain makes, in the order in which they are made.
  public static func calls(of chain: CredentialChain) -> [AccessNeeds] {
    var calls: [AccessNeeds] = []
    func add(_ role: RoleARN, _ sent: SentParameters) {
      let door = calls.last.map { .role($0.role) } ?? Door(chain.identity)
      calls.append(AccessNeeds(profile: chain.profile, door: door, role: role, sent: sent, region: chain.region))
    }
    if let own = chain.identity.role { add(own.roleARN, SentParameters(tokenFor: own)) }
    for link in chain.roles {
      let isChained = !calls.isEmpty || chain.identity.isRole
      add(link.roleARN, SentParameters(link, isChained: isChained, after: calls.last?.sent ?? SentParameters()))
    }
    return calls
  }

  /// The actions that the trust policy of the role must allow: the call itself, and those for what it sends.
  public var trustedActions: [String] { [door.action] + sent.actions }

  /// The actions that a policy of the caller must allow on the role: the same; none for the callers that have no policy, because a
  /// token or an assertion takes the place of a signature.
  public var identityActions: [String] {
    switch door {
    case .webIdentity, .saml: []
    default: trustedActions
    }
  }
}

extension RoleARN {
  /// The path of the role, `/` or `/PATH/` (IAM User Guide, "IAM identifiers").
  public var path: String {
    let resource = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)[5]
    return String(resource.dropFirst("role".count).dropLast(name.count))
  }
}
