import VaultSecrets

/// Base64 (RFC 4648), in memory that is wiped.
enum Base64 {
  /// With the alphabet for URLs and no padding (RFC 4648, 5).
  static func urlEncoded(_ bytes: UnsafeRawBufferPointer) -> WipedBytes {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text = WipedBytes(capacity: bytes.count * 4 / 3 + 4)
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 6 {
        count -= 6
        text.append(alphabet[Int(bits >> UInt32(count) & 63)])
      }
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
    return text
  }

  /// What a text with the standard alphabet and its padding stands for; line breaks and blanks in it are passed over.
  ///
  /// - Returns: nil for anything else (RFC 4648, 3.3), bits behind the end among it (3.5).
  static func decoded(_ text: SecretBytes) -> SecretBytes? {
    var bytes = WipedBytes(capacity: text.count * 3 / 4 + 4)
    var bits: UInt32 = 0
    var count = 0
    var digits = 0
    var padding = 0
    let isWhole = text.withBytes { text in
      for byte in text where ![0x20, 0x09, 0x0A, 0x0D].contains(byte) {
        if byte == UInt8(ascii: "=") {
          padding += 1
          continue
        }
        guard padding == 0, let value = value(byte) else { return false }
        digits += 1
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
          count -= 8
          bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
          bits &= (1 << UInt32(count)) - 1
        }
      }
      return digits > 0 && digits % 4 != 1 && padding == (4 - digits % 4) % 4 && bits == 0
    }
    return isWhole ? bytes.secret : nil
  }

  private static func value(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 65...90: byte - 65
    case 97...122: byte - 71
    case 48...57: byte + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
