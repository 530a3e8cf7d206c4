import Testing
import VaultBytes

struct ByteBufferTests {
  @Test("bytes that grow stay what they were", arguments: [true, false])
  func growth(isWiped: Bool) {
    var buffer = ByteBuffer(capacity: 1, isWiped: isWiped)
    for index in 0..<10_000 { buffer.append(UInt8(truncatingIfNeeded: index)) }
    buffer.append([UInt8](repeating: 7, count: 5_000).span.bytes)
    #expect(buffer.count == 15_000 && buffer[9_999] == UInt8(truncatingIfNeeded: 9_999))
    let isRight = buffer.withBytes { bytes in
      (0..<10_000).allSatisfy { bytes[$0] == UInt8(truncatingIfNeeded: $0) } && bytes[10_000...].allSatisfy { $0 == 7 }
    }
    #expect(isRight)
    buffer.removeAll(from: 3)
    #expect(buffer.withBytes { Array($0) } == [0, 1, 2])
  }

  @Test(
    "a number is written as Swift writes it",
    arguments: [0, 1, 9, 10, 99, 100, 1_234_567_890, -1, -10, .max, .min, .max / 10, .max / 10 + 1])
  func decimal(number: Int64) { #expect(text { $0.append(decimal: number) } == String(number)) }

  @Test("texts, numbers and digits stand one after the other")
  func pieces() {
    let bytes = written { buffer in
      buffer.append("fixed")
      buffer.append(string: "é")
      buffer.append(bigEndian: UInt32(0x0102_0304))
      buffer.append(littleEndian: UInt16(0x0102))
      buffer.append(littleEndian: UInt16(0))
      buffer.append(hex: UnsafeRawBufferPointer(start: nil, count: 0))
      buffer.overwrite(littleEndian: 0x0A0B_0C0D, at: 1)
    }
    #expect(bytes == [0x66, 0x0D, 0x0C, 0x0B, 0x0A, 0xC3, 0xA9, 1, 2, 3, 4, 2, 1, 0, 0])
  }

  @Test("only plain text is copied as it is, and other text leaves nothing behind")
  func plain() {
    for length in 0..<40 {
      for place in 0..<max(length, 1) {
        for byte in [0x00, 0x1F, 0x20, 0x22, 0x21, 0x5C, 0x7E, 0x7F, 0x80, 0xC3, 0xFF] as [UInt8] {
          var text = [UInt8](repeating: 0x61, count: length)
          if length > 0 { text[place] = byte }
          let isPlain = length == 0 || (0x20...0x7E).contains(byte) && byte != 0x22 && byte != 0x5C
          var isCopied = false
          let bytes = written { buffer in isCopied = text.withUnsafeBytes { buffer.appendPlain($0, without: 0x22, 0x5C) } }
          #expect(isCopied == isPlain && bytes == (isPlain ? text : []), "\(byte) at \(place) of \(length)")
        }
      }
    }
  }

  @Test("no more is taken than what was written, and nothing where it failed")
  func fill() {
    let bytes = written { buffer in
      #expect(
        buffer.fill(100) {
          $0[0] = 7; return 1
        } == 1)
      #expect(buffer.fill(100) { _ in -1 } == -1)
    }
    #expect(bytes == [7])
  }

  private func written(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 1)
    write(&buffer)
    return buffer.withBytes { Array($0) }
  }

  private func text(_ write: (inout ByteBuffer) -> Void) -> String { String(decoding: written(write), as: UTF8.self) }
}
