import VaultConcurrency
import VaultModel
import VaultSecrets

/// Keeps master keys in files under a passphrase, for machines without a desktop: servers, containers, CI.
///
/// There is one file per key in the database's folder, named `master-key-` and the key's id. ``KeyFile`` describes its format.
/// Nothing is cached: callers that need a key again must keep it.
public struct PassphraseKeyStore: KeyStore {
  /// Passphrase.
  public let kind = KeyStoreKind.passphrase
  /// The minimum length of a new passphrase, in characters (Unicode scalars). NIST SP 800-63B requires 8 if attempts are limited;
  /// for an attacker who has the file, Argon2id is the only limit.
  public static let minimumLength = 12
  private static let prefix = "master-key-"
  private static let checkpointName = "audit-head"

  private let vaultId: String
  private let directory: String
  private let cost: PassphraseCost
  private let passphrase: @Sendable (PassphraseRequest) async throws -> SecretBytes
  private let queue = BlockingQueue()

  /// - Parameters:
  ///   - vaultId: the vault; another vault's file is not opened.
  ///   - directory: exists, belongs to this user, and is not writable by others.
  ///   - passphrase: supplies the passphrase, from a prompt, a file or a descriptor. Called once per key that is read or written.
  public init(
    vaultId: String, directory: String, passphrase: @escaping @Sendable (PassphraseRequest) async throws -> SecretBytes
  ) {
    self.init(vaultId: vaultId, directory: directory, cost: .moderate, passphrase: passphrase)
  }

  /// With costs chosen by the caller, for tests.
  package init(
    vaultId: String, directory: String, cost: PassphraseCost,
    passphrase: @escaping @Sendable (PassphraseRequest) async throws -> SecretBytes
  ) {
    self.vaultId = vaultId
    self.directory = directory
    self.cost = cost
    self.passphrase = passphrase
  }

  /// Asks for the passphrase after the file's integrity has been checked.
  ///
  /// - Throws: `keyMissing`, `damaged`, `unsafeFile`, `wrongPassphrase`, `noPassphrase`, `noMemory`, `inputOutput`.
  public func read(_ id: KeyID) async throws(KeyStoreError) -> SecretBytes {
    // A missing or damaged file is reported before the user types anything.
    let file = try await off { () throws(KeyStoreError) in try load(id) }
    let passphrase = try await ask(.existing(id))
    return try await off { () throws(KeyStoreError) in try open(file, id: id, passphrase: passphrase) }
  }

  /// Asks for a new passphrase; for the current one if the key is already stored.
  ///
  /// - Throws: `keyExists`, `passphraseTooShort`, and the errors of ``read(_:)``.
  public func write(_ key: SecretBytes, as id: KeyID) async throws(KeyStoreError) {
    precondition(key.count == masterKeyLength, "a master key has \(masterKeyLength) bytes")
    if try await exists(id) {
      guard try await read(id).equals(key) else { throw .keyExists(id) }
      return
    }
    let passphrase = try await ask(.new(id, minimumLength: Self.minimumLength))
    guard passphrase.characters >= Self.minimumLength else { throw .passphraseTooShort(minimum: Self.minimumLength) }
    try await off { () throws(KeyStoreError) in
      try PrivateFile.checkFolder(directory)
      guard let file = KeyFile(sealing: key, passphrase: passphrase, vaultId: vaultId, keyId: id, cost: cost) else {
        throw .noMemory(bytes: Int(cost.kibibytes) << 10)
      }
      guard try PrivateFile.create(folder: directory, name: name(id), temporary: temporary(id), file.bytes) else {
        throw .keyExists(id)
      }
      guard try open(try load(id), id: id, passphrase: passphrase).equals(key) else {
        throw .damaged(id, path: path(id), reason: "the key read back differs from the key written")
      }
    }
  }

  /// Does not ask for a passphrase. Also removes a damaged file, but never another vault's.
  public func remove(_ id: KeyID) async throws(KeyStoreError) {
    try await off { () throws(KeyStoreError) in
      try PrivateFile.checkFolder(directory)
      try PrivateFile.remove(folder: directory, name: temporary(id))
      do throws(KeyStoreError) {
        _ = try load(id)
      } catch {
        // An absent or damaged file of this vault ends up absent. Another vault's file, or an unsafe one, must not be removed.
        switch error {
        case .keyMissing: return
        case .damaged: break
        default: throw error
        }
      }
      try PrivateFile.remove(folder: directory, name: name(id))
    }
  }

