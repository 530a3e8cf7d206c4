import Synchronization
import VaultModel
import VaultSecrets

/// Keeps master keys in this process's guarded memory only, for a vault that ends with its agent, as in a CI job.
///
/// Encrypted data cannot be read after the process has ended; that is the purpose. This store is therefore never used unless it was
/// chosen, and only for a vault with its own folder.
public final class EphemeralKeyStore: KeyStore {
  private struct State {
    var keys: [KeyID: SecretBytes] = [:]
    var anchoredCheckpoint: String?
  }
  private let state = Mutex(State())
  private let isAllowed: Bool

  /// Ephemeral.
  public let kind = KeyStoreKind.ephemeral

  /// - Parameter hasOwnFolder: whether the vault was given its folder (`VAULT_HOME`); a vault in the default folder is meant to
  ///   last.
  public init(hasOwnFolder: Bool) { isAllowed = hasOwnFolder }

  /// - Throws: `keyGone`: a key that is not here exists nowhere.
  public func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes {
    guard let key = state.withLock({ $0.keys[id] }) else { throw .keyGone(id) }
    return key
  }

  /// - Throws: `ephemeralHome`, `keyExists`.
  public func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError) {
    precondition(key.count == masterKeyLength, "a master key has \(masterKeyLength) bytes")
    guard isAllowed else { throw .ephemeralHome }
    let isSame = state.withLock { state in
      if let known = state.keys[id] { return known.equals(key) }
      state.keys[id] = key
      return true
    }
    guard isSame else { throw .keyExists(id) }
  }

  public func remove(_ id: KeyID) async throws(KeyStoreError) { state.withLock { $0.keys[id] = nil } }

  public func list() async throws(KeyStoreError) -> [KeyStoreItem] {
    state.withLock { $0.keys.keys.map { KeyStoreItem(id: $0, isLocked: false) } }
  }

  public func readCheckpoint() async throws(KeyStoreError) -> String? { state.withLock { $0.anchoredCheckpoint } }

  public func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError) {
    state.withLock { $0.anchoredCheckpoint = line }
  }
}
