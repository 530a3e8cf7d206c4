import VaultBytes

/// JSON values as block YAML, of the part of the language in which versions 1.1 and 1.2 agree.
enum YAML {
  static func text(_ value: JSONValue, indent: Int = 0) -> String {
    let margin = String(repeating: " ", count: indent)
    switch value {
    case .object(let members) where !members.isEmpty:
      return members.map { margin + scalar($0.name) + ":" + nested($0.value, indent: indent + 2) }.joined()
    case .array(let values) where !values.isEmpty:
      return values.map { value in
        guard value.members?.isEmpty == false || value.array?.isEmpty == false else { return margin + "- " + leaf(value) + "\n" }
        return margin + "- " + text(value, indent: indent + 2).dropFirst(indent + 2)
      }.joined()
    default: return margin + leaf(value) + "\n"
    }
  }

  private static func nested(_ value: JSONValue, indent: Int) -> String {
    guard value.members?.isEmpty == false || value.array?.isEmpty == false else { return " " + leaf(value) + "\n" }
    return "\n" + text(value, indent: indent)
  }

  private static func leaf(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): scalar(text)
    case .number(let text): text
    case .bool(let value): value ? "true" : "false"
    case .null: "null"
    case .object: "{}"
    case .array: "[]"
    }
  }

  /// Words that YAML 1.1 takes for something other than text.
  private static let reserved: Set<String> = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]

  /// A string: plain if nothing in it could mean anything, otherwise in double quotes.
  static func scalar(_ text: String) -> String {
    let isPlain =
      text.utf8.first.map { (97...122).contains($0 | 0x20) } == true && text.utf8.last != UInt8(ascii: ":")
      && text.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 0x20) || "_:/.-".utf8.contains($0) }
      && !reserved.contains(text.lowercased())
    return isPlain ? text : quoted(text)
  }

  /// YAML 1.2.2, section 5.7 "Escaped Characters".
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        // U+FFFE and U+FFFF are no characters of YAML's.
        if scalar.isUnsafeToShow || scalar.value & 0xFFFE == 0xFFFE {
          let digits = String(scalar.value, radix: 16)
          let width = scalar.value > 0xFFFF ? 8 : 4
          result += (width == 8 ? "\\U" : "\\u") + String(repeating: "0", count: width - digits.count) + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
