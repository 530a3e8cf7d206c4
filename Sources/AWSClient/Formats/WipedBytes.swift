import VaultSecrets

/// Bytes that grow and leave no copy behind: an array's own growth would free what it held as it is.
struct WipedBytes: ~Copyable {
  private var memory: UnsafeMutableRawBufferPointer
  private(set) var count = 0

  init(capacity: Int = 256) { memory = .allocate(byteCount: max(capacity, 16), alignment: 16) }

  deinit { Self.free(memory) }

  private static func free(_ memory: UnsafeMutableRawBufferPointer) {
    wipe(memory)
    memory.deallocate()
  }

  mutating func append(_ byte: UInt8) {
    reserve(1)
    memory[count] = byte
    count += 1
  }

  mutating func append(_ bytes: some Collection<UInt8>) {
    reserve(bytes.count)
    for byte in bytes {
      memory[count] = byte
      count += 1
    }
  }

  private mutating func reserve(_ more: Int) {
    guard count + more > memory.count else { return }
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count + more, memory.count * 2), alignment: 16)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<count]))
    Self.free(memory)
    memory = larger
  }

  /// Lends what is there. It must not leave `body`.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<count]))
  }

  /// A copy in guarded memory.
  var secret: SecretBytes { withBytes { SecretBytes(copying: $0) } }
}
