import Testing
import VaultBytes

@Suite("Text in lines")
struct WordWrapTests {
  private func lines(
    _ text: String, first: String = "", indent: String = "", _ width: Int, longWords: WordWrap.LongWords = .broken
  ) -> [String] {
    WordWrap.lines(text, first: first, indent: indent, width: width, longWords: longWords) { $0.count }
  }

  @Test("text that fits is not changed, blanks and all")
  func fits() {
    #expect(lines("did you mean a?  b", first: "hint: ", 24) == ["hint: did you mean a?  b"])
    #expect(lines("", first: "vault: ", 20) == ["vault: "])
  }

  @Test("other text breaks between words, under what the first line begins with")
  func words() {
    #expect(
      lines("one two three four", first: "vault: ", indent: "       ", 15) == ["vault: one two", "       three", "       four"])
    #expect(lines("one two  three", indent: "  ", 8) == ["one two", "  three"])
    #expect(lines("one  two three", indent: "  ", 10) == ["one  two", "  three"])
    #expect(lines("abc def", first: "a long name: ", indent: "  ", 15) == ["a long name:", "  abc def"])
  }

  @Test("a word that is too long is broken, after a slash if there is one near the end")
  func broken() {
    #expect(lines("read /data/alice/projects/x now", indent: "  ", 14) == ["read", "  /data/alice/", "  projects/x", "  now"])
    #expect(lines("abcdefghijkl", first: "v: ", indent: "   ", 8) == ["v: abcde", "   fghij", "   kl"])
    #expect(lines("日本", 0) == ["日", "本"])
  }

  @Test("a word that is to be copied stays whole, on a line of its own, indented as far as there is room")
  func whole() {
    #expect(
      lines("arn:aws:s3 is it", first: "role  ", indent: "      ", 13, longWords: .whole) == [
        "role", "   arn:aws:s3", "      is it",
      ])
    #expect(lines("so http://a/b, yes", indent: "  ", 8, longWords: .whole) == ["so", "http://a/b,", "  yes"])
    #expect(lines("so abcdefghij, yes", indent: "  ", 8, longWords: .whole) == ["so", "  abcdef", "  ghij,", "  yes"])
    #expect(lines("so abcdefghij, yes", first: "x ", indent: "  ", 8, longWords: .kept) == ["x so", "  abcdefghij,", "  yes"])
  }

  @Test("no line is wider than asked, whatever the words and the width")
  func always() {
    let text =
      "vault cannot read /data/alice/a/very/long/path/to/config:  it is 日本 open to others, and that of arn:aws:iam::1:role/x"
    for width in 8...130 {
      for line in lines(text, first: "vault: ", indent: "       ", width) { #expect(line.count <= width, "\(width): \(line)") }
    }
  }
}
