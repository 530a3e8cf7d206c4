import VaultModel
import VaultSecrets

/// The format of a key stored under a passphrase. 177 bytes, numbers little-endian:
///
///     offset  bytes
///          0      8  magic "VAULTKEY"
///          8      1  version, 1
///          9      1  Argon2id passes
///         10      4  Argon2id memory, KiB
///         14      3  zeros
///         17     16  vault: BLAKE2b-128 of its id
///         33      8  key id
///         41     16  salt
///         57     24  nonce
///         81     48  the key, sealed by XChaCha20-Poly1305; bytes 0 to 80 and the vault's id are the associated data
///        129     48  checksum: BLAKE2b-384 of all before
///
/// The checksum distinguishes a damaged file from a wrong passphrase before a second and 256 MiB are spent. It is no protection: an
/// attacker who changes the file can recompute it, but then fails at the decryption.
struct KeyFile {
  static let length = 177
  private static let magic = Array("VAULTKEY".utf8)
  private static let headerLength = 81
  private static let checkedLength = 129

  let cost: PassphraseCost
  private let header: [UInt8]
  private let sealed: [UInt8]
  let bytes: [UInt8]

  private var salt: [UInt8] { Array(header[41..<57]) }
  private var nonce: [UInt8] { Array(header[57..<81]) }

  /// Why a file cannot be used.
  enum Damage: Error {
    case damaged(String)
    case otherVault
  }

  /// Encrypts a key.
  ///
  /// - Returns: nil if there is not enough memory.
  init?(sealing key: SecretBytes, passphrase: SecretBytes, vaultId: String, keyId: KeyID, cost: PassphraseCost) {
    precondition(key.count == masterKeyLength && cost.isAllowed)
    var header = Self.magic + [1, cost.passes]
    for shift in stride(from: 0, to: 32, by: 8) { header.append(UInt8(truncatingIfNeeded: cost.kibibytes >> shift)) }
    header += [0, 0, 0] + Self.mark(vaultId) + keyId.bytes + randomBytes(16) + randomBytes(24)
    self.header = header
    self.cost = cost
    let associated = Self.associatedData(header, vaultId)
    guard let wrapping = Self.derive(passphrase, salt: Array(header[41..<57]), cost: cost) else { return nil }
    sealed = key.withBytes {
      XChaCha20Poly1305.seal($0, associatedData: associated, nonce: Array(header[57..<81]), key: wrapping)
    }
    bytes = header + sealed + blake2b(header + sealed, length: 48)
  }

  /// Parses a file's bytes; refuses a file that is incomplete, not of this format or vault, or too cheap or too costly to open.
  init(_ bytes: [UInt8], vaultId: String, keyId: KeyID) throws(Damage) {
    guard bytes.count == Self.length, bytes.starts(with: Self.magic) else { throw .damaged("not a key file") }
    let checksum = blake2b(Array(bytes[..<Self.checkedLength]), length: 48)
    guard checksum == Array(bytes[Self.checkedLength...]) else { throw .damaged("its checksum is wrong") }
    guard bytes[8] == 1 else { throw .damaged("written by a newer version (\(bytes[8]))") }
    guard bytes[14..<17].allSatisfy({ $0 == 0 }) else { throw .damaged("reserved bytes are in use") }
    let kibibytes = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[10 + $1]) << UInt32(8 * $1) }
    cost = PassphraseCost(passes: bytes[9], kibibytes: kibibytes)
    guard cost.isAllowed else { throw .damaged("it asks for \(cost.passes) passes over \(kibibytes) KiB") }
    guard Array(bytes[17..<33]) == Self.mark(vaultId) else { throw .otherVault }
    guard Array(bytes[33..<41]) == keyId.bytes else { throw .damaged("it holds another key") }
    header = Array(bytes[..<Self.headerLength])
    sealed = Array(bytes[Self.headerLength..<Self.checkedLength])
    self.bytes = bytes
  }

  /// The key's id in bytes that look like a key file.
  static func keyId(in bytes: [UInt8]) -> KeyID? {
    bytes.count == length && bytes.starts(with: magic) ? KeyID(bytes: Array(bytes[33..<41])) : nil
  }

  /// The outcome of opening a file.
  enum Opening {
    case key(SecretBytes)
    case wrongPassphrase
    case noMemory
  }

  func open(passphrase: SecretBytes, vaultId: String) -> Opening {
    guard let wrapping = Self.derive(passphrase, salt: salt, cost: cost) else { return .noMemory }
    let associated = Self.associatedData(header, vaultId)
    let key = XChaCha20Poly1305.open(sealed, associatedData: associated, nonce: nonce, key: wrapping)
    return key.map { .key($0) } ?? .wrongPassphrase
  }

  private static func derive(_ passphrase: SecretBytes, salt: [UInt8], cost: PassphraseCost) -> SecretBytes? {
    Argon2id.deriveKey(
      passphrase: passphrase, salt: salt, passes: UInt64(cost.passes), memory: Int(cost.kibibytes) * 1_024)
  }

  /// The header has a fixed length, so the bytes after it cannot be mistaken for a part of it.
  private static func associatedData(_ header: [UInt8], _ vaultId: String) -> [UInt8] { header + Array(vaultId.utf8) }

  private static func mark(_ vaultId: String) -> [UInt8] {
    blake2b(Array("vault-key-file".utf8) + Array(vaultId.utf8), length: 16)
  }
}
