import VaultKeys
import VaultModel
import VaultSecrets

/// Where the passphrase comes from: a file or descriptor that was named where the agent was started, else the person who waits.
struct PassphraseAnswers: Sendable {
  let vaultId: String
  let environment: [String: String]

  func answer(_ request: PassphraseRequest) async throws -> SecretBytes {
    if let path = CurrentPrompter.environment["VAULT_PASSPHRASE_FILE"] ?? environment["VAULT_PASSPHRASE_FILE"], !path.isEmpty {
      return try PassphraseSource.file(path)
    }
    switch request {
    case .existing: return try await CurrentPrompter.value.ask(.passphrase(vault: vaultId))
    case .new(_, let minimumLength):
      return try await CurrentPrompter.value.ask(.newPassphrase(vault: vaultId, minimumLength: minimumLength))
    }
  }
}
