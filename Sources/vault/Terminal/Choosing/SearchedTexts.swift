import Glibc

/// The texts of a list in one buffer, in lower case: twenty thousand are searched for each key.
///
/// A text has a name, and details that are found too, but after names.
struct SearchedTexts {
  private var bytes: [UInt8] = []
  private var places: [(start: Int, details: Int, end: Int)] = []

  var count: Int { places.count }

  mutating func add(name: some Collection<UInt8>, details: some Collection<UInt8> = EmptyCollection()) {
    let start = bytes.count
    append(name)
    let middle = bytes.count
    append(details)
    places.append((start, middle, bytes.count))
  }

  private mutating func append(_ text: some Collection<UInt8>) {
    guard text.allSatisfy({ $0 < 0x80 }) else {
      bytes.append(contentsOf: String(decoding: text, as: UTF8.self).lowercased().utf8)
      return
    }
    for byte in text { bytes.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) }
  }

  /// The texts that contain every word, the best match first, otherwise in their own order.
  func matches(_ words: String) -> [Int] {
    let words = words.lowercased().split(separator: " ").map { Array($0.utf8) }
    guard !words.isEmpty else { return Array(places.indices) }
    return bytes.withUnsafeBufferPointer { bytes in
      var found: [UInt64] = []
      for index in places.indices {
        var rank: UInt64 = 0
        let isMatch = words.allSatisfy { word in
          let one = Self.rank(of: word, at: places[index], in: bytes)
          rank += one ?? 0
          return one != nil
        }
        if isMatch { found.append(rank << 32 | UInt64(index)) }
      }
      found.sort()
      return found.map { Int($0 & 0xFFFF_FFFF) }
    }
  }

  /// 0 for the whole name, 1 for its beginning, 2 for the beginning of a part of it, 3 within it, 8 in the details; nil if the word
  /// does not occur.
  private static func rank(
    of word: [UInt8], at place: (start: Int, details: Int, end: Int), in bytes: UnsafeBufferPointer<UInt8>
  ) -> UInt64? {
    var best: UInt64?
    var next = place.start
    while let found = find(word, bytes, from: next, to: place.details) {
      if found == place.start { return word.count == place.details - place.start ? 0 : 1 }
      if !isLetterOrDigit(bytes[found - 1]) { return 2 }
      best = 3
      next = found + 1
    }
    return best ?? (find(word, bytes, from: place.details, to: place.end) == nil ? nil : 8)
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    byte >= 0x80 || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
  }

  private static func find(_ word: [UInt8], _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    var next = start
    while end - next >= word.count {
      guard let hit = memchr(base + next, Int32(word[0]), end - word.count - next + 1) else { return nil }
      let place = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
      if memcmp(base + place, word, word.count) == 0 { return place }
      next = place + 1
    }
    return nil
  }
}
