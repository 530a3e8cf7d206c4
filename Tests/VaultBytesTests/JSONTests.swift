import Foundation
import Testing
import VaultBytes

struct JSONTests {
  private func written(_ text: some Collection<UInt8>) -> String {
    var writer = JSONWriter()
    Array(text).withUnsafeBytes { writer.string(utf8: $0) }
    return String(decoding: writer.consume(), as: UTF8.self)
  }

  private func read(_ json: String) -> [UInt8]? {
    Array(json.utf8).withUnsafeBytes { bytes in
      var text = ByteBuffer()
      var scanner = JSONScanner(bytes.bytes)
      return scanner.string(into: &text) && scanner.isAtEnd ? text.withBytes { Array($0) } : nil
    }
  }

  @Test(
    "a string is escaped as RFC 8259, section 7, has it",
    arguments: [
      ("plain", "plain"), ("\"", "\\\""), ("\\", "\\\\"), ("/", "/"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"),
      ("\u{0}", "\\u0000"),
      ("\u{8}", "\\u0008"), ("\u{1F}", "\\u001f"), ("é€𝄞", "é€𝄞"), ("\u{202E}", "\\u202e"), ("\u{E0041}", "\\udb40\\udc41"),
      ("long enough for whole words \" and then some", "long enough for whole words \\\" and then some"),
    ])
  func escapes(text: String, escaped: String) {
    #expect(written(text.utf8) == "\"\(escaped)\"")
    #expect(read("\"\(escaped)\"") == Array(text.utf8))
  }

  @Test(
    "every escape of RFC 8259 is read, and what is none is refused",
    arguments: [
      (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC""#, "é€"), (#""\uD834\uDD1E""#, "𝄞"), (#" "a" "#, "a"),
      (#""\x""#, nil), (#""\u12""#, nil), (#""\u12g4""#, nil), (#""\u+123""#, nil), (#""\uD834""#, nil),
      (#""\uD834\u0041""#, nil),
      (#""\uDD1E""#, nil), (#""a"#, nil), ("\"a\nb\"", nil), ("\"a\u{1F}b, long enough for a word\"", nil), (#""a"b"#, nil),
      ("a", nil),
    ] as [(String, String?)])
  func reading(json: String, text: String?) { #expect(read(json) == text.map { Array($0.utf8) }) }

  @Test("a number is an integer that fits", arguments: ["0", "-1", "9223372036854775807", "-9223372036854775808"])
  func numbers(text: String) {
    func number(_ json: String) -> Int64? {
      Array(json.utf8).withUnsafeBytes { bytes in
        var scanner = JSONScanner(bytes.bytes)
        return scanner.number()
      }
    }
    #expect(number(text) == Int64(text))
    for wrong in [text + ".5", text + "e1", text + "0000000000000000000", "-", "+1", "01", ""] {
      #expect(number(wrong) == nil || wrong == "00000000000000000000")
    }
  }

  @Test("bytes that are no UTF-8 become what Swift makes of them, and JSON all the same")
  func invalid() throws {
    var random = Random(state: 7)
    for _ in 0..<2_000 {
      let bytes = (0..<Int(random.next() % 24)).map { _ in
        [0x22, 0x5C, 0x61, 0x80, 0xBF, 0xC2, 0xE2, 0x80, 0xAE, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0x90, 0xFF][Int(random.next() % 16)]
          as UInt8
      }
      let json = written(bytes)
      #expect(json == written(String(decoding: bytes, as: UTF8.self).utf8))
      let back = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed) as? String
      #expect(back == String(decoding: bytes, as: UTF8.self), "\(bytes)")
    }
  }

  @Test("objects, arrays and fields nest, with commas where they belong")
  func structure() {
    var writer = JSONWriter()
    writer.array { array in
      array.newLine()
      array.object { object in
        object.field("a", "x")
        object.field("b", Int64?.none)
        object.field("c", -7)
        object.field("d", true)
        object.key("e")
        object.array { _ in }
        object.key("f")
        object.object { _ in }
      }
      array.newLine()
      array.null()
      array.number(.min)
    }
    #expect(
      String(decoding: writer.consume(), as: UTF8.self)
        == "[\n{\"a\":\"x\",\"b\":null,\"c\":-7,\"d\":true,\"e\":[],\"f\":{}},\nnull,-9223372036854775808]")
    #expect(writer.count == 0)
  }
}

/// Marsaglia's xorshift, so that a failure can be had again.
private struct Random {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
