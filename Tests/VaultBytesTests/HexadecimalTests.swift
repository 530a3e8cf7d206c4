import Testing
import VaultBytes

struct HexadecimalTests {
  @Test(
    "the vectors of RFC 4648, section 10",
    arguments: [
      ("", ""), ("f", "66"), ("fo", "666f"), ("foo", "666f6f"), ("foob", "666f6f62"), ("fooba", "666f6f6261"),
      ("foobar", "666f6f626172"),
    ])
  func vectors(text: String, digits: String) {
    let bytes = Array(text.utf8)
    #expect(hex(bytes) == digits)
    #expect(unhex(digits, count: bytes.count) == bytes && unhex(digits.uppercased(), count: bytes.count) == bytes)
    #expect(unhex(digits, count: bytes.count + 1) == nil && unhex(digits + "0", count: bytes.count) == nil)
  }

  @Test("every byte has its two digits, wherever it stands")
  func everyByte() {
    for byte in UInt8.min...UInt8.max {
      let digits = (byte < 16 ? "0" : "") + String(byte, radix: 16)
      for length in 1...9 {
        let bytes = [UInt8](repeating: 0xA5, count: length - 1) + [byte]
        let text = String(repeating: "a5", count: length - 1) + digits
        #expect(hex(bytes) == text)
        #expect(unhex(text, count: length) == bytes && unhex(text.uppercased(), count: length) == bytes)
      }
      #expect(
        Hexadecimal.digits(of: UInt32(byte), isUppercase: true) & 0xFFFF
          == digits.uppercased().utf8.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
  }

  @Test("a character that is no digit is refused, wherever it stands")
  func refused() {
    let digits = Set("0123456789abcdefABCDEF".utf8)
    for character in UInt8.min...UInt8.max {
      for place in 0..<14 {
        var text = [UInt8](repeating: 0x37, count: 14)
        text[place] = character
        var bytes = [UInt8](repeating: 0, count: 7)
        let isRight = text.withUnsafeBytes { text in bytes.withUnsafeMutableBytes { Hexadecimal.decode(text, into: $0) } }
        #expect(isRight == digits.contains(character), "\(character) at \(place)")
      }
      #expect((Hexadecimal.byte(character, 0x30) != nil) == digits.contains(character))
      #expect((Hexadecimal.byte(0x30, character) != nil) == digits.contains(character))
    }
    #expect(Hexadecimal.byte(0x30, nil) == nil && Hexadecimal.byte(nil, 0x30) == nil)
  }

  @Test("digits are decoded where they lie")
  func inPlace() {
    let bytes = (0..<37).map { UInt8($0 * 7 % 256) }
    var digits = Array(hex(bytes).utf8)
    let isRight = digits.withUnsafeMutableBytes {
      Hexadecimal.decode(UnsafeRawBufferPointer($0), into: UnsafeMutableRawBufferPointer(rebasing: $0[..<37]))
    }
    #expect(isRight && Array(digits[..<37]) == bytes)
  }

  @Test("a number has at least as many digits as are asked for")
  func numbers() { #expect(hex(0x1B, width: 2) == "1b" && hex(9, width: 4) == "0009" && hex(0xE0001, width: 4) == "e0001") }
}
