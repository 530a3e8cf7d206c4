import VaultModel
import VaultSecrets

/// The parameters of a role request in which an identity provider's statement replaces a signature.
public struct FederatedRoleRequest: Sendable {
  public var roleARN: RoleARN
  public var duration: SessionDuration?
  /// A session policy, JSON.
  public var policy: String?
  public var policyARNs: [String]

  public init(roleARN: RoleARN, duration: SessionDuration? = nil, policy: String? = nil, policyARNs: [String] = []) {
    self.roleARN = roleARN
    self.duration = duration
    self.policy = policy
    self.policyARNs = policyARNs
  }

  fileprivate func add(to form: inout FormBody) {
    for (index, arn) in policyARNs.enumerated() { form.add("PolicyArns.member.\(index + 1).arn", arn) }
    form.add("Policy", policy)
    form.add("DurationSeconds", duration.map { String($0.seconds) })
  }
}

extension STSClient {
  /// `AssumeRoleWithWebIdentity`: unsigned.
  ///
  /// - Parameter token: an OpenID Connect token, 4 to 20,000 characters.
  public func assumeRoleWithWebIdentity(
    _ request: FederatedRoleRequest, sessionName: RoleSessionName, token: SecretBytes, at endpoint: STSEndpoint,
    via route: NetworkSettings
  ) async throws -> STSResult {
    let action = "AssumeRoleWithWebIdentity"
    guard token.plain(4...20_000) != nil else {
      throw AWSError(
        .invalid("the web identity token is not 4 to 20000 printable characters"), action: action, host: endpoint.host)
    }
    var form = FormBody(action: action)
    form.add("RoleArn", request.roleARN.text)
    form.add("RoleSessionName", sessionName.text)
    form.add("WebIdentityToken", token)
    request.add(to: &form)
    return try await mint(action, form.finish(), signedBy: nil, at: endpoint, via: route, for: (request.roleARN, sessionName))
  }

  /// `AssumeRoleWithSAML`: unsigned.
  ///
  /// - Parameters:
  ///   - request: with a role from the assertion.
  ///   - principalARN: the provider that the assertion lists with that role.
  public func assumeRoleWithSAML(
    _ request: FederatedRoleRequest, principalARN: String, assertion: SAMLAssertion, at endpoint: STSEndpoint,
    via route: NetworkSettings
  ) async throws -> STSResult {
    var form = FormBody(action: "AssumeRoleWithSAML")
    form.add("RoleArn", request.roleARN.text)
    form.add("PrincipalArn", principalARN)
    form.add("SAMLAssertion", assertion.encoded)
    request.add(to: &form)
    return try await mint(
      "AssumeRoleWithSAML", form.finish(), signedBy: nil, at: endpoint, via: route, for: (request.roleARN, nil))
  }
}
