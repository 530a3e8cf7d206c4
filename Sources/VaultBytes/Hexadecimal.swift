/// Hexadecimal (RFC 4648, section 8), for what is not secret: VaultSecrets has `SecretHex`.
///
/// Four bytes and their eight digits are converted at once, each in a lane of a 64-bit word: a log's hashes are read at the
/// speed of the disk.
public enum Hexadecimal {
  /// Writes the lower-case digits of `bytes`.
  ///
  /// - Parameter digits: two bytes for each byte of `bytes`.
  @inlinable
  public static func encode(_ bytes: UnsafeRawBufferPointer, into digits: UnsafeMutableRawBufferPointer) {
    precondition(digits.count == 2 * bytes.count)
    var offset = 0
    while offset + 4 <= bytes.count {
      let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      digits.storeBytes(of: Self.digits(of: word).littleEndian, toByteOffset: 2 * offset, as: UInt64.self)
      offset += 4
    }
    while offset < bytes.count {
      let pair = UInt16(truncatingIfNeeded: Self.digits(of: UInt32(bytes[offset])))
      digits.storeBytes(of: pair.littleEndian, toByteOffset: 2 * offset, as: UInt16.self)
      offset += 1
    }
  }

  /// Decodes `digits`, in either case. Both buffers may begin at the same address.
  ///
  /// - Parameter bytes: one byte for every two digits.
  /// - Returns: false if there are other characters or an odd number of them; the output is then meaningless.
  public static func decode(_ digits: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer) -> Bool {
    guard digits.count == 2 * bytes.count else { return false }
    var invalid: UInt64 = 0
    var offset = 0
    while offset + 4 <= bytes.count {
      let word = UInt64(littleEndian: digits.loadUnaligned(fromByteOffset: 2 * offset, as: UInt64.self))
      bytes.storeBytes(of: Self.bytes(of: word, &invalid).littleEndian, toByteOffset: offset, as: UInt32.self)
      offset += 4
    }
    while offset < bytes.count {
      let pair = UInt16(littleEndian: digits.loadUnaligned(fromByteOffset: 2 * offset, as: UInt16.self))
      bytes[offset] = UInt8(truncatingIfNeeded: Self.bytes(of: UInt64(pair) | 0x3030_3030_3030_0000, &invalid))
      offset += 1
    }
    return invalid == 0
  }

  /// Decodes two digits, as after a `%`; nil if one is missing or invalid.
  public static func byte(_ high: UInt8?, _ low: UInt8?) -> UInt8? {
    guard let high, let low else { return nil }
    var invalid: UInt64 = 0
    let byte = bytes(of: UInt64(high) | UInt64(low) << 8 | 0x3030_3030_3030_0000, &invalid)
    return invalid == 0 ? UInt8(truncatingIfNeeded: byte) : nil
  }

  /// The eight digits of four bytes, the first in the lowest byte of each.
  @inlinable
  public static func digits(of bytes: UInt32, isUppercase: Bool = false) -> UInt64 {
    var word = UInt64(bytes)
    word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
    word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
    word = (word >> 4 & 0x000F_000F_000F_000F) | (word & 0x000F_000F_000F_000F) << 8
    let letters = (word &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return word &+ 0x3030_3030_3030_3030 &+ letters &* (isUppercase ? 7 : 39)
  }

  /// The four bytes of eight digits; sets bits of `invalid` for each invalid digit.
  private static func bytes(of digits: UInt64, _ invalid: inout UInt64) -> UInt32 {
    let highest: UInt64 = 0x8080_8080_8080_8080
    // Clearing the highest bits keeps a lane from carrying into the next. Adding 0x80 - n sets the highest bit of any value of n or
    // more.
    let word = digits & ~highest
    let lower = word | 0x2020_2020_2020_2020
    let isDigit = (word &+ 0x5050_5050_5050_5050) & ~(word &+ 0x4646_4646_4646_4646) & highest
    let isLetter = (lower &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(lower &+ 0x1919_1919_1919_1919) & highest
    invalid |= (digits & highest) | (~(isDigit | isLetter) & highest)
    var value = (word & 0x0F0F_0F0F_0F0F_0F0F) &+ (isLetter >> 7) &* 9
    value = (value << 4 | value >> 8) & 0x00FF_00FF_00FF_00FF
    value = (value | value >> 8) & 0x0000_FFFF_0000_FFFF
    return UInt32(truncatingIfNeeded: value | value >> 16)
  }
}

/// Bytes in lower-case hexadecimal.
public func hex(_ bytes: [UInt8]) -> String {
  String(unsafeUninitializedCapacity: 2 * bytes.count) { digits in
    bytes.withUnsafeBytes {
      Hexadecimal.encode(
        $0, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(digits)[..<(2 * $0.count)]))
    }
    return 2 * bytes.count
  }
}

/// A number in lower-case hexadecimal, zero-padded to `width` digits.
public func hex(_ number: UInt32, width: Int) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// Decodes exactly `count` bytes from hexadecimal; nil for anything else.
public func unhex(_ text: some StringProtocol, count: Int) -> [UInt8]? {
  let digits = Array(text.utf8)
  var bytes = [UInt8](repeating: 0, count: count)
  let isHexadecimal = digits.withUnsafeBytes { digits in bytes.withUnsafeMutableBytes { Hexadecimal.decode(digits, into: $0) } }
  return isHexadecimal ? bytes : nil
}
