import Glibc

/// Texts by number: each distinct text is stored once and found again by its bytes, without making a `String` of every row's.
public struct NameTable: Sendable {
  private var bytes: [UInt8] = []
  /// The end of each text in `bytes`.
  private var ends: [Int] = []
  /// Open addressing: the number of a text plus one; 0 for a free slot. The hash is seeded per process, so that a hostile log
  /// cannot choose texts that collide in one slot.
  private var slots = [Int32](repeating: 0, count: 64)

  public init() {}

  public var count: Int { ends.count }

  public subscript(_ number: Int) -> String { String(decoding: bytes[range(number)], as: UTF8.self) }

  private func range(_ number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }

  /// The number of a text; the next free one if it is new.
  public mutating func number(of text: UnsafeRawBufferPointer) -> Int {
    var slot = Self.hash(text) & (slots.count - 1)
    while slots[slot] != 0 {
      let known = Int(slots[slot]) - 1
      if isEqual(known, text) { return known }
      slot = (slot + 1) & (slots.count - 1)
    }
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
    slots[slot] = Int32(truncatingIfNeeded: ends.count)
    if ends.count * 2 > slots.count { grow() }
    return ends.count - 1
  }

  /// The maximum number of texts of one kind that reports over a team's rows distinguish. The rest are counted as "(others)", or a
  /// writer of rows could fill memory with names.
  public static let maxTeamNames = 50_000

  /// The number of a text, or that of "(others)" if there are already `maximum` and it is not among them.
  public mutating func number(of text: UnsafeRawBufferPointer, upTo maximum: Int) -> Int {
    guard count >= maximum, !contains(text) else { return number(of: text) }
    return Array("(others)".utf8).withUnsafeBytes { number(of: $0) }
  }

  private func contains(_ text: UnsafeRawBufferPointer) -> Bool {
    var slot = Self.hash(text) & (slots.count - 1)
    while slots[slot] != 0 {
      if isEqual(Int(slots[slot]) - 1, text) { return true }
      slot = (slot + 1) & (slots.count - 1)
    }
    return false
  }

  private func isEqual(_ number: Int, _ text: UnsafeRawBufferPointer) -> Bool {
    let range = range(number)
    guard range.count == text.count else { return false }
    guard let start = text.baseAddress, !range.isEmpty else { return true }
    return bytes.withUnsafeBytes { memcmp($0.baseAddress! + range.lowerBound, start, text.count) == 0 }
  }

  private static func hash(_ text: UnsafeRawBufferPointer) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: text)
    return hasher.finalize()
  }

  private mutating func grow() {
    var larger = [Int32](repeating: 0, count: slots.count * 2)
    for number in ends.indices {
      var slot = bytes.withUnsafeBytes { Self.hash(UnsafeRawBufferPointer(rebasing: $0[range(number)])) } & (larger.count - 1)
      while larger[slot] != 0 { slot = (slot + 1) & (larger.count - 1) }
      larger[slot] = Int32(truncatingIfNeeded: number + 1)
    }
    slots = larger
  }
}
