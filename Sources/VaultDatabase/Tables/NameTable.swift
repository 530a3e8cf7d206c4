import Glibc

/// Texts by number: each distinct one is kept once, and found again by its bytes, without making a `String` of every row's.
public struct NameTable: Sendable {
  private var bytes: [UInt8] = []
  /// Where each text ends in `bytes`.
  private var ends: [Int] = []
  /// Open addressing: the number of a text plus one, 0 where the slot is free. The hash is seeded anew in every process, so that a
  /// hostile log can't choose texts that meet in one slot.
  private var slots = [Int32](repeating: 0, count: 64)

  public init() {}

  public var count: Int { ends.count }

  public subscript(_ number: Int) -> String { String(decoding: bytes[range(number)], as: UTF8.self) }

  private func range(_ number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }

  /// The text's number; the next one where it is new.
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

  /// Texts of one kind that the reports over a team's rows tell apart: the rest is one, "(others)", or whoever writes rows could fill memory
  /// with names.
  public static let maxTeamNames = 50_000

  /// The text's number, or that of "(others)" where there are as many as `most` and it is none of them.
  public mutating func number(of text: UnsafeRawBufferPointer, upTo most: Int) -> Int {
    guard count >= most, !contains(text) else { return number(of: text) }
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
