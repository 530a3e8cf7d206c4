import VaultBytes

/// The bytes of one frame. Frames carry passphrases and keys, so they are wiped when the last reference goes.
///
/// `@unchecked Sendable`: a buffer is filled by its creator before it is passed on, and never written to afterwards.
public final class WireBuffer: @unchecked Sendable {
  private var bytes: ByteBuffer

  public init(capacity: Int = 512) { bytes = ByteBuffer(capacity: capacity, isWiped: true) }

  public var count: Int { bytes.count }

  /// Lends the bytes. They must not leave `body`.
  public func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure)
    -> Result
  { try bytes.withBytes(body) }

  /// The first four bytes as a little-endian number: the length of what follows a frame's header.
  public var length: Int {
    precondition(count >= 4)
    return withBytes { Int(UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self))) }
  }

  /// Whether both hold the same bytes.
  public func equals(_ other: WireBuffer) -> Bool { withBytes { mine in other.withBytes { mine.elementsEqual($0) } } }

  /// The byte at a place that has been written.
  public subscript(_ index: Int) -> UInt8 { bytes[index] }

  public func append(_ source: UnsafeRawBufferPointer) { bytes.append(source) }
  public func append(_ byte: UInt8) { bytes.append(byte) }
  public func append(_ text: String) { bytes.append(string: text) }
  func append<Number: FixedWidthInteger & BitwiseCopyable>(littleEndian number: Number) { bytes.append(littleEndian: number) }
  func overwrite(_ number: UInt32, at offset: Int) { bytes.overwrite(littleEndian: number, at: offset) }

  /// Appends up to `length` bytes, written by `fill`, which returns how many it wrote.
  public func fill(_ length: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int { bytes.fill(length, fill) }

  /// A separate buffer with the bytes from `offset` on.
  public func suffix(from offset: Int) -> WireBuffer {
    let rest = WireBuffer(capacity: count - offset)
    withBytes { rest.append(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
    return rest
  }

  /// Removes the last byte.
  public func removeLast() { bytes.removeAll(from: count - 1) }
}
