extension Base64 {
  /// Decodes text in the alphabet for URLs without padding, as in JOSE (RFC 7515, section 2).
  ///
  /// - Returns: nil for anything else, and for empty input.
  public static func urlDecoded(_ text: SecretBytes) -> SecretBytes? {
    let count = text.count
    guard count > 0, count % 4 != 1 else { return nil }
    // The other alphabet, with padding. The characters that only it has must not come through.
    var isPlain = true
    let padded = SecretBytes(count: (count + 3) / 4 * 4) { padded in
      text.withBytes { text in
        for index in 0..<padded.count {
          switch index < count ? text[index] : UInt8(ascii: "=") {
          case UInt8(ascii: "-"): padded[index] = UInt8(ascii: "+")
          case UInt8(ascii: "_"): padded[index] = UInt8(ascii: "/")
          case let byte:
            if index < count {
              isPlain = isPlain && ((97...122).contains(byte | 0x20) && byte >= 65 || (48...57).contains(byte))
            }
            padded[index] = byte
          }
        }
      }
    }
    return isPlain ? decoded(padded) : nil
  }
}
