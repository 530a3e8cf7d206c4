import VaultBytes
import VaultModel
import VaultSecrets

/// A checkpoint: a signed chain position, with time and key.
///
/// The signed text is "vault-checkpoint-1", a newline, and the vault's id, the sequence, the hash in hexadecimal and the time in
/// milliseconds, each on a line.
public struct AuditCheckpoint: Sendable, Hashable {
  public var sequence: Int64
  /// The hash of the row; 32 bytes.
  public var hash: [UInt8]
  public var signedAt: Timestamp
  /// Ed25519, 32 bytes.
  public var publicKey: [UInt8]
  /// Ed25519, 64 bytes.
  public var signature: [UInt8]

  public init(sequence: Int64, hash: [UInt8], signedAt: Timestamp, publicKey: [UInt8], signature: [UInt8]) {
    self.sequence = sequence
    self.hash = hash
    self.signedAt = signedAt
    self.publicKey = publicKey
    self.signature = signature
  }

  /// Signs a checkpoint.
  public init(sequence: Int64, hash: [UInt8], at time: Timestamp, vaultId: String, by key: SigningKey) {
    let text = Self.text(vaultId: vaultId, sequence: sequence, hash: hash, signedAt: time)
    self.init(sequence: sequence, hash: hash, signedAt: time, publicKey: key.publicKey, signature: key.sign(text))
  }

  /// Whether it was signed by this key, for this vault.
  public func isSigned(by publicKey: [UInt8], vaultId: String) -> Bool {
    publicKey == self.publicKey
      && SigningKey.isValid(
        signature, of: Self.text(vaultId: vaultId, sequence: sequence, hash: hash, signedAt: signedAt), by: publicKey)
  }

  private static func text(vaultId: String, sequence: Int64, hash: [UInt8], signedAt: Timestamp) -> [UInt8] {
    Array("vault-checkpoint-1\n\(vaultId)\n\(sequence)\n\(hex(hash))\n\(signedAt.milliseconds)\n".utf8)
  }

  // MARK: as text, in the key store and in messages

  /// One line: `vault-checkpoint-1 SEQUENCE HASH MILLISECONDS PUBLIC-KEY SIGNATURE`, with bytes in hexadecimal.
  public var line: String {
    "vault-checkpoint-1 \(sequence) \(hex(hash)) \(signedAt.milliseconds) \(hex(publicKey)) \(hex(signature))"
  }

  /// - Parameter line: in the format of ``line``; anything else gives nil.
  public init?(line: String) {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 6, words[0] == "vault-checkpoint-1", let sequence = Int64(words[1]), sequence > 0,
      let hash = unhex(words[2], count: 32), let time = Int64(words[3]), let publicKey = unhex(words[4], count: 32),
      let signature = unhex(words[5], count: 64)
    else { return nil }
    self.init(
      sequence: sequence, hash: hash, signedAt: Timestamp(milliseconds: time), publicKey: publicKey, signature: signature)
  }
}
