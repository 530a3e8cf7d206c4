import VaultModel

/// A call to assume a role, as far as policies judge it.
public struct AssumeRoleRequest: Sendable, Hashable {
  public var caller: RequestCaller
  public var role: RoleARN
  public var sessionName: String
  public var externalId: String?
  /// What is sent, or what the caller's own session has: it persists in role chaining.
  public var sourceIdentity: String?
  /// Session tags that are sent.
  public var tags: [String: String]
  public var transitiveTagKeys: [String]
  /// Whether the caller's session has transitive tags, which are passed on.
  public var inheritsTags: Bool
  /// Other condition keys: `aws:SourceIp`, `aws:MultiFactorAuthPresent`, `aws:PrincipalTag/team`, …
  public var keys: ContextKeys

  public init(
    caller: RequestCaller, role: RoleARN, sessionName: String, externalId: String? = nil, sourceIdentity: String? = nil,
    tags: [String: String] = [:], transitiveTagKeys: [String] = [], inheritsTags: Bool = false, keys: ContextKeys = [:]
  ) {
    self.caller = caller
    self.role = role
    self.sessionName = sessionName
    self.externalId = externalId
    self.sourceIdentity = sourceIdentity
    self.tags = tags
    self.transitiveTagKeys = transitiveTagKeys
    self.inheritsTags = inheritsTags
    self.keys = keys
  }

  /// The call's own action.
  public var action: String {
    guard case .federated(let provider) = caller else { return "sts:AssumeRole" }
    return provider.contains(":saml-provider/") ? "sts:AssumeRoleWithSAML" : "sts:AssumeRoleWithWebIdentity"
  }

  /// The call's own action, and those that must be allowed for what is sent (IAM User Guide, "Passing session tags in AWS STS"
  /// and "Monitor and control actions taken with assumed roles").
  public var actions: [String] {
    [action] + (tags.isEmpty && !inheritsTags ? [] : ["sts:TagSession"])
      + (sourceIdentity == nil ? [] : ["sts:SetSourceIdentity"])
  }

  /// The call as policies see it, for one of its actions.
  public func policyRequest(_ action: String) -> PolicyRequest {
    var context: ContextKeys = [
      "sts:RoleSessionName": [sessionName], "aws:SecureTransport": ["true"], "aws:ResourceAccount": [role.account],
      "aws:TagKeys": tags.keys.sorted(), "sts:TransitiveTagKeys": transitiveTagKeys,
    ]
    context["sts:ExternalId"] = externalId.map { [$0] }
    context["sts:SourceIdentity"] = sourceIdentity.map { [$0] }
    for (key, value) in tags { context["aws:RequestTag/\(key)"] = [value] }
    return PolicyRequest(caller: caller, action: action, resource: role.text, keys: context.merging(keys))
  }
}

/// The policies that decide about an `AssumeRole`. One that is nil is not there, or is not known, and refuses nothing.
public struct AssumeRolePolicies: Sendable, Hashable {
  /// The policies of the caller: its user's and groups', or its role's.
  public var identity: [PolicyDocument]?
  /// The policy of the role that is assumed.
  public var trust: PolicyDocument?
  /// The permissions boundary of the caller.
  public var boundary: PolicyDocument?
  /// The policies that the caller's own session was limited to.
  public var session: [PolicyDocument]?
  /// The service control policies over the caller's account, a list for each level of the organization: each level must allow.
  public var serviceControl: [[PolicyDocument]]?
  /// The resource control policies over the role's account, a list for each level.
  public var resourceControl: [[PolicyDocument]]?

  public init(
    identity: [PolicyDocument]? = nil, trust: PolicyDocument? = nil, boundary: PolicyDocument? = nil,
    session: [PolicyDocument]? = nil, serviceControl: [[PolicyDocument]]? = nil, resourceControl: [[PolicyDocument]]? = nil
  ) {
    self.identity = identity
    self.trust = trust
    self.boundary = boundary
    self.session = session
    self.serviceControl = serviceControl
    self.resourceControl = resourceControl
  }
}
