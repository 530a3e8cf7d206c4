import Testing
import VaultSecrets

struct SecretHexTests {
  @Test("a key becomes 64 digits and is the same again, whatever its bytes")
  func hexRoundTrip() throws {
    for first in stride(from: 0, to: 256, by: 32) {
      let bytes = (0..<32).map { UInt8(first + $0) }
      let text = SecretHex.encoded(bytes.withUnsafeBytes { SecretBytes(copying: $0) })
      let wanted = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(text.equals(SecretBytes(wanted)))
      for digits in [wanted, wanted.uppercased()] {
        let back = try #require(SecretBytes(digits).withBytes { SecretHex.decoded($0, count: 32) })
        #expect(back.withBytes { Array($0) } == bytes)
      }
    }
  }

  @Test("a character that is no digit is refused, wherever it stands")
  func hexRefused() {
    let digits = Set("0123456789abcdefABCDEF".utf8)
    for place in [0, 1, 62, 63] {
      for character in UInt8.min...UInt8.max {
        var text = [UInt8](repeating: 0x30, count: 64)
        text[place] = character
        #expect(
          (text.withUnsafeBytes { SecretHex.decoded($0, count: 32) } != nil) == digits.contains(character),
          "\(character) at \(place)")
      }
    }
  }

  @Test("a wrong number of digits is refused, and no digits are no bytes")
  func lengths() {
    for count in 0...70 where count != 64 {
      let text = [UInt8](repeating: 0x30, count: count)
      #expect(text.withUnsafeBytes { SecretHex.decoded($0, count: 32) } == nil, "\(count)")
    }
    #expect(SecretHex.encoded(SecretBytes("")).count == 0)
  }
}
