import VaultBytes

/// Secret bytes in guarded memory.
///
/// The memory is locked, excluded from core dumps, placed between guard pages, and wiped when the last reference goes (libsodium,
/// "Secure memory"). The bytes can be reached only inside a closure, never change after `init`, and have no printable form.
public final class SecretBytes: Sendable {
  private let memory: GuardedMemory
  /// The part of the memory that belongs to this value.
  private let range: Range<Int>

  /// Copies `bytes`. The caller wipes its own copy.
  public init(copying bytes: UnsafeRawBufferPointer) {
    memory = GuardedMemory(count: bytes.count) { $0.copyMemory(from: bytes) }
    range = 0..<bytes.count
  }

  /// - Parameter fill: writes the bytes in place; they start as zeros.
  public init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    memory = try GuardedMemory(count: count, fill)
    range = 0..<count
  }

  /// Copies a text's UTF-8 form, for texts that were never in guarded memory, such as those from a parser.
  public init(_ text: String) {
    var text = text
    memory = text.withUTF8 { bytes in GuardedMemory(count: bytes.count) { $0.copyMemory(from: UnsafeRawBufferPointer(bytes)) } }
    range = 0..<memory.count
  }

  private init(sharing memory: GuardedMemory, range: Range<Int>) {
    self.memory = memory
    self.range = range
  }

  /// A part of these bytes. It shares their memory, since guarded memory is expensive: four pages each.
  public func part(_ part: Range<Int>) -> SecretBytes {
    precondition(part.lowerBound >= 0 && part.upperBound <= count, "a part outside the secret")
    return SecretBytes(sharing: memory, range: range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }

  public var count: Int { range.count }

  /// Lends the bytes. They must not leave `body`.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try memory.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// Compares both in constant time.
  public func equals(_ other: SecretBytes) -> Bool {
    withBytes { mine in other.withBytes { constantTimeEqual(mine, $0) } }
  }
}

extension ByteBuffer {
  /// A copy in guarded memory.
  public var secret: SecretBytes { withBytes { SecretBytes(copying: $0) } }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "‹secret›" }
  public var debugDescription: String { "‹secret›" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
