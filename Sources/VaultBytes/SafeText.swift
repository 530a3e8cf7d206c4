/// Makes text from outside safe for a terminal or a log line.
///
/// In profile names, AWS's messages and file contents, control characters, line separators and bidirectional overrides are shown
/// escaped (`\x1b`, `\n`, `\u{202e}`). The stored evidence is unchanged; only its display differs.
public func safeText(_ text: String) -> String {
  if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
  var result = ""
  result.reserveCapacity(text.utf8.count + 16)
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0x0A: result += "\\n"
    case 0x0D: result += "\\r"
    case 0x09: result += "\\t"
    case 0x00...0x1F, 0x7F...0x9F: result += "\\x" + hex(scalar.value, width: 2)
    default:
      if scalar.isUnsafeToShow {
        result += "\\u{" + hex(scalar.value, width: 4) + "}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
  }
  return result
}

extension Unicode.Scalar {
  /// Whether a terminal or a line reader would act on the character, or nobody would see it: a control character, a line or
  /// direction mark, a zero-width character, a tag. Every output escapes these, each in its own way.
  public var isUnsafeToShow: Bool {
    switch value {
    case 0x00...0x1F, 0x7F...0x9F, 0xAD, 0x061C, 0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
      0xFFF9...0xFFFB,
      0xE0000...0xE007F:
      true
    default: false
    }
  }
}
