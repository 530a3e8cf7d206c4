import Glibc

/// Bytes of one frame, in memory that is wiped when the last reference goes.
///
/// Frames carry passphrases and keys, so they never lie in an array that grows and leaves copies behind.
///
/// `@unchecked Sendable`: whoever makes a buffer fills it before handing it on, and nobody writes to it afterwards.
public final class WireBuffer: @unchecked Sendable {
  private var start: UnsafeMutableRawPointer
  private var capacity: Int
  public private(set) var count: Int

  public init(capacity: Int = 512) {
    self.capacity = max(capacity, 16)
    start = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
    count = 0
  }

  deinit {
    explicit_bzero(start, count)
    start.deallocate()
  }

  /// Lends the bytes. They must not leave `body`: once the last reference to the buffer has gone they are wiped, and that may be right
  /// after its last use.
  public func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure)
    -> Result
  {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// The number that the first four bytes are, little-endian: the length of what follows a frame's header.
  public var length: Int { Int(self[0]) | Int(self[1]) << 8 | Int(self[2]) << 16 | Int(self[3]) << 24 }

  /// Whether both hold the same bytes.
  public func equals(_ other: WireBuffer) -> Bool { withBytes { mine in other.withBytes { mine.elementsEqual($0) } } }

  /// The byte at a place that has been written.
  public subscript(_ index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return start.load(fromByteOffset: index, as: UInt8.self)
  }

  public func append(_ source: UnsafeRawBufferPointer) {
    reserve(source.count)
    if let base = source.baseAddress { (start + count).copyMemory(from: base, byteCount: source.count) }
    count += source.count
  }

  public func append(_ value: UInt8) {
    reserve(1)
    start.storeBytes(of: value, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  public func append(_ value: UInt16) {
    append(UInt8(truncatingIfNeeded: value))
    append(UInt8(truncatingIfNeeded: value >> 8))
  }

  public func append(_ value: UInt32) {
    append(UInt16(truncatingIfNeeded: value))
    append(UInt16(truncatingIfNeeded: value >> 16))
  }

  /// Overwrites the four bytes at `offset`, which must have been written.
  func overwrite(_ value: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= count)
    for index in 0..<4 {
      start.storeBytes(of: UInt8(truncatingIfNeeded: value >> UInt32(8 * index)), toByteOffset: offset + index, as: UInt8.self)
    }
  }

  /// Room for `length` bytes at the end, filled by `fill`, which returns how many it wrote.
  public func fill(_ length: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    reserve(length)
    let written = fill(UnsafeMutableRawBufferPointer(start: start + count, count: length))
    if written > 0 { count += min(written, length) }
    return written
  }

  /// A buffer of its own with the bytes from `offset` on.
  public func suffix(from offset: Int) -> WireBuffer {
    let rest = WireBuffer(capacity: count - offset)
    withBytes { rest.append(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
    return rest
  }

  private func reserve(_ length: Int) {
    guard count + length > capacity else { return }
    let wanted = max(capacity * 2, count + length)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
    larger.copyMemory(from: start, byteCount: count)
    explicit_bzero(start, count)
    start.deallocate()
    start = larger
    capacity = wanted
  }
}
