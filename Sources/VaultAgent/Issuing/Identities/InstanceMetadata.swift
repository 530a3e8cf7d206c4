import AWSClient
import VaultModel
import VaultSecrets

/// An EC2 instance's own role (`credential_source = Ec2InstanceMetadata`).
struct InstanceMetadata: IdentitySource {
  let action = AuditAction.instanceCredentials
  let identifiers: [String?] = ["instance"]

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let values = try await context.asked([
      "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_DISABLED",
    ])
    guard values.text("AWS_EC2_METADATA_DISABLED")?.lowercased() != "true" else { throw IdentityError.metadataDisabled }
    let mode = values.text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").flatMap { InstanceMetadataEndpoint.Mode($0) } ?? .ipv4
    let endpoint = try InstanceMetadataEndpoint(url: values.text("AWS_EC2_METADATA_SERVICE_ENDPOINT"), mode: mode)
    var event = context.event(action, profile: step.owner)
    event.endpoint = endpoint.host
    return try await context.issue(event, keeping: (.token, step.fingerprint)) {
      let issued = try await context.clients.instance.getCredentials(from: endpoint)
      return (issued.credential, issued.requestId, nil)
    }
  }
}
