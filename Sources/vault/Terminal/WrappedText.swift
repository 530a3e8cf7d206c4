import VaultModel

/// Text in lines of at most 80 columns, or as many as the caller says.
enum WrappedText {
  static let width = 80

  /// - Parameters:
  ///   - first: what the first line begins with.
  ///   - indent: what the other lines begin with.
  /// - Returns: lines that break between words; a longer word, such as an ARN, has a line of its own.
  static func lines(_ text: String, first: String = "", indent: String = "", width: Int = width) -> [String] {
    var lines: [String] = []
    var line = first
    var isEmpty = true
    for word in ProgramName.renaming(text).split(separator: " ") {
      if !isEmpty, line.unicodeScalars.count + 1 + word.unicodeScalars.count > width {
        lines.append(line)
        (line, isEmpty) = (indent, true)
      }
      line += (isEmpty ? "" : " ") + word
      isEmpty = false
    }
    return lines + [line]
  }
}
