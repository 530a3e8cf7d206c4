import VaultModel
import VaultSecrets

/// What a sealed secret is nailed to: every field is part of the associated data, so that a ciphertext that is moved to another table, row,
/// column, profile, role, version or time does not open.
struct SealedPlace: Sendable, Hashable {
  var table: String
  var row: String
  var column: String
  var profile: String
  var role: String
  var version: Int64
  var createdAt: Timestamp

  /// Pre-authentication encoding: the number of pieces, then each one's length and bytes, so that no two places look alike (PASETO, "PAE").
  func associatedData(key: KeyID) -> [UInt8] {
    var data: [UInt8] = []
    data.reserveCapacity(256)
    func put(_ bytes: some Collection<UInt8>) {
      let count = UInt64(bytes.count)
      for shift in 0..<8 { data.append(UInt8(truncatingIfNeeded: count >> UInt64(8 * shift))) }
      data.append(contentsOf: bytes)
    }
    put("vault-record-1".utf8)
    for text in [table, row, column, profile, role] { put(text.utf8) }
    put(key.bytes)
    put(String(version).utf8)
    put(String(createdAt.milliseconds).utf8)
    return data
  }
}

/// The keys that a master key gives, and what is sealed with them.
///
/// An envelope is `VLT1`, 1 byte of algorithm, 8 of key id, 16 of key check, 24 of nonce, then the ciphertext with its tag. The key check commits
/// to the key, since XChaCha20-Poly1305 alone does not; a nonce is random for each seal and never used again.
struct Sealer: Sendable {
  static let magic = Array("VLT1".utf8)
  /// XChaCha20-Poly1305
  static let algorithm: UInt8 = 1
  static let headerLength = 4 + 1 + 8 + 16 + XChaCha20Poly1305.nonceLength

  let id: KeyID
  /// Commits to the key: 16 bytes.
  let check: [UInt8]
  private let recordKey: SecretBytes

  init(master: SecretBytes, id: KeyID) {
    self.id = id
    recordKey = deriveKey(from: master, id: 1, context: "vltrec01")
    check = blake2b(Array("commit".utf8), key: recordKey, length: 16)
  }

  func seal(_ secret: SecretBytes, at place: SealedPlace) -> [UInt8] {
    let nonce = randomBytes(XChaCha20Poly1305.nonceLength)
    var envelope = Self.magic
    envelope.reserveCapacity(Self.headerLength + secret.count + XChaCha20Poly1305.tagLength)
    envelope.append(Self.algorithm)
    envelope += id.bytes
    envelope += check
    envelope += nonce
    envelope += secret.withBytes {
      XChaCha20Poly1305.seal($0, associatedData: place.associatedData(key: id), nonce: nonce, key: recordKey)
    }
    return envelope
  }

  /// - Throws: `SealError`, naming the row.
  func open(_ envelope: [UInt8], at place: SealedPlace) throws(SealError) -> SecretBytes {
    let name = "\(place.table) \(place.row)"
    guard envelope.count >= Self.headerLength + XChaCha20Poly1305.tagLength, Array(envelope[0..<4]) == Self.magic,
      envelope[4] == Self.algorithm
    else {
      throw .malformed(row: name)
    }
    guard Array(envelope[5..<13]) == id.bytes else { throw .unknownKey(row: name) }
    guard Array(envelope[13..<29]) == check else { throw .notAuthentic(row: name) }
    let nonce = Array(envelope[29..<Self.headerLength])
    guard
      let secret = XChaCha20Poly1305.open(
        Array(envelope[Self.headerLength...]), associatedData: place.associatedData(key: id), nonce: nonce, key: recordKey)
    else { throw .notAuthentic(row: name) }
    return secret
  }
}
