import Synchronization
import VaultKeys
import VaultModel
import VaultSecrets

/// Where the passphrase comes from: a file that the person named, else the person.
final class PassphraseAnswers: Sendable {
  private let vaultId: String
  private let environment: [String: String]

  init(vaultId: String, environment: [String: String]) {
    self.vaultId = vaultId
    self.environment = environment
  }
}
