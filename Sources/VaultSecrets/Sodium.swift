import CSodium
import Synchronization

// Only this file and Ratchet.swift call libsodium. Everything unsafe stays here; sizes are checked before a pointer is passed.

/// Initializes libsodium, once. Every function below depends on it.
private let sodiumIsReady: Bool = sodium_init() >= 0

extension UnsafeRawBufferPointer {
  /// The start of the bytes as C expects it: never null, and never read if there are none.
  fileprivate var octets: UnsafePointer<UInt8> {
    (baseAddress ?? UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped).assumingMemoryBound(to: UInt8.self)
  }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate var octets: UnsafeMutablePointer<UInt8> { UnsafeMutablePointer(mutating: UnsafeRawBufferPointer(self).octets) }
}

/// Without this, libsodium works but uses its slowest code.
func requireSodium() {
  precondition(sodiumIsReady, "libsodium cannot start: no random numbers from the kernel")
}

/// Memory from `sodium_malloc`: locked, between guard pages, excluded from core dumps, wiped when freed.
///
/// The bytes end at the end of their page, so that an overrun hits the guard page. Freed memory is kept for the next secret, since
/// allocating and freeing costs eight system calls, and a delivery has four secrets.
///
/// `@unchecked Sendable`: the memory is written in `init` and in `deinit` only.
final class GuardedMemory: @unchecked Sendable {
  private let region: UnsafeMutableRawPointer
  private let start: UnsafeMutableRawPointer
  let count: Int

  /// The bytes that fit in one page besides libsodium's canary.
  private static let pageful = 4_080
  /// Wiped pages for the next secrets; their number is limited.
  private static let spare = Mutex<[SparePage]>([])
  private static let maxSpare = 64

  /// `@unchecked Sendable`: a page taken from the list has a single owner.
  private struct SparePage: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer
  }

  init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    requireSodium()
    self.count = count
    let isPage = count <= Self.pageful
    if isPage, let known = Self.spare.withLock({ $0.popLast() }) {
      region = known.memory
    } else {
      guard let memory = sodium_malloc(isPage ? Self.pageful : count) else { preconditionFailure("no memory for a secret") }
      // sodium_malloc fills with 0xdb; the callers are promised zeros.
      sodium_memzero(memory, isPage ? Self.pageful : count)
      region = memory
    }
    start = isPage ? region + (Self.pageful - count) : region
    // If this throws, `deinit` frees the memory: everything it needs is set.
    try fill(UnsafeMutableRawBufferPointer(start: start, count: count))
  }

  deinit {
    guard count <= Self.pageful else { return sodium_free(region) }
    sodium_memzero(start, count)
    let page = SparePage(memory: region)
    let isKept = Self.spare.withLock { spare in
      guard spare.count < Self.maxSpare else { return false }
      spare.append(page)
      return true
    }
    if !isKept { sodium_free(region) }
  }

  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(start: start, count: count))
  }
}

/// Compares in constant time if the lengths are equal (`sodium_memcmp`); different lengths return at once.
public func constantTimeEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  guard a.count == b.count else { return false }
  guard let left = a.baseAddress, let right = b.baseAddress else { return true }
  return sodium_memcmp(left, right, a.count) == 0
}

/// Wipes memory whose last write the compiler might remove (`sodium_memzero`).
public func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
  if let start = bytes.baseAddress { sodium_memzero(start, bytes.count) }
}

/// Wipes an array that has a single reference.
public func wipe(_ bytes: inout [UInt8]) {
  bytes.withUnsafeMutableBytes { wipe($0) }
}

/// Fills memory with random bytes from the kernel.
public func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) {
  requireSodium()
  randombytes_buf(bytes.octets, bytes.count)
}

/// Nonces, fetched from the kernel in batches: a call for each would be a sixth of the cost of a seal. Each is handed out once, and
/// wiped here. No process that seals continues in a fork.
private struct NonceStock: Sendable {
  private static let length = XChaCha20Poly1305.nonceLength * 64
  private var bytes = [UInt8](repeating: 0, count: length)
  private var next = length

