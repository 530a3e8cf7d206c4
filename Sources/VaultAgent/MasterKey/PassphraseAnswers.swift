import VaultKeys
import VaultModel
import VaultSecrets

/// The sources of the passphrase: the requester's environment, a file that was named at the agent's start, or a prompt.
struct PassphraseAnswers: Sendable {
  let vaultId: String
  let environment: [String: String]

  func answer(_ request: PassphraseRequest) async throws -> SecretBytes {
    let asked = CurrentPrompter.environment
    // The requester takes precedence over the environment at the agent's start, whose file may be gone. A descriptor is read by the
    // client.
    if let path = asked["VAULT_PASSPHRASE_FILE"], !path.isEmpty { return try PassphraseSource.file(path) }
    let isDescribed = asked["VAULT_PASSPHRASE_FD"]?.isEmpty == false
    if asked["VAULT_PASSPHRASE_FILE"] == nil, !isDescribed, let path = environment["VAULT_PASSPHRASE_FILE"], !path.isEmpty {
      do {
        return try PassphraseSource.file(path)
      } catch {
        // An outdated file of another requester must not stop a person who can answer. If nobody can, the notice gives the reason.
        CurrentPrompter.value.notice(
          "VAULT_PASSPHRASE_FILE of the agent's environment cannot be used: \(Failure(error).message)")
      }
    }
    switch request {
    case .existing: return try await CurrentPrompter.value.ask(.passphrase(vault: vaultId))
    case .new(_, let minimumLength):
      return try await CurrentPrompter.value.ask(.newPassphrase(vault: vaultId, minimumLength: minimumLength))
    }
  }
}
