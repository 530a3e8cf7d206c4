import AWSClient
import CCrypto
import VaultModel
import VaultSecrets

/// A text encrypted with a passphrase, as jose2go writes it for the library `keyring`: a JWE in compact form (RFC 7516), with
/// `PBES2-HS256+A128KW` and `A256GCM` (RFC 7518, 4.8 and 5.3).
struct PasswordJWE {
  /// Why a text was not opened.
  enum Fault: Error, Hashable {
    /// It is not a JWE of this kind.
    case malformed(String)
    case wrongPassphrase
  }

  /// jose2go refuses more, since a hostile file could name any number.
  static let maxIterations: Int64 = 1_300_000

  /// The encoded header, which is authenticated with the content.
  private let header: SecretBytes
  private let salt: SecretBytes
  let iterations: Int32
  private let key: SecretBytes
  private let nonce: SecretBytes
  private let content: SecretBytes
  private let tag: SecretBytes

  init(_ text: SecretBytes) throws(Fault) {
    let text = text.trimmed
    let ranges = text.withBytes { bytes in
      bytes.split(separator: UInt8(ascii: "."), maxSplits: 5, omittingEmptySubsequences: false).map {
        $0.startIndex..<$0.endIndex
      }
    }
    guard ranges.count == 5 else { throw .malformed("it is not an encrypted item") }
    let parts = ranges.map { text.part($0) }
    let decoded = parts.map { Base64.urlDecoded($0) }
    guard let fields = decoded[0].flatMap({ JSONDocument($0) }), let key = decoded[1], let nonce = decoded[2],
      let content = decoded[3], let tag = decoded[4]
    else { throw .malformed("it is not an encrypted item") }
    guard fields.text("alg") == Self.algorithm, fields.text("enc") == "A256GCM", !fields.has("zip"), !fields.has("crit") else {
      throw .malformed("it is encrypted in another way than PBES2-HS256+A128KW with A256GCM")
    }
    guard let count = fields.int("p2c"), (1...Self.maxIterations).contains(count),
      let salt = fields.secret("p2s").flatMap({ Base64.urlDecoded($0) }), (8...1_024).contains(salt.count),
      key.count == 40, nonce.count == 12, tag.count == 16
    else { throw .malformed("its parameters are invalid") }
    (header, self.salt, iterations) = (parts[0], salt, Int32(count))
    (self.key, self.nonce, self.content, self.tag) = (key, nonce, content, tag)
  }

  private static let algorithm = "PBES2-HS256+A128KW"

  func open(_ passphrase: SecretBytes) throws(Fault) -> SecretBytes {
    // The salt of the derivation: the algorithm's name, a zero, and the salt in the header (RFC 7518, 4.8.1.1).
    let name = Array(Self.algorithm.utf8) + [0]
    let salt = SecretBytes(count: name.count + salt.count) { whole in
      whole.copyBytes(from: name)
      self.salt.withBytes { UnsafeMutableRawBufferPointer(rebasing: whole[name.count...]).copyMemory(from: $0) }
    }
    var isDerived = false
    let wrapping = SecretBytes(count: 16) { output in
      passphrase.withBytes { passphrase in
        salt.withBytes { salt in
          isDerived =
            PKCS5_PBKDF2_HMAC(
              passphrase.characters, Int32(passphrase.count), salt.octets, Int32(salt.count), iterations, EVP_sha256(),
              Int32(output.count), output.octets) == 1
        }
      }
    }
    guard isDerived else { throw .malformed("libcrypto cannot derive its key") }
    guard let contentKey = Cipher.unwrap(key, with: wrapping), contentKey.count == 32 else { throw .wrongPassphrase }
    guard let plain = Cipher.openGCM(content, key: contentKey, nonce: nonce, authenticated: header, tag: tag) else {
      throw .malformed("its content was changed")
    }
    return plain
  }
}

/// libcrypto's ciphers, as far as other programs' stores need them.
enum Cipher {
  /// AES key wrap (RFC 3394) with a key of 128 bits; nil for a wrong key.
  static func unwrap(_ wrapped: SecretBytes, with key: SecretBytes) -> SecretBytes? {
    decrypt(wrapped, EVP_aes_128_wrap(), key: key, vector: nil) { context in
      EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW)
    }
  }

  /// AES-256-GCM; nil unless the tag fits.
  static func openGCM(_ text: SecretBytes, key: SecretBytes, nonce: SecretBytes, authenticated: SecretBytes, tag: SecretBytes)
    -> SecretBytes?
  {
    decrypt(text, EVP_aes_256_gcm(), key: key, vector: nonce, authenticated: authenticated, tag: tag)
  }

  /// AES-256-CBC with padding; nil if the padding is wrong.
  static func openCBC(_ text: SecretBytes, key: SecretBytes, vector: SecretBytes) -> SecretBytes? {
    decrypt(text, EVP_aes_256_cbc(), key: key, vector: vector)
  }

  private static func decrypt(
    _ text: SecretBytes, _ cipher: OpaquePointer?, key: SecretBytes, vector: SecretBytes?, authenticated: SecretBytes? = nil,
    tag: SecretBytes? = nil, prepare: (OpaquePointer) -> Void = { _ in }
  ) -> SecretBytes? {
    guard let context = EVP_CIPHER_CTX_new() else { return nil }
    // Wipes the key that the context holds.
    defer { EVP_CIPHER_CTX_free(context) }
    prepare(context)
    var isOpen = key.withBytes { key in
      guard let vector else { return EVP_DecryptInit_ex(context, cipher, nil, key.octets, nil) == 1 }
      return vector.withBytes { EVP_DecryptInit_ex(context, cipher, nil, key.octets, $0.octets) == 1 }
    }
    var length: Int32 = 0
    if let authenticated {
      isOpen =
        isOpen && authenticated.withBytes { EVP_DecryptUpdate(context, nil, &length, $0.octets, Int32($0.count)) == 1 }
    }
    if let tag {
      isOpen =
        isOpen
        && tag.withBytes {
          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32($0.count), UnsafeMutableRawPointer(mutating: $0.baseAddress))
            == 1
        }
    }
    guard isOpen else { return nil }
    var total = 0
    // A block cipher writes up to one block more while it works.
    let plain = SecretBytes(count: text.count + Int(EVP_MAX_BLOCK_LENGTH)) { plain in
      isOpen = text.withBytes { EVP_DecryptUpdate(context, plain.octets, &length, $0.octets, Int32($0.count)) == 1 }
      total = Int(length)
      length = 0
      isOpen = isOpen && EVP_DecryptFinal_ex(context, plain.octets + total, &length) == 1
      total += Int(length)
    }
    return isOpen ? plain.part(0..<total) : nil
  }
}

extension UnsafeRawBufferPointer {
  /// Never null, and never read if there are no bytes.
  private var start: UnsafeRawPointer { baseAddress ?? UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped }
  fileprivate var octets: UnsafePointer<UInt8> { start.assumingMemoryBound(to: UInt8.self) }
  fileprivate var characters: UnsafePointer<CChar> { start.assumingMemoryBound(to: CChar.self) }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate var octets: UnsafeMutablePointer<UInt8> { UnsafeMutablePointer(mutating: UnsafeRawBufferPointer(self).octets) }
}
