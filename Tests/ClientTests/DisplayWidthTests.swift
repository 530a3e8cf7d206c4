import Testing

@testable import vault

@Suite("How wide a text is on a terminal")
struct DisplayWidthTests {
  @Test(
    "letters take a column, East Asian ones two, accents none, and an emoji two, of however many characters it is made",
    arguments: [
      ("", 0), ("app-dev", 7), ("naïve", 5), ("nai\u{308}ve", 5), ("e\u{301}\u{323}", 1), ("Zürich", 6), ("日本語", 6),
      ("ｱｲｳ", 3), ("Ｆｕｌｌ", 8), ("한국", 4), ("\u{1112}\u{1161}\u{11AB}", 2), ("สวัสดี", 4), ("क्षि", 2), ("…", 1), ("→×—", 3),
      ("±α§", 3), ("🙂", 2), ("❤\u{FE0F}", 2), ("👍🏽", 2), ("👩\u{200D}👩\u{200D}👧", 2), ("🇩🇪", 2), ("1\u{FE0F}\u{20E3}", 2),
      ("A\u{FE0F}", 1), ("𠮷野家", 6), ("本番-prod", 9),
    ])
  func known(text: String, columns: Int) {
    #expect(DisplayWidth.columns(of: text) == columns)
    #expect(DisplayWidth.columns(of: text[...]) == columns)
    #expect(DisplayWidth.columns(of: "a" + text + "b") == columns + 2)
  }

  @Test(
    "what is too long is cut with an ellipsis, at its end or in its middle, and never within what is drawn as one",
    arguments: [
      ("app-dev", 7, "app-dev", "app-dev"), ("app-dev", 6, "app-d…", "app…ev"), ("app-dev", 1, "…", "…"), ("app-dev", 0, "", ""),
      ("日本語の名前", 12, "日本語の名前", "日本語の名前"), ("日本語の名前", 11, "日本語の名…", "日本…名前"), ("日本語の名前", 10, "日本語の…", "日本…名前"),
      ("e\u{301}e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}…", "e\u{301}…e\u{301}"), ("🇩🇪🇫🇷🇯🇵", 5, "🇩🇪🇫🇷…", "🇩🇪…🇯🇵"),
    ])
  func cutting(text: String, columns: Int, end: String, middle: String) {
    #expect(DisplayWidth.cut(text, to: columns) == end)
    #expect(DisplayWidth.cut(text, to: columns, at: .middle) == middle)
  }

  @Test("a cut text is never wider than asked, for every width")
  func always() {
    let text = "aws-本番-e\u{301}cole-🇩🇪-👩🏽\u{200D}💻-한국-終"
    for columns in 0...(DisplayWidth.columns(of: text) + 1) {
      for place in [DisplayWidth.Place.end, .middle] {
        let cut = DisplayWidth.cut(text, to: columns, at: place)
        #expect(DisplayWidth.columns(of: cut) <= columns)
        #expect(cut == text || columns == 0 || cut.contains("…"))
      }
    }
  }
}
