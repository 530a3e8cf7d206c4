import Glibc

/// The lines of a file, as ranges of its bytes. LF, CRLF or a lone CR ends a line. A BOM at the start is skipped.
struct ConfigLines: Sequence, IteratorProtocol {
  let bytes: UnsafeRawBufferPointer
  private let end: Int
  private var next0: Int
  /// The number of the last line returned; 1 for the first.
  private(set) var number = 0

  /// - Parameter bytes: must outlive the sequence.
  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    end = bytes.count
    next0 = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
  }

  /// The lines of a part of `bytes` whose first line has the given number.
  init(_ bytes: UnsafeRawBufferPointer, in part: Range<Int>, from line: Int) {
    self.bytes = bytes
    end = part.upperBound
    next0 = part.lowerBound
    number = line - 1
  }

  mutating func next() -> Range<Int>? {
    guard next0 < end else { return nil }
    let start = next0
    var stop = start
    while stop < end, bytes[stop] != Byte.lineFeed, bytes[stop] != Byte.carriageReturn { stop += 1 }
    let isPair = stop + 1 < end && bytes[stop] == Byte.carriageReturn && bytes[stop + 1] == Byte.lineFeed
    next0 = stop + (isPair ? 2 : 1)
    number += 1
    return start..<stop
  }

  /// `range` without blanks at either end, including those beyond ASCII, as in the AWS CLI (Python's `str.strip`).
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, let length = Unseen.blank(at: start, in: bytes, before: end) { start += length }
    while end > start, let length = Unseen.blank(before: end, in: bytes, from: start) { end -= length }
    return start..<end
  }

  /// `range` without ASCII blanks at either end: other blanks are part of a section's name.
  func trimmedOfASCII(_ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, Byte.isBlank(bytes[start]) { start += 1 }
    while end > start, Byte.isBlank(bytes[end - 1]) { end -= 1 }
    return start..<end
  }

  /// The number of characters in `range`.
  func width(_ range: Range<Int>) -> Int { bytes[range].count { $0 & 0xC0 != 0x80 } }

  /// The first position of `byte` in `range`.
  func first(_ byte: UInt8, in range: Range<Int>) -> Int? {
    var index = range.lowerBound
    while index < range.upperBound {
      if bytes[index] == byte { return index }
      index += 1
    }
    return nil
  }

  /// The end of a value: the first `#` or `;` after a blank, or the end of `range`.
  func endBeforeComment(_ range: Range<Int>) -> Int {
    var index = range.lowerBound + 1
    while index < range.upperBound {
      if Byte.startsComment(bytes[index]), Byte.isBlank(bytes[index - 1]) { return index }
      index += 1
    }
    return range.upperBound
  }

  static let expectedText = "UTF-8 text without NUL bytes"

  /// The text of `range`; nil if it is not UTF-8 or contains a NUL.
  func text(_ range: Range<Int>) -> String? {
    let slice = UnsafeRawBufferPointer(rebasing: bytes[range])
    guard !holdsNUL(slice) else { return nil }
    return String(validating: slice, as: UTF8.self)
  }

  /// Whether ``text(_:)`` would return a text.
  func isText(_ range: Range<Int>) -> Bool {
    let slice = UnsafeRawBufferPointer(rebasing: bytes[range])
    return slice.allSatisfy { $0 > 0 && $0 < 128 } || text(range) != nil
  }

  private func holdsNUL(_ slice: UnsafeRawBufferPointer) -> Bool {
    guard let start = slice.baseAddress else { return false }
    return memchr(start, 0, slice.count) != nil
  }
}

/// The bytes with a meaning in the grammar.
enum Byte {
  static let lineFeed: UInt8 = 10
  static let carriageReturn: UInt8 = 13
  static let equals = UInt8(ascii: "=")
  static let open = UInt8(ascii: "[")
  static let close = UInt8(ascii: "]")

  static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 11 || byte == 12 }
  static func startsComment(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";") }
}
