import AWSClient
import VaultModel
import VaultSecrets

/// A role that is assumed with a SAML assertion, which a command prints or the person enters.
struct SAML: IdentitySource {
  let role: RoleLink
  let providerARN: String?
  let command: String?

  let action = AuditAction.assumeRoleWithSAML
  var identifiers: [String?] { ["saml", providerARN, command] }
  let acceptsDuration = true

  func plan(_ step: inout CredentialPlan.IdentityStep, for request: IdentityRequest, digest: inout PlanDigest) -> Bool {
    digest.add(identifiers)
    step.assume(role, for: request, &digest)
    return true
  }

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let text: SecretBytes
    if let command {
      context.prompter.progress("waiting for \(command.prefix { $0 != " " }) …")
      text = try await context.run(command, setting: "saml_process", of: step.owner)
    } else {
      text = try await context.prompter.ask(.assertion(profile: context.plan.profile))
    }
    let assertion = try SAMLAssertion(text.trimmed)
    let offered = assertion.roles.first {
      $0.roleARN == role.roleARN && (providerARN == nil || providerARN == $0.principalARN)
    }
    guard let offered else {
      throw IdentityError.roleNotOffered(role: role.roleARN.text, offered: assertion.roles.map(\.roleARN.text))
    }
    var event = context.event(action, profile: step.owner)
    event.roleARN = role.roleARN.text
    event.roleSessionName = assertion.roleSessionName
    event.durationSeconds = step.duration.seconds
    event.detail = offered.principalARN
    return try await context.sts(
      event, region: step.region, step.endpoint, sending: "a SAML assertion", for: role.roleARN.name,
      keeping: (.role, step.fingerprint)
    ) { endpoint, route in
      try await context.clients.sts.assumeRoleWithSAML(
        FederatedRoleRequest(role, for: step.duration), principalARN: offered.principalARN, assertion: assertion, at: endpoint,
        via: route)
    }
  }
}
