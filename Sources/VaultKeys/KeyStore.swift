import VaultModel
import VaultSecrets

/// Stores the master keys of one vault: 32 bytes each, under their ``KeyID``.
///
/// Implementations are interchangeable. A store never generates a key and never replaces one: an unreadable key is an error, and a
/// second key under the same name is refused. All methods may be called at any time from anywhere; a store runs one operation at a
/// time.
public protocol KeyStore: Sendable {
  /// The kind of store.
  var kind: KeyStoreKind { get }

  /// Reads a key. May ask the user to unlock the store.
  func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes

  /// Stores a new key, and returns once the key has been read back and compared. Storing the same key again succeeds.
  func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError)

  /// Removes a key. Removing a missing key succeeds, but only if it is certainly missing.
  func remove(_ id: KeyID) async throws(KeyStoreError)

  /// All keys of this vault. Empty only if there certainly are none: the creation of a new vault relies on this.
  func list() async throws(KeyStoreError) -> [KeyStoreItem]

  /// The anchored checkpoint: the checkpoint of the vault's audit log last stored here; nil if there is none. It is not secret. It
  /// matters because it is outside the database, and so is not rolled back with it.
  func readCheckpoint() async throws(KeyStoreError) -> String?

  /// Stores a checkpoint of the audit log, one line, replacing the previous one.
  ///
  /// - Parameter mayAsk: a user is waiting and may be asked; without it, a store that would ask throws.
  func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError)
}

/// The kinds of store, by the names that `VAULT_KEYSTORE` accepts.
public enum KeyStoreKind: String, Sendable, CaseIterable {
  case secretService = "secret-service"
  case passphrase = "passphrase"
  case ephemeral = "ephemeral"
}

/// One key in a store.
public struct KeyStoreItem: Sendable, Hashable {
  /// Nil if the store hides its items' names while it is locked (gnome-keyring, after a restart).
  public let id: KeyID?
  /// Whether a user is asked before the key can be read.
  public let isLocked: Bool

  /// A key of this name, if the store reports it.
  public init(id: KeyID?, isLocked: Bool) {
    self.id = id
    self.isLocked = isLocked
  }
}

/// The length of a master key in bytes.
public let masterKeyLength = 32
