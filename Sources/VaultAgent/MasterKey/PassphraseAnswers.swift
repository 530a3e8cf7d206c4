import VaultKeys
import VaultModel
import VaultSecrets

/// Where the passphrase comes from: what the asker's environment names, a file that was named where the agent was started, or the person who
/// waits.
struct PassphraseAnswers: Sendable {
  let vaultId: String
  let environment: [String: String]

  func answer(_ request: PassphraseRequest) async throws -> SecretBytes {
    let asked = CurrentPrompter.environment
    // Who asks now comes before who started the agent, whose file may be gone by now. A descriptor is the client's to read.
    if let path = asked["VAULT_PASSPHRASE_FILE"], !path.isEmpty { return try PassphraseSource.file(path) }
    let isDescribed = asked["VAULT_PASSPHRASE_FD"]?.isEmpty == false
    if asked["VAULT_PASSPHRASE_FILE"] == nil, !isDescribed, let path = environment["VAULT_PASSPHRASE_FILE"], !path.isEmpty {
      do {
        return try PassphraseSource.file(path)
      } catch {
        // Somebody else's file, of another day: it must not keep those out who can answer. Where nobody is there, it says why.
        CurrentPrompter.value.notice(
          "where the agent was started, VAULT_PASSPHRASE_FILE led to nothing: \(Failure(error).message)")
      }
    }
    switch request {
    case .existing: return try await CurrentPrompter.value.ask(.passphrase(vault: vaultId))
    case .new(_, let minimumLength):
      return try await CurrentPrompter.value.ask(.newPassphrase(vault: vaultId, minimumLength: minimumLength))
    }
  }
}
