import CSodium

/// A key that only moves forward: each step derives the next key from the last, which is wiped.
///
/// An attacker who steals it today can authenticate future messages, but none of the past ones (forward-secure logs: Schneier and
/// Kelsey, "Secure Audit Logs to Support Computer Forensics", 1999; journald's sealing is another).
///
///     mac(n) = BLAKE2b-256(key: K(n), "vault-mac-1" ‖ n ‖ message)        n in 8 bytes, big-endian
///     K(n+1) = BLAKE2b-256(key: K(n), "vault-next-1")
///
/// Deliberately not `Sendable`: it belongs to its creator.
public final class Ratchet {
  public static let keyLength = 32
  private let key: UnsafeMutableRawPointer
  /// The number of the current key.
  public private(set) var number: Int64

  /// - Parameter key: the key of `number`; 32 bytes.
  public init(key secret: SecretBytes, number: Int64) {
    precondition(secret.count == Self.keyLength)
    // Guarded like every secret, but changed in place, so that an audit row needs no system call for it.
    guard let memory = sodium_malloc(Self.keyLength) else { preconditionFailure("no memory for a secret") }
    key = memory
    self.number = number
    secret.withBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: Self.keyLength) }
  }

  deinit { sodium_free(key) }

  /// The key of ``number``, to be sealed or given to an auditor.
  public func export() -> SecretBytes {
    SecretBytes(copying: UnsafeRawBufferPointer(start: key, count: Self.keyLength))
  }

  /// Authenticates message number ``number`` and advances to the next.
  public func mac(_ message: [UInt8]) -> [UInt8] {
    var text = Array("vault-mac-1".utf8)
    withUnsafeBytes(of: number.bigEndian) { text.append(contentsOf: $0) }
    text += message
    let mac = keyed(text)
    skip()
    return mac
  }

  /// Advances to the next number.
  public func skip() {
    let next = keyed(Array("vault-next-1".utf8))
    next.withUnsafeBytes { key.copyMemory(from: $0.baseAddress!, byteCount: Self.keyLength) }
    var spent = next
    wipe(&spent)
    number += 1
  }

  private func keyed(_ message: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.keyLength) { output, count in
      let status = crypto_generichash(
        output.baseAddress.unsafelyUnwrapped, Self.keyLength, message, UInt64(message.count),
        key.assumingMemoryBound(to: UInt8.self), Self.keyLength)
      precondition(status == 0, "BLAKE2b refused its sizes")
      count = Self.keyLength
    }
  }
}

/// An Ed25519 key that signs (RFC 8032; libsodium's `crypto_sign`).
public struct SigningKey: Sendable {
  /// 32 bytes; not secret.
  public let publicKey: [UInt8]
  /// The seed from which the key is derived, 32 bytes; this is what is stored.
  public let seed: SecretBytes

  /// - Parameter seed: 32 bytes, random.
  public init(seed: SecretBytes) {
    precondition(seed.count == Int(crypto_sign_SEEDBYTES))
    _ = sodium_init()
    self.seed = seed
    var publicKey = [UInt8](repeating: 0, count: Int(crypto_sign_PUBLICKEYBYTES))
    Self.withSecretKey(of: seed, &publicKey) { _ in }
    self.publicKey = publicKey
  }

  /// A signature of 64 bytes.
  public func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: Int(crypto_sign_BYTES))
    var ignored = publicKey
    Self.withSecretKey(of: seed, &ignored) { key in
      let status = crypto_sign_detached(&signature, nil, message, UInt64(message.count), key)
      precondition(status == 0, "Ed25519 refused to sign")
    }
    return signature
  }

  public static func isValid(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
    guard sodium_init() >= 0, signature.count == Int(crypto_sign_BYTES), publicKey.count == Int(crypto_sign_PUBLICKEYBYTES)
    else { return false }
    return crypto_sign_verify_detached(signature, message, UInt64(message.count), publicKey) == 0
  }

  private static func withSecretKey(of seed: SecretBytes, _ publicKey: inout [UInt8], _ body: (UnsafePointer<UInt8>) -> Void) {
    // The long form contains the seed again, so it is held in guarded memory for the duration of the call.
    _ = SecretBytes(count: Int(crypto_sign_SECRETKEYBYTES)) { long in
      let key = long.baseAddress!.assumingMemoryBound(to: UInt8.self)
      seed.withBytes { seed in
        _ = crypto_sign_seed_keypair(&publicKey, key, seed.baseAddress!.assumingMemoryBound(to: UInt8.self))
      }
      body(key)
    }
  }
}
