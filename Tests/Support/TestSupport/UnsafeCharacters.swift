/// Characters that no output may hold as they are, but for the line break that ends a line.
public enum UnsafeCharacters {
  /// What acts on a terminal or on a reader of lines, or what nobody sees: C0, DEL, C1, the soft hyphen, marks of direction, of lines and of
  /// no width, annotations, tags.
  public static let all = Set(
    [
      0x00...0x1F, 0x7F...0x9F, 0xAD...0xAD, 0x061C...0x061C, 0x180E...0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F,
      0xFEFF...0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F,
    ].flatMap { (range: ClosedRange<UInt32>) in range.compactMap { Unicode.Scalar($0) } })

  /// Whether a terminal would show the text and do nothing else.
  public static func areMissing(in text: String) -> Bool {
    text.unicodeScalars.allSatisfy { $0 == "\n" || !all.contains($0) }
  }
}
