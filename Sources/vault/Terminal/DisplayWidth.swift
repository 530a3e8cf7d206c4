import CUTF8Proc

/// The columns that a terminal takes to show a text, by utf8proc's tables of widths (UAX #11).
///
/// The text is one that `safeText` has passed: of a control character, nobody knows what a terminal makes.
enum DisplayWidth {
  /// Where a text is cut that is too long.
  enum Place {
    case middle, end
  }

  /// - Complexity: linear in the text; ASCII is only counted.
  static func columns(of text: some StringProtocol) -> Int {
    if isASCII(text) { return text.utf8.count }
    var columns = 0
    var last: (scalar: Unicode.Scalar, columns: Int)?
    for scalar in text.unicodeScalars {
      var width = 1
      if !scalar.isASCII {
        switch scalar.value {
        // A variation selector asks for the drawing that is as wide as an emoji.
        case 0xFE0F: width = last?.columns == 1 && last?.scalar.properties.isEmoji == true ? 1 : 0
        // The color of a skin, and what a joiner adds to an emoji, are drawn into it.
        case 0x1F3FB...0x1F3FF where last != nil: width = 0
        case _ where last?.scalar.value == 0x200D && scalar.properties.isEmoji: width = 0
        // A vowel or final consonant of Korean stands in its syllable's square.
        case 0x1160...0x11FF where last.map { (0x1100...0x11FF).contains($0.scalar.value) } == true: width = 0
        default: width = max(0, Int(utf8proc_charwidth(Int32(scalar.value))))
        }
      }
      columns += width
      last = (scalar, width)
    }
    return columns
  }

  /// - Returns: the text, or as much of it as fits, with an ellipsis for what is left out. A character that is drawn as one, such as
  ///   a letter with its accents or a flag, is never divided.
  static func cut(_ text: String, to columns: Int, at place: Place = .end) -> String {
    guard self.columns(of: text) > columns else { return text }
    guard columns > 0 else { return "" }
    // The ellipsis takes one.
    let tail = place == .middle ? (columns - 1) / 2 : 0
    if isASCII(text) {
      return Substring(text.utf8.prefix(columns - 1 - tail)) + "…" + String(Substring(text.utf8.suffix(tail)))
    }
    return prefix(text, columns - 1 - tail) + "…" + String(prefix(text.reversed(), tail).reversed())
  }

  /// Pads a text at its end, where it is shorter.
  static func padded(_ text: String, to columns: Int) -> String {
    text + String(repeating: " ", count: max(0, columns - self.columns(of: text)))
  }

  private static func prefix(_ text: some Sequence<Character>, _ columns: Int) -> String {
    var (result, left) = ("", columns)
    for character in text {
      left -= self.columns(of: String(character))
      if left < 0 { break }
      result.append(character)
    }
    return result
  }

  private static func isASCII(_ text: some StringProtocol) -> Bool {
    let isPlain = { (bytes: UnsafeBufferPointer<UInt8>) in
      // Without branches, so that the compiler takes many bytes at a time.
      var strange: UInt8 = 0
      for byte in bytes { strange |= byte &- 0x20 < 0x5F ? 0 : 1 }
      return strange == 0
    }
    return text.utf8.withContiguousStorageIfAvailable(isPlain) ?? false
  }
}
