import VaultBytes
import VaultModel

/// Characters that are invisible in an editor, such as those that a web page or a word processor leaves in a copied line.
enum Unseen {
  /// The length in bytes of the blank at `index`; nil if none begins there. Blanks are Unicode white space, as Python's `str.strip`
  /// removes it, without line breaks.
  static func blank(at index: Int, in bytes: UnsafeRawBufferPointer, before end: Int) -> Int? {
    let first = bytes[index]
    if first < 0x80 { return Byte.isBlank(first) || (28...31).contains(first) ? 1 : nil }
    switch (first, end - index) {
    case (0xC2, 2...): return bytes[index + 1] == 0x85 || bytes[index + 1] == 0xA0 ? 2 : nil
    case (0xE1, 3...): return bytes[index + 1] == 0x9A && bytes[index + 2] == 0x80 ? 3 : nil
    case (0xE2, 3...):
      let last = bytes[index + 2]
      if bytes[index + 1] == 0x81 { return last == 0x9F ? 3 : nil }
      guard bytes[index + 1] == 0x80 else { return nil }
      return (0x80...0x8A).contains(last) || last == 0xA8 || last == 0xA9 || last == 0xAF ? 3 : nil
    case (0xE3, 3...): return bytes[index + 1] == 0x80 && bytes[index + 2] == 0x80 ? 3 : nil
    default: return nil
    }
  }

  /// The same for the blank that ends before `end`.
  static func blank(before end: Int, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    for length in bytes[end - 1] < 0x80 ? 1...1 : 2...3 where end - length >= start {
      if blank(at: end - length, in: bytes, before: end) == length { return length }
    }
    return nil
  }

  /// Describes the first invisible character; nil if all are visible, or the bytes are not UTF-8.
  static func first(in bytes: UnsafeRawBufferPointer) -> String? {
    guard !bytes.allSatisfy({ (0x20...0x7E).contains($0) }), let text = String(validating: bytes, as: UTF8.self) else {
      return nil
    }
    return text.unicodeScalars.first { scalar in
      scalar.value != 0x09 && (scalar.isUnsafeToShow || scalar.value > 0x7E && scalar.properties.isWhitespace)
    }.map(name)
  }

  private static func name(_ scalar: Unicode.Scalar) -> String {
    let code = "U+" + hex(scalar.value, width: 4).uppercased()
    return switch scalar.value {
    case 0x00: "a NUL byte"
    case 0xA0, 0x202F: "a no-break space (\(code))"
    case 0x200B: "a zero-width space (\(code))"
    case 0xFEFF: "a byte order mark (\(code))"
    default: "an invisible character (\(code))"
    }
  }
}
