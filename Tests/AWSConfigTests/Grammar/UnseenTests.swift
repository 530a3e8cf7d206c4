import Testing
import VaultModel

@testable import AWSConfig

@Suite("What nobody sees in a file")
struct UnseenTests {
  @Test(
    "blanks beyond ASCII around a name and a value are no part of them",
    arguments: ["\u{A0}", "\u{3000}", "\u{2003}", "\u{202F}", "\u{85}", "\u{1680}", "\u{205F}", "\u{A0} \u{2028}"])
  func blanks(blank: String) throws {
    let found = try parsed("[default]\n\(blank)region\(blank)=\(blank)eu-west-1\(blank)\n\(blank)# note\n\(blank)\n")
    #expect(found.sections.map { $0.text("region") } == ["eu-west-1"])
    #expect(found.warnings.isEmpty)
  }

  @Test(
    "what stays in a value or a name is named, with its line",
    arguments: [
      ("region = a\u{200B}", "the value contains a zero-width space (U+200B)"),
      ("region = a\u{A0}b", "the value contains a no-break space (U+00A0)"),
      (
        "\u{FEFF}region = a",
        "unknown setting: kept, but without effect: it has a byte order mark (U+FEFF)"
      ),
      ("[profile b\u{A0}]", "the section's name contains a no-break space (U+00A0)"),
    ])
  func warnings(line: String, warning: String) throws {
    #expect(try parsed("[default]\n" + line).warnings.map(\.description) == ["config:2: " + warning])
  }

  @Test(
    "what makes a line unreadable is named",
    arguments: [
      ("\0\0", "\"name = value\"; this line has a NUL byte"),
      ("\u{FEFF}[profile a]", "\"name = value\"; this line has a byte order mark (U+FEFF)"),
    ])
  func faults(line: String, expected: String) throws {
    #expect(throws: ConfigError.syntax(file: "config", line: 2, expected: expected)) { try parsed("[default]\n" + line) }
  }

  @Test("a file in UTF-16 is named as one", arguments: [[0xFF, 0xFE, 0x5B, 0], [0xFE, 0xFF, 0, 0x5B], [0x5B, 0, 0x64, 0]])
  func utf16(bytes: [UInt8]) throws {
    let home = try WrittenHome(config: nil, credentials: nil)
    try home.write(bytes, to: ".aws/config")
    #expect(throws: ConfigError.unreadable(file: "~/.aws/config", problem: "is UTF-16 text: save it as UTF-8")) {
      try home.read()
    }
  }
}
