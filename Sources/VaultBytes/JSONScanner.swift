import Glibc

/// Reads the parts of one JSON text (RFC 8259) from left to right, strictly: anything that is not JSON yields nil.
public struct JSONScanner: ~Escapable {
  @usableFromInline let bytes: RawSpan
  @usableFromInline var offset = 0

  @inlinable
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) { self.bytes = bytes }

  /// Bounds-checked: the program traps outside them.
  @inlinable
  func at(_ place: Int) -> UInt8 { bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self) }

  @inlinable var byte: UInt8? { offset < bytes.byteCount ? at(offset) : nil }

  @inlinable @inline(__always)
  mutating func skipBlanks() {
    while let byte, byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A { offset += 1 }
  }

  /// Whether only whitespace is left.
  public var isAtEnd: Bool {
    mutating get {
      skipBlanks()
      return offset == bytes.byteCount
    }
  }

  /// Consumes the next bytes and appends them as they are.
  ///
  /// - Parameter length: how many; it is lent all that is left. Nil for none.
  public mutating func take(into text: inout ByteBuffer, _ length: (UnsafeRawBufferPointer) -> Int?) -> Bool {
    skipBlanks()
    let rest = bytes.extracting(offset..<bytes.byteCount)
    guard let count = rest.withUnsafeBytes({ length($0) }) else { return false }
    text.append(bytes.extracting(offset..<offset + count))
    offset += count
    return true
  }

  /// Whether a string comes next.
  public var isAtString: Bool {
    mutating get {
      skipBlanks()
      return byte == UInt8(ascii: "\"")
    }
  }

  /// Consumes this byte if it comes next; returns whether it did.
  @inlinable @inline(__always)
  public mutating func consume(_ wanted: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard byte == UInt8(ascii: wanted) else { return false }
    offset += 1
    return true
  }

  /// Consumes this word if it comes next; returns whether it did.
  @inlinable
  public mutating func consume(word: StaticString) -> Bool {
    skipBlanks()
    guard isNext(word) else { return false }
    offset += word.utf8CodeUnitCount
    return true
  }

  /// Consumes a field's name, written without escapes, and the colon if they come next; otherwise consumes nothing.
  @inlinable
  public mutating func consume(field: StaticString) -> Bool {
    let start = offset
    if consume("\""), isNext(field) {
      offset += field.utf8CodeUnitCount
      // Not a prefix of a longer name: the name ends here.
      if byte == UInt8(ascii: "\"") {
        offset += 1
        if consume(":") { return true }
      }
    }
    offset = start
    return false
  }

  @inlinable @inline(__always)
  func isNext(_ word: StaticString) -> Bool {
    let length = word.utf8CodeUnitCount
    guard bytes.byteCount - offset >= length else { return false }
    return bytes.withUnsafeBytes { memcmp($0.baseAddress! + offset, word.utf8Start, length) == 0 }
  }

  /// An integer that fits into `Int64`.
  public mutating func number() -> Int64? {
    skipBlanks()
    let isNegative = byte == UInt8(ascii: "-")
    if isNegative { offset += 1 }
    let first = offset
    var value: Int64 = 0
    while let byte, (48...57).contains(byte) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let digit = Int64(byte - 48)
      let (sum, over) = isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      guard !overflow, !over else { return nil }
      value = sum
      offset += 1
    }
    // A leading zero, a fraction or an exponent is not accepted.
    guard offset > first, at(first) != 48 || offset == first + 1 else { return nil }
    if let byte, byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e") { return nil }
    return value
  }

  /// Reads a string and appends its decoded value to `text`.
  public mutating func string(into text: inout ByteBuffer) -> Bool {
    guard consume("\"") else { return false }
    while true {
      let from = offset
      skipPlain()
      text.append(bytes.extracting(from..<offset))
      guard let byte, byte >= 0x20 else { return false }
      offset += 1
      if byte == UInt8(ascii: "\"") { return true }
      guard escape(into: &text) else { return false }
    }
  }

  /// Skips unescaped characters of a string, eight bytes at a time (Warren, "Hacker's Delight", 6-1: find a zero byte).
  private mutating func skipPlain() {
    let ones: UInt64 = 0x0101_0101_0101_0101
    while bytes.byteCount - offset >= 8 {
      let block = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let quote = block ^ (ones &* 0x22)
      let backslash = block ^ (ones &* 0x5C)
      // A byte above 0x7F needs no escape; its effect on its neighbours is handled below.
      let control = (block &- (ones &* 0x20)) & ~block
      let found = (control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & (ones &* 0x80)
      if found != 0 { break }
      offset += 8
    }
    while let byte, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { offset += 1 }
  }

  private mutating func escape(into text: inout ByteBuffer) -> Bool {
    guard let byte else { return false }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      guard var value = hexadecimal() else { return false }
      if (0xD800..<0xDC00).contains(value) {
        guard offset + 1 < bytes.byteCount, at(offset) == UInt8(ascii: "\\"), at(offset + 1) == UInt8(ascii: "u") else {
          return false
        }
        offset += 2
        guard let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else { return false }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { return false }
      for byte in UTF8.encode(scalar) ?? Unicode.UTF8.encodedReplacementCharacter { text.append(byte) }
    default: return false
    }
    return true
  }

  private mutating func hexadecimal() -> UInt32? {
    guard bytes.byteCount - offset >= 4, let high = Hexadecimal.byte(at(offset), at(offset + 1)),
      let low = Hexadecimal.byte(at(offset + 2), at(offset + 3))
    else { return nil }
    offset += 4
    return UInt32(high) << 8 | UInt32(low)
  }
}
