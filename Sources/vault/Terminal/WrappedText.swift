import VaultBytes

/// Words in lines of at most 80 columns, or of the terminal's if it is narrower, or of as many as the caller says.
enum WrappedText {
  static var width: Int { Terminal.outputIsTerminal ? min(80, Terminal.width) : 80 }

  /// - Parameters:
  ///   - first: what the first line begins with.
  ///   - indent: what the other lines begin with.
  /// - Returns: safe lines that break between words; a longer word, such as an ARN, has a line of its own.
  static func lines(
    _ text: String, first: String = "", indent: String = "", width: Int = width,
    longWords: WordWrap.LongWords = Terminal.outputIsTerminal ? .whole : .kept
  ) -> [String] {
    WordWrap.lines(Diagnostics.shown(text), first: first, indent: indent, width: width, longWords: longWords) {
      DisplayWidth.columns(of: $0)
    }
  }
}
