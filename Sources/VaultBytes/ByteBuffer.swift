import Glibc

/// A byte buffer that grows as bytes are appended and can be reused.
///
/// It can be wiped, for secrets: an array that grows frees its old storage without wiping it.
///
/// `@unchecked Sendable`: the buffer has one owner, and writing needs that owner's exclusive access.
public struct ByteBuffer: ~Copyable, @unchecked Sendable {
  @usableFromInline var start: UnsafeMutableRawPointer
  @usableFromInline var capacity: Int
  @usableFromInline var end = 0
  private let isWiped: Bool

  /// - Parameter isWiped: overwrite memory before it is freed.
  public init(capacity: Int = 512, isWiped: Bool = false) {
    self.capacity = max(capacity, 16)
    self.isWiped = isWiped
    start = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit { free() }

  private func free() {
    if isWiped { explicit_bzero(start, capacity) }
    start.deallocate()
  }

  @inlinable public var count: Int { end }

  /// The bytes written so far, valid until the next change.
  @inlinable public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: end) }

  /// Lends the bytes written so far. They must not leave `body`.
  @inlinable
  public func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure)
    -> Result
  { try body(bytes) }

  /// The byte at a position that has been written.
  public subscript(_ index: Int) -> UInt8 {
    precondition(index >= 0 && index < end)
    return start.load(fromByteOffset: index, as: UInt8.self)
  }

  /// Drops the bytes from a position on; keeps the memory.
  @inlinable
  public mutating func removeAll(from place: Int = 0) {
    precondition(place >= 0)
    end = min(end, place)
  }

  // MARK: Appending

  /// Appends `length` bytes, all of which `write` must write.
  @inlinable @inline(__always)
  public mutating func append(_ length: Int, _ write: (UnsafeMutableRawPointer) -> Void) {
    if length > capacity - end { grow(length) }
    write(start + end)
    end += length
  }

  /// Appends up to `length` bytes: as many as `fill` reports it wrote; none if that is negative.
  public mutating func fill(_ length: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    precondition(length >= 0)
    if length > capacity - end { grow(length) }
    let written = fill(UnsafeMutableRawBufferPointer(start: start + end, count: length))
    end += min(max(written, 0), length)
    return written
  }

  @inlinable @inline(__always)
  public mutating func append(_ byte: UInt8) { append(1) { $0.storeBytes(of: byte, as: UInt8.self) } }

  @inlinable
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    append(bytes.count) { if let source = bytes.baseAddress { $0.copyMemory(from: source, byteCount: bytes.count) } }
  }

  public mutating func append(_ bytes: RawSpan) { bytes.withUnsafeBytes { append($0) } }

  /// Inlined, so that a literal is copied by an instruction or two.
  @inlinable @inline(__always)
  public mutating func append(_ text: StaticString) {
    append(text.utf8CodeUnitCount) { $0.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount) }
  }

  /// Labelled, since a literal would be a `String` rather than a `StaticString`.
  public mutating func append(string text: String) { append(text.utf8.span.bytes) }

  @inlinable @inline(__always)
  public mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(bigEndian number: Number) {
    append(MemoryLayout<Number>.size) { $0.storeBytes(of: number.bigEndian, as: Number.self) }
  }

  @inlinable @inline(__always)
  public mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(littleEndian number: Number) {
    append(MemoryLayout<Number>.size) { $0.storeBytes(of: number.littleEndian, as: Number.self) }
  }

  /// Appends lower-case hexadecimal digits.
  @inlinable
  public mutating func append(hex bytes: UnsafeRawBufferPointer) {
    append(2 * bytes.count) { Hexadecimal.encode(bytes, into: UnsafeMutableRawBufferPointer(start: $0, count: 2 * bytes.count)) }
  }

  /// Appends a number in decimal.
  @inlinable
  public mutating func append(decimal number: Int64) {
    var digits = number < 0 ? 2 : 1
    var rest = number.magnitude
    while rest >= 10 {
      digits += 1
      rest /= 10
    }
    append(digits) { place in
      var rest = number.magnitude
      var offset = digits
      repeat {
        offset -= 1
        place.storeBytes(of: 48 + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: offset, as: UInt8.self)
        rest /= 10
      } while rest > 0
      if number < 0 { place.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self) }
    }
  }

  /// Appends text that is printable ASCII and contains neither of two given bytes; appends nothing otherwise.
  ///
  /// - Returns: whether the text was appended.
  @inlinable
  public mutating func appendPlain(_ bytes: UnsafeRawBufferPointer, without first: UInt8, _ second: UInt8) -> Bool {
    let length = bytes.count
    guard length > 0, let from = bytes.baseAddress else { return true }
    if length > capacity - end { grow(length) }
    let to = start + end
    if length < 8 {
      for offset in 0..<length {
        let byte = from.load(fromByteOffset: offset, as: UInt8.self)
        guard byte >= 0x20, byte < 0x7F, byte != first, byte != second else { return false }
        to.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
      }
    } else {
      let marks = (Self.repeated(first), Self.repeated(second))
      var foreign: UInt64 = 0
      var offset = 0
      while offset + 8 <= length {
        let block = from.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        foreign |= Self.foreign(block, marks)
        to.storeBytes(of: block, toByteOffset: offset, as: UInt64.self)
        offset += 8
      }
      // The last eight overlap those before, so that nothing after the text is read.
      let last = from.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
      to.storeBytes(of: last, toByteOffset: length - 8, as: UInt64.self)
      guard foreign | Self.foreign(last, marks) == 0 else { return false }
    }
    end += length
    return true
  }

  @inlinable @inline(__always)
  static func repeated(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

  /// Nonzero if one of eight bytes is not printable ASCII or is one of the marks (Warren, "Hacker's Delight", 6-1: find a zero
  /// byte). The standard library's SIMD would work too, but the compiler compares it byte by byte.
  @inlinable @inline(__always)
  static func foreign(_ block: UInt64, _ marks: (UInt64, UInt64)) -> UInt64 {
    let delete = block ^ 0x7F7F_7F7F_7F7F_7F7F
    let first = block ^ marks.0
    let second = block ^ marks.1
    let one: UInt64 = 0x0101_0101_0101_0101
    let control = (block &- 0x2020_2020_2020_2020) & ~block
    let marked = ((delete &- one) & ~delete) | ((first &- one) & ~first) | ((second &- one) & ~second)
    return (block | control | marked) & 0x8080_8080_8080_8080
  }

  // MARK: Changing

  /// Overwrites the four bytes at `offset`, which must have been written.
  public mutating func overwrite(littleEndian number: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= end)
    start.storeBytes(of: number.littleEndian, toByteOffset: offset, as: UInt32.self)
  }

  /// Replaces the hexadecimal digits at the end with the bytes they encode.
  ///
  /// - Returns: false if they are not hexadecimal digits.
  public mutating func unhex(from place: Int) -> Bool {
    guard place <= end else { return false }
    let digits = UnsafeRawBufferPointer(rebasing: bytes[place...])
    end = place + digits.count / 2
    return Hexadecimal.decode(digits, into: UnsafeMutableRawBufferPointer(start: start + place, count: digits.count / 2))
  }

  @usableFromInline @inline(never)
  mutating func grow(_ more: Int) {
    let larger = max(capacity * 2, end + more)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
    memory.copyMemory(from: start, byteCount: end)
    free()
    (start, capacity) = (memory, larger)
  }
}