  /// All keys of this vault; each is locked, since each needs the passphrase.
  public func list() async throws(KeyStoreError) -> [KeyStoreItem] {
    try await off { () throws(KeyStoreError) in
      try PrivateFile.checkFolder(directory)
      var items: [KeyStoreItem] = []
      for name in try PrivateFile.names(in: directory) where name.hasPrefix(Self.prefix) {
        guard let id = KeyID(String(name.dropFirst(Self.prefix.count))) else { continue }
        do throws(KeyStoreError) {
          _ = try load(id)
        } catch {
          // Another vault's file does not count. A damaged one does: no new vault may be created if there was a key.
          if case .keyMissing = error { continue }
          guard case .damaged = error else { throw error }
        }
        items.append(KeyStoreItem(id: id, isLocked: true))
      }
      return items
    }
  }

  /// A file beside the keys. An attacker who can restore an old database can restore this file too; the Secret Service is the
  /// better place.
  public func readCheckpoint() async throws(KeyStoreError) -> String? {
    try await off { () throws(KeyStoreError) in
      let path = directory + "/" + Self.checkpointName
      try PrivateFile.checkFolder(directory)
      guard try PrivateFile.exists(path) else { return nil }
      return try PrivateFile.open(path, followingLinks: false).read(limit: 1_024) { String(decoding: $0, as: UTF8.self) }
    }
  }

  public func writeCheckpoint(_ line: String, mayAsk: Bool) async throws(KeyStoreError) {
    try await off { () throws(KeyStoreError) in
      try PrivateFile.checkFolder(directory)
      _ = try PrivateFile.create(
        folder: directory, name: Self.checkpointName, temporary: "." + Self.checkpointName + ".new", replacing: true,
        Array(line.utf8))
    }
  }

  private func off<Value: Sendable>(_ work: @escaping @Sendable () throws(KeyStoreError) -> Value) async throws(KeyStoreError)
    -> Value
  {
    try await queue.run { () -> Result<Value, KeyStoreError> in
      do throws(KeyStoreError) { return .success(try work()) } catch { return .failure(error) }
    }.get()
  }

  private func exists(_ id: KeyID) async throws(KeyStoreError) -> Bool {
    do throws(KeyStoreError) {
      _ = try await off { () throws(KeyStoreError) in try load(id) }
      return true
    } catch {
      if case .keyMissing = error { return false }
      throw error
    }
  }

  /// The file of a key; `keyMissing` if there is none, or if it belongs to another vault.
  private func load(_ id: KeyID) throws(KeyStoreError) -> KeyFile {
    let path = path(id)
    try PrivateFile.checkFolder(directory)
    guard try PrivateFile.exists(path) else { throw .keyMissing(id) }
    let bytes = try PrivateFile.open(path, followingLinks: false).read(limit: KeyFile.length + 1) { Array($0) }
    do throws(KeyFile.Damage) {
      return try KeyFile(bytes, vaultId: vaultId, keyId: id)
    } catch {
      switch error {
      case .damaged(let reason): throw .damaged(id, path: path, reason: reason)
      case .otherVault: throw .keyMissing(id)
      }
    }
  }

  private func open(_ file: KeyFile, id: KeyID, passphrase: SecretBytes) throws(KeyStoreError) -> SecretBytes {
    switch file.open(passphrase: passphrase, vaultId: vaultId) {
    case .key(let key): return key
    case .wrongPassphrase: throw .wrongPassphrase(path: path(id))
    case .noMemory: throw .noMemory(bytes: Int(file.cost.kibibytes) << 10)
    }
  }

  private func ask(_ request: PassphraseRequest) async throws(KeyStoreError) -> SecretBytes {
    let answer: SecretBytes
    do {
      answer = try await passphrase(request)
    } catch let error as KeyStoreError {
      throw error
    } catch {
      throw .noPassphrase(Failure(error))
    }
    guard answer.count <= PassphraseSource.maximumLength else {
      throw .passphraseTooLong(maximum: PassphraseSource.maximumLength)
    }
    return answer
  }

  private func name(_ id: KeyID) -> String { Self.prefix + id.description }
  private func temporary(_ id: KeyID) -> String { "." + name(id) + ".new" }
  private func path(_ id: KeyID) -> String { directory + "/" + name(id) }
}
