import TestSupport
import Testing
import VaultBytes

struct SafeTextTests {
  @Test("each unsafe character is shown by safe ones alone, and no two alike")
  func escaped() {
    var seen: Set<String> = []
    for scalar in UnsafeCharacters.all {
      #expect(scalar.isUnsafeToShow, "\(scalar.value)")
      let shown = safeText(String(scalar))
      #expect(shown.utf8.allSatisfy { (0x21...0x7E).contains($0) } && shown.hasPrefix("\\") && seen.insert(shown).inserted)
    }
  }

  @Test("no other character of ASCII or of a language is changed")
  func untouched() {
    for text in ["plain ~!\"#", "Zoë Müller", "Ωμέγα", "日本語", "עברית", "🔑", "a\u{301}"] { #expect(safeText(text) == text) }
  }

  @Test("the forms are those of C and of Swift")
  func forms() {
    #expect(safeText("a\n\r\t\u{1B}[\u{7F}\u{85}\u{202E}\u{E0041}") == "a\\n\\r\\t\\x1b[\\x7f\\x85\\u{202e}\\u{e0041}")
  }

  @Test("JSON has each unsafe character as an escape")
  func json() {
    var writer = JSONWriter()
    writer.string(String(String.UnicodeScalarView(UnsafeCharacters.all)))
    #expect(String(decoding: writer.consume(), as: UTF8.self).utf8.allSatisfy { (0x20...0x7E).contains($0) })
  }
}
