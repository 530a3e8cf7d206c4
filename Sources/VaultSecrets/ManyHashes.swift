import CBlake2
import CSodium

// BLAKE2b-256 for hashing millions of rows.

/// Hashes bytes in place.
public func blake2b256(_ message: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
  requireSodium()
  precondition(digest.count == 32)
  let status = crypto_generichash(
    digest.baseAddress!.assumingMemoryBound(to: UInt8.self), 32, message.baseAddress?.assumingMemoryBound(to: UInt8.self),
    UInt64(message.count), nil, 0)
  precondition(status == 0, "BLAKE2b refused its sizes")
}

/// Hashes many messages, several at once if the machine supports it (docs/decisions/0011-hashes-side-by-side.md).
public enum ManyHashes {
  /// A message's space is a multiple of this: BLAKE2b's block.
  public static let block = 128

  /// The number of bytes that a message takes up among others.
  public static func room(of length: Int) -> Int { max(1, (length + block - 1) / block) * block }

  /// How many messages are hashed at once.
  public enum Width: Sendable, CaseIterable {
    case one, four, eight

    public static let machine: Width = allCases.last { $0.isThere } ?? .one

    public var isThere: Bool {
      #if arch(x86_64)
        requireSodium()
        return switch self {
        case .one: true
        case .four: sodium_runtime_has_avx2() == 1
        case .eight: sodium_runtime_has_avx512f() == 1
        }
      #else
        return self == .one
      #endif
    }
  }

  /// - Parameters:
  ///   - messages: one after the other, each zero-padded to its ``room(of:)``.
  ///   - lengths: each message's length without the padding.
  ///   - digests: 32 bytes for each message.
  ///   - width: one that the machine supports.
  public static func blake2b256(
    _ messages: UnsafeRawBufferPointer, lengths: [Int], into digests: UnsafeMutableRawBufferPointer, width: Width = .machine
  ) {
    precondition(messages.count == lengths.reduce(0) { $0 + room(of: $1) } && digests.count == 32 * lengths.count)
    guard let start = messages.baseAddress, let target = digests.baseAddress else { return }
    lengths.withUnsafeBytes { all in
      let octets = start.assumingMemoryBound(to: UInt8.self)
      let sizes = all.baseAddress!.assumingMemoryBound(to: Int.self)
      let hashes = target.assumingMemoryBound(to: UInt8.self)
      switch width {
      case .eight: blake2b_256_many_avx512(octets, sizes, lengths.count, hashes)
      case .four: blake2b_256_many_avx2(octets, sizes, lengths.count, hashes)
      case .one:
        var place = 0
        for (number, length) in lengths.enumerated() {
          VaultSecrets.blake2b256(
            UnsafeRawBufferPointer(start: start + place, count: length),
            into: UnsafeMutableRawBufferPointer(start: target + 32 * number, count: 32))
          place += room(of: length)
        }
      }
    }
  }
}
