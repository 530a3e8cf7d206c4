import Foundation
import TestSupport
import Testing
import VaultModel

struct TimestampTests {
  @Test(
    "ISO 8601 with an offset, a fraction or a blank is read as the moment it names",
    arguments: [
      ("2026-11-23T14:03:00Z", 1_795_442_580_000), ("2026-11-23T15:03:00+01:00", 1_795_442_580_000),
      ("2026-11-23 14:03:00.5Z", 1_795_442_580_500), ("2026-11-23T14:03:00.123456Z", 1_795_442_580_123),
      ("1970-01-01T00:00:00Z", 0),
      ("1969-12-31T23:59:59Z", -1_000), ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ] as [(String, Int64)])
  func reads(text: String, milliseconds: Int64) {
    #expect(Timestamp(iso8601: text)?.milliseconds == milliseconds)
  }

  @Test(
    "what is no moment is refused",
    arguments: [
      "", "2026", "2026-11-23", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
      "2026-11-23T14:03:00", "2026-11-23T14:03:00Zx", "2026-11-23T14:03:00.Z", "2026-11-23T14:03:00+99:00",
      "٢٠٢٦-11-23T14:03:00Z",
    ])
  func refuses(text: String) {
    #expect(Timestamp(iso8601: text) == nil)
  }

  @Test("dates of four centuries are written as Foundation writes them, and read back")
  func roundTrip() {
    let formatter = ISO8601DateFormatter()
    var generator = SeededGenerator(seed: 20_261_123)
    for _ in 0..<2_000 {
      let seconds = Int64.random(in: -6_000_000_000...7_000_000_000, using: &generator)
      let text = Timestamp(seconds: seconds).iso8601
      #expect(text == formatter.string(from: Date(timeIntervalSince1970: Double(seconds))))
      #expect(Timestamp(iso8601: text) == Timestamp(seconds: seconds))
    }
  }

  @Test("the basic form is what Signature Version 4 wants")
  func basic() {
    #expect(Timestamp(seconds: 1_440_938_160).iso8601Basic == "20150830T123600Z")
  }
}
