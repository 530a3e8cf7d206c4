import Glibc

/// A text from outside on one line, searched byte by byte: a megabyte of anything takes one pass for each mark.
struct ByteText {
  let bytes: [UInt8]
  private let lower: [UInt8]

  /// Every run of blanks, line breaks and control characters becomes one blank: terminals and logs wrap AWS's sentence. So does the
  /// frame that Terraform draws around an error, and a terminal's colour.
  init(_ raw: some Sequence<UInt8>) {
    let raw = Array(raw)
    var bytes: [UInt8] = []
    var place = 0
    while place < raw.count {
      let length = Self.decoration(raw, at: place)
      if length == 0 { bytes.append(raw[place]) } else if let last = bytes.last, last != 0x20 { bytes.append(0x20) }
      place += max(length, 1)
    }
    if bytes.last == 0x20 { bytes.removeLast() }
    self.bytes = bytes
    lower = bytes.map(Self.lower)
  }

  /// The first place of a mark from an offset on, before an end. Letters of either case match.
  func find(_ mark: String, from start: Int = 0, before end: Int? = nil) -> Range<Int>? {
    let wanted = mark.utf8.map(Self.lower)
    let end = min(end ?? bytes.count, bytes.count)
    guard start >= 0, start < end else { return nil }
    return lower.withUnsafeBytes { all in
      var place = start
      while end - place >= wanted.count {
        guard let first = memchr(all.baseAddress! + place, Int32(wanted[0]), end - place - wanted.count + 1) else { return nil }
        place = UnsafeRawPointer(first) - all.baseAddress!
        if memcmp(all.baseAddress! + place, wanted, wanted.count) == 0 { return place..<place + wanted.count }
        place += 1
      }
      return nil
    }
  }

  /// The last place of a mark before an end.
  func findLast(_ mark: String, before end: Int? = nil) -> Range<Int>? {
    var last: Range<Int>?
    while let next = find(mark, from: last.map { $0.lowerBound + 1 } ?? 0, before: end) { last = next }
    return last
  }

  func contains(_ mark: String) -> Bool { find(mark) != nil }

  /// A piece as text; what is not UTF-8 is replaced.
  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// The word that begins at an offset: up to a blank, a quote or another mark that no ARN, action or id has.
  ///
  /// - Returns: also its place, since the text of what is not UTF-8 is longer than its bytes.
  func word(at start: Int, limit: Int = 2_048) -> (text: String, range: Range<Int>)? {
    var end = start
    while end < bytes.count, end - start < limit, !Self.ends.contains(bytes[end]) { end += 1 }
    while end > start, bytes[end - 1] == UInt8(ascii: ".") || bytes[end - 1] == UInt8(ascii: ":") { end -= 1 }
    return end > start ? (text(start..<end), start..<end) : nil
  }

  /// The offset behind blanks.
  func skip(_ start: Int) -> Int { start < bytes.count && bytes[start] == 0x20 ? start + 1 : start }

  /// The length of what is no word at an offset: a blank, a control character, a line of a frame (│ ╷ ╵), a terminal's sequence
  /// `ESC [ … letter` (ECMA-48, 5.4); 0 for a byte of a word.
  private static func decoration(_ raw: [UInt8], at place: Int) -> Int {
    let byte = raw[place]
    if byte == 0xE2, place + 2 < raw.count {
      return [[0x94, 0x82], [0x95, 0xB7], [0x95, 0xB5]].contains([raw[place + 1], raw[place + 2]]) ? 3 : 0
    }
    guard byte <= 0x20 || byte == 0x7F else { return 0 }
    guard byte == 0x1B, place + 1 < raw.count, raw[place + 1] == UInt8(ascii: "[") else { return 1 }
    var end = place + 2
    while end < raw.count, end - place < 32, (0x20...0x3F).contains(raw[end]) { end += 1 }
    return end < raw.count && (0x40...0x7E).contains(raw[end]) ? end + 1 - place : 1
  }

  private static let ends = Set(" \"'`\\,;()[]{}<>".utf8)
  private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
}
