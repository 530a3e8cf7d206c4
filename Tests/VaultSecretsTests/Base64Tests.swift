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

  @Test(
    "what is not canonical is refused: missing or extra padding, bits after the end, the alphabet for URLs, text after padding",
    arguments: ["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v=", "=", "====", "Z", "-_-_", "Zg==Zg==", "Zg==x", "Zm9vé"])
  func strict(encoded: String) {
    #expect(Base64.decoded(SecretBytes(encoded)) == nil)
    #expect(Base64.decoded(encoded) == nil)
  }

  @Test("what is not secret is the same text, and its decoder skips nothing")
  func plain() {
    for length in 0...66 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
      #expect(Base64.encoded(bytes) == Data(bytes).base64EncodedString())
      #expect(Base64.decoded(Base64.encoded(bytes)) == bytes)
    }
    for text in [" Zg==", "Zg==\n", "Z g=="] { #expect(Base64.decoded(text) == nil) }
  }
}
