import CSodium

/// BLAKE2b-256 of data that arrives in pieces, such as a file of any length.
public final class StreamedHash {
  private let state: UnsafeMutableRawPointer

  public init() {
    // libsodium requires an alignment of 64.
    state = .allocate(byteCount: crypto_generichash_statebytes(), alignment: 64)
    crypto_generichash_init(OpaquePointer(state), nil, 0, 32)
  }

  deinit { state.deallocate() }

  public func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    crypto_generichash_update(OpaquePointer(state), start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
  }

  /// The digest of everything added; nothing may be added afterwards.
  public func digest() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_generichash_final(OpaquePointer(state), &digest, digest.count)
    return digest
  }
}
