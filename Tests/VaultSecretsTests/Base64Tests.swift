import Foundation
import Testing
import VaultSecrets

struct Base64Tests {
  private func text(_ secret: SecretBytes?) -> String? { secret?.withBytes { String(decoding: $0, as: UTF8.self) } }

  @Test(
    "the vectors of RFC 4648, section 10",
    arguments: [
      ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
  func vectors(plain: String, encoded: String) {
    #expect(text(Base64.decoded(SecretBytes(encoded))) == plain)
    #expect(text(Array(plain.utf8).withUnsafeBytes { Base64.urlEncoded($0) }) == encoded.replacing("=", with: ""))
  }

  @Test("nothing is no text of Base64, and becomes none")
  func empty() {
    #expect(Base64.decoded(SecretBytes("")) == nil && Base64.decoded(SecretBytes(" \n")) == nil)
    #expect(Base64.urlEncoded(UnsafeRawBufferPointer(start: nil, count: 0)).count == 0)
  }

  @Test("each length is what Foundation encodes")
  func lengths() {
    for length in 1...66 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
      let standard = Data(bytes).base64EncodedString()
      #expect(Base64.decoded(SecretBytes(standard))?.withBytes { Array($0) } == bytes)
      let url = standard.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
      #expect(text(bytes.withUnsafeBytes { Base64.urlEncoded($0) }) == url)
    }
  }

  @Test("a character outside the alphabet is refused, blanks and line breaks are skipped")
  func characters() {
    let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    for character in UInt8.min...UInt8.max {
      let text: [UInt8] = [0x41, 0x41, 0x41, 0x41, character, 0x41, 0x41, 0x41]
      let isSkipped = [0x20, 0x09, 0x0A, 0x0D].contains(character)
      let padded = text + (isSkipped ? [UInt8(ascii: "=")] : [])
      let decoded = padded.withUnsafeBytes { Base64.decoded(SecretBytes(copying: $0)) }
      #expect((decoded != nil) == (alphabet.contains(character) || isSkipped), "\(character)")
    }
    #expect(text(Base64.decoded(SecretBytes("Zm9\r\nv Yg =\t=\n"))) == "foob")
  }
}
