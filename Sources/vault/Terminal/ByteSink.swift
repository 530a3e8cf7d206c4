import Glibc
import VaultBytes
import VaultModel

/// Bytes on their way to a file, for what is written by the million: copied once, looked at eight at a time, and written in large pieces.
struct ByteSink: ~Copyable {
  private static let capacity = 1 << 18
  private let descriptor: Int32
  private let start = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
  private(set) var count = 0
  private(set) var failure: Failure?

  /// - Parameter descriptor: stays the caller's to close.
  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { start.deallocate() }

  /// Inlined, so that a text of the program is moved by an instruction or two.
  @inline(__always)
  mutating func append(_ text: StaticString) {
    let length = text.utf8CodeUnitCount
    if length > Self.capacity - count { flush() }
    (start + count).copyMemory(from: text.utf8Start, byteCount: length)
    count += length
  }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    if count == Self.capacity { flush() }
    start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  /// Has a name, since a literal would be a `String` rather than a `StaticString`.
  mutating func append(string text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while rest.count > Self.capacity - count {
      let part = Self.capacity - count
      (start + count).copyMemory(from: rest.baseAddress!, byteCount: part)
      count += part
      flush()
      rest = UnsafeRawBufferPointer(rebasing: rest[part...])
    }
    guard let from = rest.baseAddress else { return }
    (start + count).copyMemory(from: from, byteCount: rest.count)
    count += rest.count
  }

  /// Copies a text that has nothing in it but printable ASCII without the two bytes; copies nothing of any other.
  ///
  /// - Returns: whether it was copied.
  mutating func appendPlain(_ bytes: UnsafeRawBufferPointer, without first: UInt8, _ second: UInt8) -> Bool {
    let length = bytes.count
    guard length > 0, let from = bytes.baseAddress else { return true }
    if length > Self.capacity - count { flush() }
    guard length <= Self.capacity else { return false }
    let to = start + count
    guard length >= 8 else { return appendShort(from, length, first, second) }
    let marks = (Self.repeated(first), Self.repeated(second))
    var foreign: UInt64 = 0
    var offset = 0
    while offset + 8 <= length {
      let block = from.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      foreign |= Self.foreign(block, marks)
      to.storeBytes(of: block, toByteOffset: offset, as: UInt64.self)
      offset += 8
    }
    // The last eight overlap those before, rather than to reach behind the text.
    let last = from.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
    to.storeBytes(of: last, toByteOffset: length - 8, as: UInt64.self)
    guard foreign | Self.foreign(last, marks) == 0 else { return false }
    count += length
    return true
  }

  private mutating func appendShort(_ from: UnsafeRawPointer, _ length: Int, _ first: UInt8, _ second: UInt8) -> Bool {
    for offset in 0..<length {
      let byte = from.load(fromByteOffset: offset, as: UInt8.self)
      guard byte >= 0x20, byte < 0x7F, byte != first, byte != second else { return false }
      start.storeBytes(of: byte, toByteOffset: count + offset, as: UInt8.self)
    }
    count += length
    return true
  }

  @inline(__always)
  private static func repeated(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

  /// Not 0 where one of eight bytes is no printable ASCII or one of the marks (Warren, "Hacker's Delight", 6-1: find a zero byte).
  /// The standard library's SIMD would do as well, and is compared byte by byte by the compiler.
  @inline(__always)
  private static func foreign(_ block: UInt64, _ marks: (UInt64, UInt64)) -> UInt64 {
    let delete = block ^ 0x7F7F_7F7F_7F7F_7F7F
    let first = block ^ marks.0
    let second = block ^ marks.1
    let one: UInt64 = 0x0101_0101_0101_0101
    let control = (block &- 0x2020_2020_2020_2020) & ~block
    let marked = ((delete &- one) & ~delete) | ((first &- one) & ~first) | ((second &- one) & ~second)
    return (block | control | marked) & 0x8080_8080_8080_8080
  }

  mutating func append(_ number: Int64) {
    guard number >= 0 else { return append(string: String(number)) }
    if Self.capacity - count < 20 { flush() }
    var digits = 1
    var bound: Int64 = 10
    while number >= bound, digits < 19 {
      digits += 1
      bound = digits == 19 ? .max : bound &* 10
    }
    var rest = number
    for offset in stride(from: digits - 1, through: 0, by: -1) {
      start.storeBytes(of: 48 + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: count + offset, as: UInt8.self)
      rest /= 10
    }
    count += digits
  }

  mutating func append(hex bytes: UnsafeRawBufferPointer) {
    precondition(2 * bytes.count <= Self.capacity)
    if 2 * bytes.count > Self.capacity - count { flush() }
    Hexadecimal.encode(bytes, into: UnsafeMutableRawBufferPointer(start: start + count, count: 2 * bytes.count))
    count += 2 * bytes.count
  }

  /// A moment in ISO 8601: eleven bytes of a date (the second word has three), `hh:mm:ss`, and `Z`.
  mutating func append(date: (UInt64, UInt32), clock: UInt64) {
    if Self.capacity - count < 20 { flush() }
    start.storeBytes(of: date.0.littleEndian, toByteOffset: count, as: UInt64.self)
    start.storeBytes(of: date.1.littleEndian, toByteOffset: count + 8, as: UInt32.self)
    start.storeBytes(of: clock.littleEndian, toByteOffset: count + 11, as: UInt64.self)
    start.storeBytes(of: UInt8(ascii: "Z"), toByteOffset: count + 19, as: UInt8.self)
    count += 20
  }

  /// Writes what is there. After a failure nothing is written any more; whoever is done looks at ``failure``.
  mutating func flush() {
    var offset = 0
    while offset < count, failure == nil {
      let written = write(descriptor, start + offset, count - offset)
      if written > 0 {
        offset += written
      } else if errno != EINTR {
        // A reader that has gone away (`| head`) ends us quietly, as SIGPIPE would.
        if errno == EPIPE { exit(0) }
        failure = Failure("cannot write the export (\(String(cString: strerror(errno))))", exitStatus: .inputOutput)
      }
    }
    count = 0
  }
}
