import VaultBytes
import VaultModel

/// The vault's lines in another program's file: blocks between two marks. Everything else stays the same, byte for byte.
///
/// Works on bytes, since the rest of the file may be in any encoding.
public struct MarkedBlocks {
  public private(set) var bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  private static let mark = Array("# vault link: begin ".utf8)
  /// Marks a block after a line that had no line break: the break was added with the block and is removed with it.
  private static let joinedMark = Array("# vault link: then ".utf8)

  private static func begin(_ name: String, joined: Bool) -> [UInt8] {
    start(name, joined: joined) + Array("`vault unlink \(ShellText.word(name))` removes these lines)\n".utf8)
  }
  /// What every version has written.
  private static func start(_ name: String, joined: Bool) -> [UInt8] { (joined ? joinedMark : mark) + Array("\(name) (".utf8) }
  private static let endMark = Array("# vault link: end ".utf8)
  private static func end(_ name: String) -> [UInt8] { endMark + Array("\(name)\n".utf8) }

  /// The names of the blocks, in order.
  public var names: [String] {
    lines.compactMap { line in
      guard let mark = [Self.mark, Self.joinedMark].first(where: { bytes[line].starts(with: $0) }) else { return nil }
      return String(decoding: bytes[line].dropFirst(mark.count).prefix { $0 != 0x20 && $0 != 0x0A }, as: UTF8.self)
    }
  }

  /// A block, with its first mark; nil if there is none.
  func lines(of name: String) -> ArraySlice<UInt8>? { block(name).map { bytes[$0.range] } }

  /// Removes a block.
  ///
  /// - Returns: false if there is none, or its end is missing. Somebody has changed it then, and nothing is touched.
  @discardableResult
  public mutating func remove(_ name: String) -> Bool {
    guard let block = block(name) else { return false }
    var range = block.range
    if block.isJoined {
      if range.upperBound == bytes.count {
        range = range.lowerBound - 1..<range.upperBound
      } else if bytes[range.upperBound...].starts(with: Self.mark) {
        // The next block now follows that line.
        bytes.replaceSubrange(range.upperBound..<range.upperBound + Self.mark.count, with: Self.joinedMark)
      }
    }
    bytes.removeSubrange(range)
    return true
  }

  /// Replaces the block of this name, or adds it at the end.
  public mutating func put(_ name: String, _ text: String) {
    if let block = block(name) {
      bytes.replaceSubrange(block.range, with: Self.begin(name, joined: block.isJoined) + Array(text.utf8) + Self.end(name))
      return
    }
    let isJoined = bytes.last.map { $0 != 0x0A } ?? false
    if isJoined { bytes.append(0x0A) }
    bytes += Self.begin(name, joined: isJoined) + Array(text.utf8) + Self.end(name)
  }

  /// Turns the vault's own blocks into comments, in place, so that the vault does not read what it wrote itself.
  static func blank(_ bytes: UnsafeMutableRawBufferPointer) {
    var start = 0
    var isOurs = false
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
      if line.starts(with: mark) || line.starts(with: joinedMark) { isOurs = true }
      let isLast = isOurs && line.starts(with: endMark)
      if isOurs { for index in start..<end { bytes[index] = UInt8(ascii: "#") } }
      if isLast { isOurs = false }
      start = end + 1
    }
  }

  private func block(_ name: String) -> (range: Range<Int>, isJoined: Bool)? {
    let lines = lines
    for isJoined in [false, true] {
      guard let first = lines.firstIndex(where: { bytes[$0].starts(with: Self.start(name, joined: isJoined)) }),
        let last = lines[first...].firstIndex(where: { bytes[$0].elementsEqual(Self.end(name)) })
      else { continue }
      return (lines[first].lowerBound..<lines[last].upperBound, isJoined)
    }
    return nil
  }

  private var lines: [Range<Int>] {
    var lines: [Range<Int>] = []
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
      lines.append(start..<end)
      start = end
    }
    return lines
  }
}
