import VaultModel

/// What a passphrase is asked for.
public enum PassphraseRequest: Sendable, Hashable {
  /// For a key that is about to be stored. Ask twice. Fewer characters than this are refused.
  case new(KeyID, minimumLength: Int)
  /// For a key that is stored.
  case existing(KeyID)
}
