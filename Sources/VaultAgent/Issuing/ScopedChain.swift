import VaultModel

// What a request asks for besides its profile, in the chain that leads to its credentials.
extension CredentialChain {
  /// The chain with a request's own role after it, and with the last call narrowed.
  ///
  /// - Throws: for an identity whose own credentials AWS does not narrow, and for a profile with other session policies.
  func scoped(_ asked: SessionScope, role: RoleARN?, keyUse: KeyUse = .session) throws(Failure) -> CredentialChain {
    var chain = self
    if let role {
      var device: String?
      if roles.isEmpty, case .keys(_, _, let serial) = identity { device = serial }
      chain.roles.append(
        RoleLink(
          profile: profile, roleARN: role, mfaSerial: device, mfaProcess: device == nil ? nil : mfaProcess, region: region,
          endpoint: endpoint))
    }
    guard !asked.isEmpty else { return chain }
    let scope = asked.inOrder
    if let last = chain.roles.popLast() {
      chain.roles.append(try last.narrowed(by: scope))
    } else if let role = identity.role {
      try scope.requirePolicies(of: "a web identity or an assertion takes", profile: profile)
      chain.identity.role = try role.narrowed(by: scope)
    } else if case .keys = identity {
      guard keyUse != .themselves else {
        throw Failure(
          "an access key itself cannot be narrowed", hint: "leave out --no-session, or the options that narrow the session",
          exitStatus: .configuration)
      }
      var rest = scope
      rest.tags = []
      try rest.requirePolicies(of: "a federation token takes", profile: profile, "but session policies and tags")
    } else {
      throw Self.notNarrowed(
        profile, "AWS issues the credentials of \"\(profile)\" as they are, and cannot narrow them")
    }
    return chain
  }

  fileprivate static func notNarrowed(_ profile: String, _ message: String) -> Failure {
    Failure(
      message, hint: "put a role after it: --role ARN --source \(profile), or a profile with role_arn and source_profile",
      exitStatus: .configuration)
  }
}

extension SessionScope {
  /// The same scope in the one order in which a fingerprint has it.
  fileprivate var inOrder: SessionScope {
    var scope = self
    scope.policyARNs.sort()
    scope.tags.sort { $0.key < $1.key }
    scope.transitiveTagKeys.sort()
    return scope
  }

  /// - Throws: if it has anything but policies.
  fileprivate func requirePolicies(
    of call: String, profile: String, _ those: String = "but session policies"
  ) throws(Failure) {
    var rest = self
    (rest.isReadOnly, rest.policy, rest.policyARNs) = (false, nil, [])
    guard !rest.isEmpty else { return }
    let names = [
      rest.tags.isEmpty ? nil : "tags", rest.transitiveTagKeys.isEmpty ? nil : "transitive tags",
      rest.sourceIdentity.map { _ in "a source identity" }, rest.externalId.map { _ in "an external id" },
    ].compactMap { $0 }
    throw CredentialChain.notNarrowed(
      profile, "the session of \"\(profile)\" cannot have \(names.joined(separator: ", ")): \(call) nothing \(those)")
  }
}

extension RoleLink {
  /// The call with a scope besides the profile's own parameters, none of which it replaces.
  fileprivate func narrowed(by asked: SessionScope) throws(Failure) -> RoleLink {
    var scope = asked
    (scope.isReadOnly, scope.policyARNs) = (false, asked.managedPolicies(in: roleARN.partition))
    for arn in scope.policyARNs {
      let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
      guard parts[1] == roleARN.partition, parts[4] == "aws" || parts[4] == roleARN.account else {
        throw Failure(
          "a session policy of \(roleARN.text) must be of its account or AWS's own, and \(arn) is neither",
          hint: "name a policy of the account \(roleARN.account)", exitStatus: .configuration)
      }
    }
    let own = SessionScope {
      ($0.policy, $0.policyARNs, $0.tags, $0.transitiveTagKeys) = (policy, policyARNs, tags, transitiveTagKeys)
      ($0.sourceIdentity, $0.externalId) = (sourceIdentity, externalId)
    }
    let both: SessionScope
    do { both = try own.narrowed(by: scope) } catch {
      let isWider = own.narrows && scope.narrows
      throw Failure(
        "profile \"\(profile)\" cannot be narrowed: "
          + (isWider
            ? "it has session policies of its own, and AWS would allow what either they or the others allow" : error.message),
        hint:
          "use a profile of the role without \(isWider ? "policy and policy_arns" : "that setting"), or --role \(roleARN.text)",
        exitStatus: .configuration)
    }
    var link = self
    (link.policy, link.policyARNs, link.tags, link.transitiveTagKeys) = (
      both.policy, both.policyARNs, both.tags, both.transitiveTagKeys
    )
    (link.sourceIdentity, link.externalId) = (both.sourceIdentity, both.externalId)
    return link
  }
}
