/// Text from outside, made fit for a terminal or a log line.
///
/// Profile names, AWS's messages and file contents are shown with control characters, line separators and bidirectional overrides
/// escaped (`\x1b`, `\n`, `\u{202e}`); the evidence itself is kept as it is, only its showing changes.
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
  /// Whether a terminal or a reader of lines would act on it, or nobody would see it: a control character, a line or direction mark, a
  /// sign without width, a tag. Every output escapes these, each in its own way.
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
