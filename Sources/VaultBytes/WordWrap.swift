/// Breaks text into lines between its words.
public enum WordWrap {
  /// What becomes of a word, such as a path or an ARN, that no line has room for.
  public enum LongWords: Sendable {
    /// It is broken where the line ends, after a slash if there is one near.
    case broken
    /// An ARN or URL stays whole on a line of its own, indented as far as there is room: somebody will copy it. Others are broken.
    case whole
    /// It stays whole, wherever it happens to stand.
    case kept
  }

  /// - Parameters:
  ///   - text: what `safeText` has passed. Text that fits is not changed.
  ///   - first: what the first line begins with.
  ///   - indent: what the other lines begin with.
  ///   - width: the columns of a line.
  ///   - columns: how many columns a text takes.
  public static func lines(
    _ text: String, first: String = "", indent: String = "", width: Int, longWords: LongWords = .broken,
    columns: (Substring) -> Int
  ) -> [String] {
    if columns((first + text)[...]) <= width { return [first + text] }
    var lines: [String] = []
    var line = first
    var used = columns(first[...])
    var isEmpty = true
    let margin = columns(indent[...])
    func next() {
      lines.append(trimmed(line))
      (line, used, isEmpty) = (indent, margin, true)
    }
    var gap = 0
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      // Two blanks in a row are kept within a line.
      if word.isEmpty {
        gap += 1
        continue
      }
      let length = columns(word)
      if !isEmpty, used + 1 + gap + length > width { next() }
      if isEmpty, longWords != .kept, used + length > width, used > margin { next() }
      if isEmpty, longWords != .kept, used + length > width {
        if longWords == .whole, isAddress(word) {
          if line.contains(where: { $0 != " " }) { lines.append(trimmed(line)) }
          line = String(repeating: " ", count: min(margin, max(0, width - length))) + word
        } else {
          for (index, piece) in pieces(of: word, max(1, width - max(used, margin)), columns).enumerated() {
            if index > 0 {
              lines.append(line)
              line = indent
            }
            line += piece
          }
        }
        (used, isEmpty) = (columns(line[...]), false)
      } else {
        let blanks = isEmpty ? 0 : 1 + gap
        line += String(repeating: " ", count: blanks) + word
        used += blanks + length
        isEmpty = false
      }
      gap = 0
    }
    return lines + [trimmed(line)]
  }

  /// The parts of a long word, each of at most so many columns.
  private static func pieces(of word: Substring, _ width: Int, _ columns: (Substring) -> Int) -> [Substring] {
    var pieces: [Substring] = []
    var rest = word
    while columns(rest) > width {
      var (end, used, slash) = (rest.startIndex, 0, rest.startIndex)
      while end < rest.endIndex {
        let after = rest.index(after: end)
        used += columns(rest[end..<after])
        if used > width { break }
        if rest[end] == "/", used > width / 2 { slash = after }
        end = after
      }
      // A character that is wider than the line has one for itself all the same.
      if end == rest.startIndex { end = rest.index(after: end) }
      let cut = slash > rest.startIndex ? slash : end
      pieces.append(rest[..<cut])
      rest = rest[cut...]
    }
    return rest.isEmpty ? pieces : pieces + [rest]
  }

  private static func isAddress(_ word: Substring) -> Bool { word.contains("arn:") || word.contains("://") }

  private static func trimmed(_ line: String) -> String { line.lastIndex { $0 != " " }.map { String(line[...$0]) } ?? "" }
}
