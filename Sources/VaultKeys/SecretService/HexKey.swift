import VaultSecrets

/// A master key as text: 64 hexadecimal digits.
///
/// Services differ in what they let a secret be; some keep text only (KeePassXC, pass). The digits are worked out without tables or
/// branches on their values, and stay in guarded memory.
enum HexKey {
  static func encode(_ key: SecretBytes) -> SecretBytes {
    SecretBytes(count: key.count * 2) { text in
      key.withBytes { key in
        for index in 0..<key.count {
          text[2 * index] = digit(key[index] >> 4)
          text[2 * index + 1] = digit(key[index] & 15)
        }
      }
    }
  }

  /// - Returns: nil for other than 64 digits.
  static func decode(_ text: UnsafeRawBufferPointer) -> SecretBytes? {
    guard text.count == masterKeyLength * 2 else { return nil }
    var isHex = true
    let key = SecretBytes(count: masterKeyLength) { key in
      for index in 0..<masterKeyLength {
        let high = value(text[2 * index])
        let low = value(text[2 * index + 1])
        if high > 15 || low > 15 { isHex = false }
        key[index] = (high & 15) << 4 | (low & 15)
      }
    }
    return isHex ? key : nil
  }

  private static func digit(_ nibble: UInt8) -> UInt8 {
    // 0x27 more for the letters: (9 - nibble) is negative for them, and its upper bits all ones.
    let isLetter = UInt8(truncatingIfNeeded: (9 - Int16(nibble)) >> 8)
    return 0x30 + nibble + (isLetter & 0x27)
  }

  /// 0 to 15; 0xFF for what is no digit.
  private static func value(_ character: UInt8) -> UInt8 {
    let byte = Int16(character)
    let lower = byte | 0x20
    // All ones where the bounds hold, zeros elsewhere.
    let isDigit = ~((byte - 0x30) >> 8) & ~((0x39 - byte) >> 8)
    let isLetter = ~((lower - 0x61) >> 8) & ~((0x66 - lower) >> 8)
    let result = (isDigit & (byte - 0x30)) | (isLetter & (lower - 0x57)) | (~(isDigit | isLetter) & 0xFF)
    return UInt8(truncatingIfNeeded: result)
  }
}
