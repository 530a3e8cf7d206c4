import VaultBytes

/// Text of Terraform's language (HCL native syntax specification).
enum HCL {
  /// A string. `${` and `%{`, which would begin a template, are doubled.
  static func quoted(_ text: String) -> String {
    var result = "\""
    var last: Unicode.Scalar = " "
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "{" where last == "$" || last == "%": result += "\(last){"
      default:
        if scalar.isUnsafeToShow {
          let digits = String(scalar.value, radix: 16)
          let width = scalar.value > 0xFFFF ? 8 : 4
          result += (width == 8 ? "\\U" : "\\u") + String(repeating: "0", count: width - digits.count) + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
      last = scalar
    }
    return result + "\""
  }

  /// A value as an expression, in the layout of `terraform fmt`.
  static func expression(_ value: JSONValue, indent: Int) -> String {
    let inner = String(repeating: " ", count: indent + 2)
    switch value {
    case .object(let members) where !members.isEmpty:
      let lines = members.map { (key($0.name), expression($0.value, indent: indent + 2)) }
      return "{\n" + aligned(lines, indent: indent + 2) + String(repeating: " ", count: indent) + "}"
    case .array(let values) where !values.isEmpty:
      return "[\n" + values.map { inner + expression($0, indent: indent + 2) + ",\n" }.joined()
        + String(repeating: " ", count: indent)
        + "]"
    case .object: return "{}"
    case .array: return "[]"
    case .string(let text): return quoted(text)
    case .number(let text): return text
    case .bool(let value): return value ? "true" : "false"
    case .null: return "null"
    }
  }

  /// `name = value` on lines of their own, whose signs stand below each other where values of one line follow each other.
  static func aligned(_ lines: [(name: String, value: String)], indent: Int) -> String {
    var text = ""
    var index = 0
    while index < lines.count {
      var run = lines[index...].prefix { !$0.value.contains("\n") }
      if run.isEmpty { run = lines[index...index] }
      let width = run.map(\.name.unicodeScalars.count).max() ?? 0
      for (name, value) in run {
        text += String(repeating: " ", count: indent) + name
        text += String(repeating: " ", count: width - name.unicodeScalars.count) + " = " + value + "\n"
      }
      index += run.count
    }
    return text
  }

  /// A policy's own element names stand as they are; every other name could be a keyword, or more than a name.
  private static func key(_ name: String) -> String {
    let isPlain = name.utf8.first.map { (65...90).contains($0) } ?? false
    return isPlain && name.utf8.allSatisfy { (97...122).contains($0 | 0x20) } ? name : quoted(name)
  }
}
