import VaultModel
import VaultSecrets

// The calls that take a token or an assertion in place of a signature (STS API).
extension STSClient {
  /// `AssumeRoleWithWebIdentity`.
  ///
  /// - Parameter token: of the identity provider, as it came.
  public func assumeRoleWithWebIdentity(
    _ link: RoleLink, sessionName: RoleSessionName, duration: SessionDuration, token: SecretBytes, at endpoint: AWSEndpoint,
    via route: Route
  ) async throws -> STSResult {
    var form = FormBody(action: "AssumeRoleWithWebIdentity")
    form.add("RoleArn", link.roleARN.text)
    form.add("RoleSessionName", sessionName.text)
    form.add("WebIdentityToken", token)
    addCommon(link, duration, to: &form)
    return try await mint("AssumeRoleWithWebIdentity", form.finish(), nil, endpoint, route)
  }

  /// `AssumeRoleWithSAML`.
  ///
  /// - Parameter assertion: the identity provider's response, Base64.
  public func assumeRoleWithSAML(
    _ link: RoleLink, providerARN: String, duration: SessionDuration, assertion: SecretBytes, at endpoint: AWSEndpoint,
    via route: Route
  ) async throws -> STSResult {
    var form = FormBody(action: "AssumeRoleWithSAML")
    form.add("RoleArn", link.roleARN.text)
    form.add("PrincipalArn", providerARN)
    form.add("SAMLAssertion", assertion)
    addCommon(link, duration, to: &form)
    return try await mint("AssumeRoleWithSAML", form.finish(), nil, endpoint, route)
  }

  private func addCommon(_ link: RoleLink, _ duration: SessionDuration, to form: inout FormBody) {
    form.add("DurationSeconds", String(duration.seconds))
    form.add("Policy", link.policy)
    for (index, arn) in link.policyARNs.enumerated() { form.add("PolicyArns.member.\(index + 1).arn", arn) }
  }
}