  mutating func consume(into nonce: UnsafeMutableRawBufferPointer) {
    if next == Self.length {
      bytes.withUnsafeMutableBytes { fillRandom($0) }
      next = 0
    }
    let range = next..<next + nonce.count
    bytes.withUnsafeMutableBytes { stock in
      let taken = UnsafeMutableRawBufferPointer(rebasing: stock[range])
      nonce.copyMemory(from: UnsafeRawBufferPointer(taken))
      wipe(taken)
    }
    next = range.upperBound
  }
}

private let nonceStock = Mutex(NonceStock())

/// Random bytes from the kernel.
public func randomBytes(_ count: Int) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  bytes.withUnsafeMutableBytes { fillRandom($0) }
  return bytes
}

extension SecretBytes {
  /// New random bytes, made in guarded memory.
  public static func random(count: Int) -> SecretBytes {
    requireSodium()
    return SecretBytes(count: count) { randombytes_buf($0.octets, $0.count) }
  }
}

/// SHA-256 (FIPS 180-4) of the concatenated pieces. 32 bytes.
public func sha256(_ pieces: [UInt8]...) -> [UInt8] {
  requireSodium()
  var state = crypto_hash_sha256_state()
  crypto_hash_sha256_init(&state)
  for piece in pieces { crypto_hash_sha256_update(&state, piece, UInt64(piece.count)) }
  var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
  crypto_hash_sha256_final(&state, &digest)
  // The state still holds the message's last block, and a signed request contains a session token.
  withUnsafeMutableBytes(of: &state) { wipe($0) }
  return digest
}

/// HMAC-SHA-256 (RFC 2104) with a key of any length. 32 bytes.
public func hmacSHA256(key: UnsafeRawBufferPointer, _ message: [UInt8]) -> [UInt8] {
  requireSodium()
  var state = crypto_auth_hmacsha256_state()
  crypto_auth_hmacsha256_init(&state, key.octets, key.count)
  crypto_auth_hmacsha256_update(&state, message, UInt64(message.count))
  var code = [UInt8](repeating: 0, count: Int(crypto_auth_hmacsha256_BYTES))
  crypto_auth_hmacsha256_final(&state, &code)
  withUnsafeMutableBytes(of: &state) { wipe($0) }
  return code
}

/// Hashes bytes in place: BLAKE2b-256.
public func blake2b256(_ message: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
  requireSodium()
  precondition(digest.count == 32)
  let status = crypto_generichash(
    digest.baseAddress!.assumingMemoryBound(to: UInt8.self), 32, message.baseAddress?.assumingMemoryBound(to: UInt8.self),
    UInt64(message.count), nil, 0)
  precondition(status == 0, "BLAKE2b refused its sizes")
}

/// BLAKE2b (RFC 7693), keyed or not. `length` is 16 to 64 bytes.
public func blake2b(_ message: [UInt8], key: SecretBytes? = nil, length: Int = 32) -> [UInt8] {
  requireSodium()
  precondition((16...64).contains(length))
  var digest = [UInt8](repeating: 0, count: length)
  func run(_ key: UnsafeRawBufferPointer?) {
    let status = crypto_generichash(
      &digest, length, message, UInt64(message.count), key?.octets, key?.count ?? 0)
    precondition(status == 0, "BLAKE2b refused its sizes")
  }
  if let key { key.withBytes { run($0) } } else { run(nil) }
  return digest
}

