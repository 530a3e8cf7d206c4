import AWSClient
import VaultModel
import VaultSecrets

/// The endpoint that a container's environment names (`credential_source = EcsContainer`).
struct Container: IdentitySource {
  let action = AuditAction.containerCredentials
  let identifiers: [String?] = ["container"]

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let values = try await context.asked([
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    ])
    let place = try ContainerEndpoint(
      relativeURI: values.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
      fullURI: values.text("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
    guard let place else { throw IdentityError.noContainer }
    var authorization = values["AWS_CONTAINER_AUTHORIZATION_TOKEN"].map { ContainerAuthorization.token($0) } ?? .none
    if let path = values.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") { authorization = .file(path) }
    var event = context.event(action, profile: step.owner)
    event.endpoint = place.host
    return try await context.issue(event, keeping: (.token, step.fingerprint)) {
      let issued = try await context.clients.container.getCredentials(from: place, authorization: authorization)
      return (issued.credential, issued.requestId, nil)
    }
  }
}
