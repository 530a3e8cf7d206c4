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
    return text.reduce(0) { $0 + columns(of: $1) }
  }

  /// - Returns: the text, or as much of it as fits, with an ellipsis for what is left out. A character that is drawn as one, such as
  ///   a letter with its accents or a flag, is never divided.
  static func cut(_ text: String, to columns: Int, at place: Place = .end) -> String {
    guard self.columns(of: text) > columns else { return text }
    guard columns > 0 else { return "" }
    // The ellipsis takes one.
    let tail = place == .middle ? (columns - 1) / 2 : 0
    return prefix(text, columns - 1 - tail) + "…" + String(prefix(text.reversed(), tail).reversed())
  }

  /// Pads a text at its end, where it is shorter.
  static func padded(_ text: String, to columns: Int) -> String {
    text + String(repeating: " ", count: max(0, columns - self.columns(of: text)))
  }

  private static func prefix(_ text: some Sequence<Character>, _ columns: Int) -> String {
    var (result, left) = ("", columns)
    for character in text {
      left -= self.columns(of: character)
      if left < 0 { break }
      result.append(character)
    }
    return result
  }

  private static func columns(of character: Character) -> Int {
    if character.isASCII { return 1 }
    var columns = 0
    var last: Unicode.Scalar?
    for scalar in character.unicodeScalars {
      switch scalar.value {
      // A variation selector asks for the drawing that is as wide as an emoji.
      case 0xFE0F: if last?.properties.isEmoji == true { columns = max(columns, 2) }
      // The color of a skin, and what a joiner adds to an emoji, are drawn into it.
      case 0x1F3FB...0x1F3FF where columns > 0: break
      // A vowel or final consonant of Korean stands in its syllable's square.
      case 0x1160...0x11FF where columns > 0: break
      case _ where last?.value == 0x200D && scalar.properties.isEmoji: break
      default: columns += max(0, Int(utf8proc_charwidth(Int32(scalar.value))))
      }
      last = scalar
    }
    return columns
  }

  private static func isASCII(_ text: some StringProtocol) -> Bool {
    let isPlain = { (bytes: UnsafeBufferPointer<UInt8>) in
      // Without branches, so that the compiler takes many bytes at a time.
      bytes.reduce(UInt8(0)) { $0 | ($1 &- 0x20 < 0x5F ? 0 : 1) } == 0
    }
    return text.utf8.withContiguousStorageIfAvailable(isPlain) ?? false
  }
}
