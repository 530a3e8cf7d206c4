import Glibc
import VaultConcurrency
import VaultModel
import VaultSecrets

/// A backup of a master key in a file under a passphrase, to be kept apart from the machine. It has the format of the passphrase
/// key store (``KeyFile``), and the same cost per passphrase attempt.
public struct KeyBackup: Sendable {
  /// The key that the backup contains.
  public let keyId: KeyID
  private let path: String
  private let vaultId: String
  private let bytes: [UInt8]

  /// Reads a backup; refuses one that is damaged, belongs to another vault, or is accessible to others.
  ///
  /// - Parameter path: absolute.
  /// - Throws: `inputOutput`, `unsafeFile`, `badBackup`, `otherVault`.
  public init(path: String, vaultId: String) throws(KeyStoreError) {
    bytes = try PrivateFile.open(path, followingLinks: true).read(limit: KeyFile.length + 1) { Array($0) }
    guard let keyId = KeyFile.keyId(in: bytes) else { throw .badBackup(path: path, reason: "not a key backup") }
    self.keyId = keyId
    self.path = path
    self.vaultId = vaultId
    _ = try file()
  }

  /// Decrypts the key. Takes a second and 256 MiB.
  ///
  /// - Throws: `wrongPassphrase`, `noMemory`.
  public func open(passphrase: SecretBytes) async throws(KeyStoreError) -> SecretBytes {
    let file = try file()
    switch await BlockingPool.shared.run({ file.open(passphrase: passphrase, vaultId: vaultId) }) {
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

  /// Writes a backup of a key atomically, readable by its owner only. Never replaces an existing file.
  ///
  /// - Throws: `passphraseTooShort`, `noMemory`, `fileExists`, `inputOutput`.
  public static func write(
    _ key: SecretBytes, id: KeyID, vaultId: String, to path: String, passphrase: SecretBytes
  ) async throws(KeyStoreError) {
    let minimum = PassphraseKeyStore.minimumLength
    guard passphrase.characters >= minimum else { throw .passphraseTooShort(minimum: minimum) }
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let (folder, name) = (String(path[..<slash]), String(path[path.index(after: slash)...]))
    // Checked before a second is spent on the key derivation.
    guard try !PrivateFile.exists(path) else { throw .fileExists(path: path) }
    let cost = PassphraseCost.moderate
    try await BlockingPool.shared.run { () -> Result<Void, KeyStoreError> in
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
    }.get()
  }
}

extension SecretBytes {
  /// The number of UTF-8 characters (bytes that begin one); in other encodings, a little lower than the real count.
  var characters: Int { withBytes { bytes in bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) } } }
}
