import VaultBytes

/// Memory that grows and is used again: a million rows are put together in it.
struct FormBuffer: ~Copyable {
  private var memory = UnsafeMutableRawPointer.allocate(byteCount: 4_096, alignment: 8)
  private var capacity = 4_096
  private(set) var count = 0

  deinit { memory.deallocate() }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  mutating func removeAll(from place: Int = 0) { count = min(count, place) }

  /// Puts bytes in the place of their hexadecimal digits, at the end.
  ///
  /// - Returns: false where they are none.
  mutating func unhex(from start: Int) -> Bool {
    guard start <= count else { return false }
    let digits = UnsafeRawBufferPointer(rebasing: bytes[start...])
    count = start + digits.count / 2
    return Hexadecimal.decode(digits, into: UnsafeMutableRawBufferPointer(start: memory + start, count: digits.count / 2))
  }

  @inline(__always)
  private mutating func reserve(_ more: Int) {
    if more > capacity - count { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    let wanted = max(capacity * 2, count + more)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 8)
    larger.copyMemory(from: memory, byteCount: count)
    memory.deallocate()
    (memory, capacity) = (larger, wanted)
  }

  mutating func append(byte: UInt8) {
    reserve(1)
    memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count)
    if let source = bytes.baseAddress { (memory + count).copyMemory(from: source, byteCount: bytes.count) }
    count += bytes.count
  }

  /// Fills up with zeros from the end to a place.
  mutating func pad(to place: Int) {
    guard place > count else { return }
    reserve(place - count)
    (memory + count).initializeMemory(as: UInt8.self, repeating: 0, count: place - count)
    count = place
  }

  mutating func append(text: UnsafeRawBufferPointer) {
    reserve(5 + text.count)
    memory.storeBytes(of: 1, toByteOffset: count, as: UInt8.self)
    memory.storeBytes(of: UInt32(truncatingIfNeeded: text.count).bigEndian, toByteOffset: count + 1, as: UInt32.self)
    if let source = text.baseAddress { (memory + count + 5).copyMemory(from: source, byteCount: text.count) }
    count += 5 + text.count
  }

  mutating func append(number: Int64) {
    reserve(9)
    memory.storeBytes(of: 2, toByteOffset: count, as: UInt8.self)
    memory.storeBytes(of: number.bigEndian, toByteOffset: count + 1, as: Int64.self)
    count += 9
  }
}
