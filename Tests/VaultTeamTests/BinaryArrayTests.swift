import Testing
import VaultModel

@testable import VaultTeam

@Suite struct BinaryArrayTests {
  @Test("an array is what PostgreSQL's array_recv reads")
  func form() {
    var texts = BinaryArray(.text)
    #expect(texts.bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25])
    texts.append("a")
    texts.appendNull()
    #expect(
      texts.bytes
        == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 97, 255, 255, 255, 255])
    var numbers = BinaryArray(.number)
    numbers.append(-2)
    #expect(numbers.bytes.suffix(12) == [0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254] && numbers.bytes[7] == 0)
  }

  @Test("a text fits its column: no U+0000, no broken UTF-8, at most 1,024 bytes and whole characters")
  func texts() {
    func column(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { EventColumns.withText($0) { Array($0) } } }
    #expect(column(Array("plain".utf8)) == Array("plain".utf8))
    #expect(column([97, 0, 98]) == Array("a\u{FFFD}b".utf8))
    #expect(column([97, 0xFF]) == Array("a\u{FFFD}".utf8))
    #expect(column([]) == [])
    #expect(column(Array(String(repeating: "x", count: 5_000).utf8)).count == 1_024)
    let cut = column(Array(String(repeating: "€", count: 500).utf8))
    #expect(cut.count == 1_023 && String(validating: cut, as: UTF8.self) != nil)
  }

  @Test("a time is microseconds since 2000, and stays within the years that PostgreSQL has")
  func times() {
    #expect(EventColumns.time(946_684_800_000) == 0)
    #expect(EventColumns.time(946_684_800_001) == 1_000)
    #expect(EventColumns.time(.max) == EventColumns.time(253_402_300_799_999))
    #expect(EventColumns.time(.min) == EventColumns.time(-62_135_596_800_000))
  }
}
