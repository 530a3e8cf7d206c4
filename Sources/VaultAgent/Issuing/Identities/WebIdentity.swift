import AWSClient
import Glibc
import VaultModel
import VaultSecrets

/// A role that is assumed with an OIDC provider's token.
struct WebIdentity: IdentitySource {
  let role: RoleLink
  let token: WebIdentityToken
  /// A session name that differs from the plan's.
  var sessionName: RoleSessionName?

  var action: AuditAction { .assumeRoleWithWebIdentity }
  var identifiers: [String?] { ["web identity", "\(token)"] }
  var acceptsDuration: Bool { true }
  var acceptsSessionName: Bool { true }

  func plan(_ step: inout CredentialPlan.IdentityStep, for request: IdentityRequest, digest: inout PlanDigest) -> Bool {
    step.sessionName = request.sessionName ?? role.roleSessionName ?? step.sessionName
    digest.add(identifiers)
    step.assume(role, for: request, &digest)
    return true
  }

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let token = try await readToken(of: step.owner, context)
    let name = sessionName ?? step.sessionName
    var event = context.event(action, profile: step.owner)
    event.roleARN = role.roleARN.text
    event.roleSessionName = name.text
    event.durationSeconds = step.duration.seconds
    return try await context.sts(
      event, region: step.region, step.endpoint, sending: "a web identity token", for: role.roleARN.name,
      keeping: (.role, step.fingerprint)
    ) { endpoint, route in
      try await context.clients.sts.assumeRoleWithWebIdentity(
        FederatedRoleRequest(role, for: step.duration), sessionName: name, token: token, at: endpoint, via: route)
    }
  }

  /// The agent's home, which is the person's: an automatic renewal must not depend on the last requester.
  private static var home: String? { getenv("HOME").map { String(cString: $0) } }

  /// The token, read each time: its issuer rewrites the file.
  private func readToken(of owner: String, _ context: IssueContext) async throws -> SecretBytes {
    let text: SecretBytes
    let name: String
    switch token {
    case .file(let path):
      text = try SecretFile.read(path, atMost: 32 * 1_024, home: Self.home)
      name = path
    case .process(let command):
      text = try await context.run(command, setting: "web_identity_token_process", of: owner)
      name = "web_identity_token_process"
    case .gitHubActions(let audience):
      let values = try await context.asked(["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
      guard let url = values.text("ACTIONS_ID_TOKEN_REQUEST_URL"), let secret = values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] else {
        throw IdentityError.noGitHubToken
      }
      return try await context.clients.gitHub.getToken(
        url: url, requestToken: secret, audience: audience, proxies: ProxySettings { context.request.environment[$0] })
    }
    let trimmed = text.trimmed
    guard (4...20_000).contains(trimmed.count), trimmed.withBytes({ $0.allSatisfy { (33...126).contains($0) } }) else {
      throw IdentityError.badToken(source: name)
    }
    return trimmed
  }
}

extension CredentialPlan.IdentityStep {
  /// The credentials are those of a role, which its own profile requests.
  mutating func assume(_ role: RoleLink, for request: IdentityRequest, _ digest: inout PlanDigest) {
    (owner, region, endpoint) = (role.profile, role.region, role.endpoint)
    duration = request.duration ?? role.duration ?? duration
    digest.add(role, name: sessionName, duration: duration)
  }
}

extension FederatedRoleRequest {
  init(_ role: RoleLink, for duration: SessionDuration) {
    self.init(roleARN: role.roleARN, duration: duration, policy: role.policy, policyARNs: role.policyARNs)
  }
}
