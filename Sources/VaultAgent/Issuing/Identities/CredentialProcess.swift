import AWSClient
import VaultModel
import VaultSecrets

/// A program of the person's that prints credentials.
struct CredentialProcess: IdentitySource {
  let profile: String
  let command: String

  let action = AuditAction.credentialProcess
  var owner: String? { profile }
  var identifiers: [String?] { ["process", command] }

  func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
    let program = (try? ShellWords.split(command).first) ?? "credential_process"
    var event = context.event(action, profile: step.owner)
    event.detail = program
    context.prompter.progress("waiting for \(program) …")
    return try await context.issue(event, keeping: (.token, step.fingerprint)) {
      let printed = try await context.run(command, setting: "credential_process", of: step.owner)
      return (try CredentialProcessAnswer(printed, now: context.clock.now()).credential, nil, nil)
    }
  }
}
