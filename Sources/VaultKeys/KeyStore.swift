import VaultModel
import VaultSecrets

/// Where the master keys of one vault are kept: 32 bytes each, under their ``KeyID``.
///
/// A seam. A store never makes a key up and never replaces one: a key that cannot be read is an error, and a second key under the
/// same name is refused. All methods may be called at any time from anywhere; a store does one thing after the other.
public protocol KeyStore: Sendable {
  /// Which kind of store it is.
  var kind: KeyStoreKind { get }

  /// The key. May ask the person to unlock the store.
  func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes

  /// Stores a new key, and returns once it has been read back and is the same. Storing the same key again is fine.
  func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError)

  /// Removes a key. Removing what is not there is fine, but only where it is certain that it is not there.
  func remove(_ id: KeyID) async throws(KeyStoreError)

  /// All keys of this vault. Empty only where it is certain that there are none: that is what a new vault rests on.
  func list() async throws(KeyStoreError) -> [KeyStoreItem]

  /// The head of the vault's audit log that was put here last; nil where there is none. It is no secret: what counts is that it is not
  /// in the database, and so does not go back with it.
  func readCheckpoint() async throws(KeyStoreError) -> String?

  /// Puts the head of the audit log here, one line, in the place of the one before.
  ///
  /// - Parameter mayAsk: a person waits for it, and may be asked; without one a store that would ask throws.
  func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError)
}

/// The kinds of store, by the names that `VAULT_KEYSTORE` takes.
public enum KeyStoreKind: String, Sendable, CaseIterable {
  case secretService = "secret-service"
  case passphrase = "passphrase"
  case ephemeral = "ephemeral"
}

/// One key in a store.
public struct KeyStoreItem: Sendable, Hashable {
  /// Nil where the store hides its items' names while it is locked (gnome-keyring, after a restart).
  public let id: KeyID?
  /// Whether a person is asked before it can be read.
  public let isLocked: Bool

  /// A key of this name, if the store tells it.
  public init(id: KeyID?, isLocked: Bool) {
    self.id = id
    self.isLocked = isLocked
  }
}

/// The length of a master key in bytes.
public let masterKeyLength = 32
