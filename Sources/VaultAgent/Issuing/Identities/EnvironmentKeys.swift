import AWSClient
import VaultModel
import VaultSecrets

/// Keys of the requester's environment (`credential_source = Environment`); a web identity in it if there are none, as in the SDKs.
struct EnvironmentKeys: IdentitySource {
  let action = AuditAction.environmentCredentials
  let identifiers: [String?] = ["environment"]

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let values = try await context.asked(
      [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
      ], isKept: !context.plan.steps.isEmpty)
    if let id = values.text("AWS_ACCESS_KEY_ID"), let secret = values["AWS_SECRET_ACCESS_KEY"] {
      let end = values.text("AWS_CREDENTIAL_EXPIRATION").flatMap { Timestamp(iso8601: $0) }
      guard end.map({ $0 > context.clock.now() }) ?? true else { throw IdentityError.environmentExpired }
      var event = context.event(action, profile: step.owner)
      event.accessKeyId = id
      // Never stored, whatever their expiry: they are the requester's, and may differ the next time.
      return try await context.issue(event, keeping: nil) {
        let token = values["AWS_SESSION_TOKEN"]
        return (Credential(accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiresAt: nil), nil, nil)
      }
    }
    guard let file = values.text("AWS_WEB_IDENTITY_TOKEN_FILE"), let arn = values.text("AWS_ROLE_ARN").flatMap({ RoleARN($0) })
    else { throw IdentityError.emptyEnvironment }
    let name = values.text("AWS_ROLE_SESSION_NAME").flatMap { RoleSessionName($0) }
    return try await WebIdentity(role: RoleLink(profile: step.owner, roleARN: arn), token: .file(file), sessionName: name)
      .issue(step, context)
  }
}
