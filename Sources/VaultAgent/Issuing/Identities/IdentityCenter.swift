import AWSClient
import VaultModel
import VaultSecrets

/// A permission set of IAM Identity Center, with the token of a sign-in.
struct IdentityCenter: IdentitySource {
  let profile: String
  let account: String
  let role: String
  let config: SSOSessionConfig

  let action = AuditAction.getRoleCredentials
  var owner: String? { profile }
  var identifiers: [String?] {
    ["sso", config.name, config.startURL, config.region, account, role, config.portal.url]
  }
  var host: String? { (try? portal)?.host ?? "" }

  private var portal: ServiceEndpoint {
    get throws { try ServiceEndpoint(.portal, region: config.region, settings: config.portal) }
  }

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let token = try await context.ssoSessions.token(config, context.asker)
    do {
      return try await issue(step, token: token, context)
    } catch let error as SSOPortalError where error.reason == .signInAgain {
      // Revoked before its expiry: a refresh token may still get another one.
      return try await issue(step, token: try await context.ssoSessions.replacement(of: token, config, context.asker), context)
    }
  }

  private func issue(_ step: CredentialPlan.IdentityStep, token: SecretBytes, _ context: IssueContext) async throws
    -> Credential?
  {
    let endpoint = try portal
    var event = context.event(action, profile: step.owner)
    event.detail = "\(config.name): account \(account), permission set \(role)"
    let route = try await context.route(
      to: endpoint, config.portal, sending: "the token of your sign-in to \(config.name)")
    event.go(to: endpoint, by: route)
    context.prompter.progress("asking IAM Identity Center for \(role) in \(account) …")
    return try await context.issue(event, keeping: (.role, step.fingerprint)) {
      let issued = try await context.clients.portal.getRoleCredentials(
        account: account, role: role, token: token, at: endpoint, via: route)
      var credential = issued.credential
      credential.accountId = account
      return (credential, issued.requestId, nil)
    }
  }
}
