/// Splits a command line of a config file into words as a shell does, but with quotes and backslashes only.
///
/// The SDKs split `credential_process` in the same way (botocore, `compat_shell_split`: Python's `shlex.split`).
enum ShellWords {
  /// The text is not a command line.
  enum Malformed: Error { case openQuote, loneBackslash, empty }

  static func split(_ line: String) throws(Malformed) -> [String] {
    var words: [String] = []
    var word: [UInt8] = []
    var isInWord = false
    var quote: UInt8 = 0
    var bytes = line.utf8.makeIterator()
    while let byte = bytes.next() {
      switch (byte, quote) {
      case (UInt8(ascii: "'"), 0), (UInt8(ascii: "\""), 0):
        quote = byte
        isInWord = true
      case (quote, 1...): quote = 0
      case (UInt8(ascii: "\\"), 0):
        guard let next = bytes.next() else { throw .loneBackslash }
        word.append(next)
        isInWord = true
      case (UInt8(ascii: "\\"), UInt8(ascii: "\"")):
        guard let next = bytes.next() else { throw .openQuote }
        // Between double quotes, a backslash is literal unless one of these two follows.
        if next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { word.append(byte) }
        word.append(next)
      case (0x20, 0), (0x09...0x0A, 0), (0x0D, 0):
        if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
        word = []
        isInWord = false
      default:
        word.append(byte)
        isInWord = true
      }
    }
    guard quote == 0 else { throw .openQuote }
    if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
    guard words.first?.isEmpty == false else { throw .empty }
    return words
  }
}
