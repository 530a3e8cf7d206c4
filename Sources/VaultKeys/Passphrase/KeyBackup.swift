import Glibc
import VaultModel
import VaultSecrets

/// A copy of a master key in a file under a passphrase, to be kept apart from the machine. The form is the passphrase key store's
/// (``KeyFile``), and so is what it costs to try a passphrase.
public struct KeyBackup: Sendable {
  /// Which key is in it.
  public let keyId: KeyID
  private let path: String
  private let vaultId: String
  private let bytes: [UInt8]

  /// Reads a copy, and refuses what is damaged, another vault's, or open to others.
  ///
  /// - Parameter path: absolute.
  /// - Throws: `inputOutput`, `unsafeFile`, `badBackup`, `otherVault`.
  public init(path: String, vaultId: String) throws(KeyStoreError) {
    bytes = try PrivateFile.open(path, followingLinks: true).read(limit: KeyFile.length + 1) { Array($0) }
    guard let keyId = KeyFile.keyId(in: bytes) else { throw .badBackup(path: path, reason: "it is no copy of a key") }
    self.keyId = keyId
    self.path = path
    self.vaultId = vaultId
    _ = try file()
  }

  /// The key. Takes a second and 256 MiB.
  ///
  /// - Throws: `wrongPassphrase`, `noMemory`.
  public func open(passphrase: SecretBytes) async throws(KeyStoreError) -> SecretBytes {
    let file = try file()
    let opening = await SerialThread().run { () -> Result<KeyFile.Opening, Never> in
      .success(file.open(passphrase: passphrase, vaultId: vaultId))
    }
    switch opening {
    case .key(let key): return key
    case .wrongPassphrase: throw .wrongPassphrase(path: path)
    case .noMemory: throw .noMemory(bytes: Int(file.cost.kibibytes) << 10)
    }
  }

  private func file() throws(KeyStoreError) -> KeyFile {
    do throws(KeyFile.Damage) {
      return try KeyFile(bytes, vaultId: vaultId, keyId: keyId)
    } catch {
      switch error {
      case .damaged(let reason): throw .badBackup(path: path, reason: reason)
      case .otherVault: throw .otherVault(path: path)
      }
    }
  }

  /// Writes a copy of a key, whole or not at all, for its owner alone. A file that is there stays.
  ///
  /// - Throws: `passphraseTooShort`, `noMemory`, `fileExists`, `inputOutput`.
  public static func write(
    _ key: SecretBytes, id: KeyID, vaultId: String, to path: String, passphrase: SecretBytes
  ) async throws(KeyStoreError) {
    let minimum = PassphraseKeyStore.minimumLength
    guard passphrase.characters >= minimum else { throw .passphraseTooShort(minimum: minimum) }
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let (folder, name) = (String(path[..<slash]), String(path[path.index(after: slash)...]))
    // Before a second goes by.
    guard try !PrivateFile.exists(path) else { throw .fileExists(path: path) }
    let cost = PassphraseCost.moderate
    try await SerialThread().run { () -> Result<Void, KeyStoreError> in
      guard let file = KeyFile(sealing: key, passphrase: passphrase, vaultId: vaultId, keyId: id, cost: cost) else {
        return .failure(.noMemory(bytes: Int(cost.kibibytes) << 10))
      }
      do throws(KeyStoreError) {
        let place = folder.isEmpty ? "/" : folder
        guard try PrivateFile.create(folder: place, name: name, temporary: ".\(name).new", file.bytes) else {
          return .failure(.fileExists(path: path))
        }
        return .success(())
      } catch {
        return .failure(error)
      }
    }
  }
}

extension SecretBytes {
  /// Bytes that begin a character of UTF-8; of other encodings, a few less than there are.
  var characters: Int { withBytes { bytes in bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) } } }
}