/// A subkey of a 32-byte key (libsodium, "Key derivation": BLAKE2b with an 8-character context).
public func deriveKey(from master: SecretBytes, id: UInt64, context: StaticString) -> SecretBytes {
  requireSodium()
  precondition(master.count == Int(crypto_kdf_KEYBYTES) && context.utf8CodeUnitCount == Int(crypto_kdf_CONTEXTBYTES))
  return SecretBytes(count: 32) { subkey in
    master.withBytes { master in
      let status = crypto_kdf_derive_from_key(
        subkey.octets, subkey.count, id,
        UnsafeRawPointer(context.utf8Start).assumingMemoryBound(to: CChar.self), master.octets)
      precondition(status == 0, "crypto_kdf refused its sizes")
    }
  }
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03; libsodium's IETF form).
public enum XChaCha20Poly1305 {
  public static let keyLength = 32
  public static let nonceLength = 24
  public static let tagLength = 16

  /// Fills `nonce`, of ``nonceLength`` bytes, with unique random bytes.
  public static func makeNonce(_ nonce: UnsafeMutableRawBufferPointer) {
    precondition(nonce.count == nonceLength)
    nonceStock.withLock { $0.consume(into: nonce) }
  }

  /// The ciphertext with its tag.
  public static func seal(_ plaintext: UnsafeRawBufferPointer, associatedData: [UInt8], nonce: [UInt8], key: SecretBytes)
    -> [UInt8]
  {
    [UInt8](unsafeUninitializedCapacity: plaintext.count + tagLength) { output, length in
      associatedData.withUnsafeBytes { associatedData in
        nonce.withUnsafeBytes { nonce in
          seal(plaintext, associatedData: associatedData, nonce: nonce, key: key, into: UnsafeMutableRawBufferPointer(output))
        }
      }
      length = plaintext.count + tagLength
    }
  }

  /// Writes the ciphertext with its tag into a given buffer.
  public static func seal(
    _ plaintext: UnsafeRawBufferPointer, associatedData: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, key: SecretBytes,
    into output: UnsafeMutableRawBufferPointer
  ) {
    requireSodium()
    precondition(nonce.count == nonceLength && key.count == keyLength && output.count == plaintext.count + tagLength)
    let status = key.withBytes { key in
      crypto_aead_xchacha20poly1305_ietf_encrypt(
        output.octets, nil, plaintext.octets, UInt64(plaintext.count), associatedData.octets, UInt64(associatedData.count), nil,
        nonce.octets, key.octets)
    }
    precondition(status == 0, "XChaCha20-Poly1305 refused its sizes")
  }

  /// The plaintext, in guarded memory; nil if the ciphertext is not authentic under this key, nonce and associated data.
  public static func open(_ ciphertext: [UInt8], associatedData: [UInt8], nonce: [UInt8], key: SecretBytes) -> SecretBytes? {
    ciphertext.withUnsafeBytes { ciphertext in
      associatedData.withUnsafeBytes { associatedData in
        nonce.withUnsafeBytes { open(ciphertext, associatedData: associatedData, nonce: $0, key: key) }
      }
    }
  }

  /// The same for bytes in place.
  public static func open(
    _ ciphertext: UnsafeRawBufferPointer, associatedData: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, key: SecretBytes
  ) -> SecretBytes? {
    requireSodium()
    guard nonce.count == nonceLength, key.count == keyLength, ciphertext.count >= tagLength else { return nil }
    struct NotAuthentic: Error {}
    return try? SecretBytes(count: ciphertext.count - tagLength) { output in
      let status = key.withBytes { key in
        crypto_aead_xchacha20poly1305_ietf_decrypt(
          output.octets, nil, nil, ciphertext.octets, UInt64(ciphertext.count), associatedData.octets,
          UInt64(associatedData.count), nonce.octets, key.octets)
      }
      if status != 0 { throw NotAuthentic() }
    }
  }
}

/// Argon2id (RFC 9106; libsodium fixes one lane).
public enum Argon2id {
  public static let saltLength = 16

  /// Derives a key of `length` bytes; nil if there is not enough memory.
  ///
  /// - Parameters:
  ///   - passes: passes over the memory (`opslimit`), 1 or more.
  ///   - memory: bytes (`memlimit`), 8 KiB or more.
  public static func deriveKey(passphrase: SecretBytes, salt: [UInt8], passes: UInt64, memory: Int, length: Int = 32)
    -> SecretBytes?
  {
    requireSodium()
    guard salt.count == saltLength else { return nil }
    struct OutOfMemory: Error {}
    return try? SecretBytes(count: length) { output in
      let status = passphrase.withBytes { passphrase in
        crypto_pwhash(
          output.octets, UInt64(length), UnsafeRawPointer(passphrase.octets).assumingMemoryBound(to: CChar.self),
          UInt64(passphrase.count), salt, passes, memory, crypto_pwhash_ALG_ARGON2ID13)
      }
      if status != 0 { throw OutOfMemory() }
    }
  }
}

/// Base64 (RFC 4648), safe for secrets: no tables or branches depend on their values.
public enum Base64 {
  /// With the alphabet for URLs and no padding (section 5).
  public static func urlEncoded(_ bytes: UnsafeRawBufferPointer) -> SecretBytes {
    encoded(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING)
  }

  /// With the standard alphabet and padding (section 4), for bytes that are not secret.
  public static func encoded(_ bytes: [UInt8]) -> String {
    bytes.withUnsafeBytes { encoded($0, sodium_base64_VARIANT_ORIGINAL) }.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  private static func encoded(_ bytes: UnsafeRawBufferPointer, _ variant: Int32) -> SecretBytes {
    let length = sodium_base64_encoded_len(bytes.count, variant)
    let text = SecretBytes(count: length) { text in
      guard let start = text.bindMemory(to: CChar.self).baseAddress else { return }
      _ = sodium_bin2base64(start, length, bytes.octets, bytes.count, variant)
    }
    // The last byte is a zero.
    return text.part(0..<length - 1)
  }

  /// Decodes text in the standard alphabet with padding; skips line breaks and blanks.
  ///
  /// - Returns: nil for anything else (section 3.3), including bits after the end (section 3.5), and for empty input.
  public static func decoded(_ text: SecretBytes) -> SecretBytes? {
    var length: Int?
    let bytes = SecretBytes(count: text.count) { bytes in
      text.withBytes { length = decode($0, into: bytes, ignoring: " \t\n\r") }
    }
    return length.flatMap { $0 > 0 ? bytes.part(0..<$0) : nil }
  }

  /// The bytes of a text that is not secret, in the standard alphabet with padding; nil for anything else.
  public static func decoded(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: text.utf8.count)
    let length = Array(text.utf8).withUnsafeBytes { text in bytes.withUnsafeMutableBytes { decode(text, into: $0) } }
    return length.map { Array(bytes[..<$0]) }
  }

  /// - Returns: the number of bytes.
  private static func decode(
    _ text: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer, ignoring ignored: String? = nil
  ) -> Int? {
    var length = 0
    // libsodium 1.0.18 skips a zero, which it finds at the end of its list of ignored characters, and takes 0x80 and above for a
    // slash.
    guard text.allSatisfy({ 0x01...0x7F ~= $0 }) else { return nil }
    let start = UnsafeRawPointer(text.octets).assumingMemoryBound(to: CChar.self)
    let code = sodium_base642bin(
      bytes.octets, bytes.count, start, text.count, ignored, &length, nil, sodium_base64_VARIANT_ORIGINAL)
    return code == 0 ? length : nil
  }
}

/// Hexadecimal for secrets, in guarded memory. What is not secret has `Hexadecimal`.
public enum SecretHex {
  /// Lower-case digits.
  public static func encoded(_ secret: SecretBytes) -> SecretBytes {
    // sodium_bin2hex ends the text with a zero.
    let text = SecretBytes(count: 2 * secret.count + 1) { text in
      guard let start = text.bindMemory(to: CChar.self).baseAddress else { return }
      secret.withBytes { _ = sodium_bin2hex(start, text.count, $0.octets, $0.count) }
    }
    return text.part(0..<2 * secret.count)
  }

  /// - Returns: nil unless there are digits for exactly `count` bytes, in either case.
  public static func decoded(_ digits: UnsafeRawBufferPointer, count: Int) -> SecretBytes? {
    guard digits.count == 2 * count else { return nil }
    var isWhole = false
    let bytes = SecretBytes(count: count) { bytes in
      let start = UnsafeRawPointer(digits.octets).assumingMemoryBound(to: CChar.self)
      var length = 0
      isWhole = sodium_hex2bin(bytes.octets, count, start, digits.count, nil, &length, nil) == 0 && length == count
    }
    return isWhole ? bytes : nil
  }
}
