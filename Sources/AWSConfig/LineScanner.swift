/// The lines of a file: ends are LF, CRLF or a lone CR, and a byte order mark before the first is passed over.
struct LineScanner {
  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private(set) var number = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  /// The next line without its end; nil after the last.
  mutating func next() -> UnsafeRawBufferPointer? {
    guard position < bytes.count else { return nil }
    let start = position
    var end = start
    while end < bytes.count, bytes[end] != 10, bytes[end] != 13 { end += 1 }
    position = end + 1
    if end + 1 < bytes.count, bytes[end] == 13, bytes[end + 1] == 10 { position += 1 }
    number += 1
    return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
  }
}

/// Bytes of a line, looked at as text.
extension UnsafeRawBufferPointer {
  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0B || byte == 0x0C }

  /// Without blanks at both ends.
  var trimmed: UnsafeRawBufferPointer {
    var start = 0
    var end = count
    while start < end, Self.isBlank(self[start]) { start += 1 }
    while end > start, Self.isBlank(self[end - 1]) { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: self[start..<end])
  }

  /// Without what follows a `#` or `;` that stands after a blank, and the blanks before it.
  var withoutComment: UnsafeRawBufferPointer {
    for index in indices where (self[index] == 0x23 || self[index] == 0x3B) && index > 0 && Self.isBlank(self[index - 1]) {
      return UnsafeRawBufferPointer(rebasing: self[..<index]).trimmed
    }
    return trimmed
  }

  var text: String { String(decoding: self, as: UTF8.self) }
}
