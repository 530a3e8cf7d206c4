import VaultModel

/// Why a passphrase is requested.
public enum PassphraseRequest: Sendable, Hashable {
  /// For a key that is about to be stored. Ask twice; refuse fewer characters than this.
  case new(KeyID, minimumLength: Int)
  /// For a key that is stored.
  case existing(KeyID)
}
