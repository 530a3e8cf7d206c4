import VaultBytes

extension ShellText {
  /// A JSON text as a word, which can also be a literal of JMESPath: single quotes and backticks are escaped in JSON's own way.
  static func quoted(json text: String) -> String {
    "'" + text.replacingAll("'", with: "\\u0027").replacingAll("`", with: "\\u0060") + "'"
  }
}

extension String {
  /// The text with every occurrence of a character replaced.
  func replacingAll(_ scalar: Unicode.Scalar, with replacement: String) -> String {
    var result = ""
    for each in unicodeScalars { if each == scalar { result += replacement } else { result.unicodeScalars.append(each) } }
    return result
  }
}
