import VaultModel
import VaultSecrets

/// One file split at its headers, so that a section can be read without the others.
struct SectionPieces {
  private struct Piece {
    let range: Range<Int>
    let line: Int
    /// The next piece of the same section.
    var next: Int?
  }

  private let file: ConfigFile
  private let kind: ConfigFileKind
  private var parser: ConfigParser
  private var pieces: [Piece] = []
  /// The first and the last piece of each section.
  private var ends: [SectionKey: (first: Int, last: Int)] = [:]

  var keys: Dictionary<SectionKey, (first: Int, last: Int)>.Keys { ends.keys }
  func contains(_ key: SectionKey) -> Bool { ends[key] != nil }

  /// Splits the file. Text under a header that opens no section is parsed, so that errors in it are found.
  ///
  /// - Returns: nil if a section does not begin at the start of a line, since the meaning of its lines then depends on those above.
  init?(_ file: ConfigFile, kind: ConfigFileKind) throws(ConfigError) {
    self.file = file
    self.kind = kind
    parser = ConfigParser(file.bytes, file: file.shown, kind: kind)
    var lines = ConfigLines(file.bytes)
    var headers: [(line: Range<Int>, number: Int)] = []
    while let line = lines.next() {
      guard let byte = line.first.map({ file.bytes[$0] }) else { continue }
      if byte == Byte.open {
        headers.append((line, lines.number))
      } else if !(33...126).contains(byte) || headers.isEmpty {
        let content = lines.trimmed(line)
        guard let first = content.first.map({ file.bytes[$0] }) else { continue }
        if first == Byte.open || (headers.isEmpty && !Byte.startsComment(first)) { return nil }
      }
    }
    pieces.reserveCapacity(headers.count)
    ends.reserveCapacity(headers.count)
    var bareDefault: [Piece] = []
    for (index, header) in headers.enumerated() {
      let end = index + 1 < headers.count ? headers[index + 1].line.lowerBound : file.bytes.count
      let piece = Piece(range: header.line.lowerBound..<end, line: header.number, next: nil)
      guard let (key, isBare) = lines.section(namedBy: header.line, in: kind) else {
        _ = try parser.parse(piece.range, from: piece.line)
        continue
      }
      if isBare { bareDefault.append(piece) } else { add(piece, to: key) }
    }
    let key = SectionKey(.profile, "default")
    if contains(key) {
      // [profile default] overrides it.
      for piece in bareDefault { _ = try parser.parse(piece.range, from: piece.line) }
    } else {
      for piece in bareDefault { add(piece, to: key) }
    }
  }

  private mutating func add(_ piece: Piece, to key: SectionKey) {
    let index = pieces.count
    pieces.append(piece)
    if let known = ends[key] {
      pieces[known.last].next = index
      ends[key] = (known.first, index)
    } else {
      ends[key] = (index, index)
    }
  }

  /// Adds the file's content and origin for a section to a digest.
  func add(_ key: SectionKey, to digest: inout SectionDigest) {
    var next = ends[key]?.first
    while let index = next {
      let piece = pieces[index]
      digest.add(UnsafeRawBufferPointer(rebasing: file.bytes[piece.range]), file: kind == .config ? 0 : 1, line: piece.line)
      next = piece.next
    }
  }

  /// The file's content for a section; nil if it has none.
  mutating func read(_ key: SectionKey) throws(ConfigError) -> SectionTable? {
    var found: SectionTable?
    var next = ends[key]?.first
    while let index = next {
      found = try parser.parse(pieces[index].range, from: pieces[index].line, isNew: found == nil)
      next = pieces[index].next
    }
    guard var table = found else { return nil }
    _ = table.resolveDefault()
    return table
  }
}

/// Identifies the content and origin of one section: BLAKE2b-256 over its bytes.
public struct SectionDigest: Hashable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64)

  /// - Parameter place: which pair of files it is.
  public init(place: Int) { words = (UInt64(place), 0, 0, 0) }

  mutating func add(_ bytes: UnsafeRawBufferPointer, file: Int, line: Int) {
    withUnsafeTemporaryAllocation(byteCount: 80, alignment: 8) { room in
      room.storeBytes(of: words, as: (UInt64, UInt64, UInt64, UInt64).self)
      room.storeBytes(of: UInt64(file), toByteOffset: 32, as: UInt64.self)
      room.storeBytes(of: UInt64(line), toByteOffset: 40, as: UInt64.self)
      blake2b256(bytes, into: UnsafeMutableRawBufferPointer(rebasing: room[48..<80]))
      withUnsafeMutableBytes(of: &words) { blake2b256(UnsafeRawBufferPointer(room), into: $0) }
    }
  }

  public static func == (one: Self, other: Self) -> Bool { one.words == other.words }
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Both shared files, split at their headers. Each section is read on demand, with the same result as ``SharedConfig``.
///
/// Do not keep it: the files' bytes are in memory until the last reference is gone, and are then wiped.
public struct SharedPieces {
  private var config: SectionPieces?
  private var credentials: SectionPieces?

  /// Reads both files; see ``SharedConfig/read(configFile:credentialsFile:home:)``.
  ///
  /// - Returns: nil if they must be read as a whole.
  public init?(configFile: String?, credentialsFile: String?, home: String?) throws(ConfigError) {
    if let configFile {
      let file = try ConfigFile(configFile, shown: SharedConfig.shown(configFile, home: home))
      config = try SectionPieces(file, kind: .config)
      if config == nil { return nil }
    }
    if let credentialsFile {
      let file = try ConfigFile(credentialsFile, shown: SharedConfig.shown(credentialsFile, home: home))
      credentials = try SectionPieces(file, kind: .credentials)
      if credentials == nil { return nil }
    }
  }

  public func contains(_ key: SectionKey) -> Bool {
    config?.contains(key) ?? false || credentials?.contains(key) ?? false
  }

  /// Calls `body` once with each section's name.
  public func forEachKey(_ body: (SectionKey) throws -> Void) rethrows {
    for key in config?.keys ?? [:].keys { try body(key) }
    for key in credentials?.keys ?? [:].keys where !(config?.contains(key) ?? false) { try body(key) }
  }

  /// Identifies everything that the files say about a section.
  public func digest(of key: SectionKey, place: Int) -> SectionDigest {
    var digest = SectionDigest(place: place)
    config?.add(key, to: &digest)
    credentials?.add(key, to: &digest)
    return digest
  }

  /// A section and its secrets; nil if there is none of that name.
  public mutating func read(_ key: SectionKey) throws(ConfigError) -> (section: ConfigSection, secrets: ProfileSecrets?)? {
    var table = try config?.read(key) ?? SectionTable()
    if let other = try credentials?.read(key) { table.merge(other) }
    return table.sections.first.map { ($0.section, $0.secrets) }
  }
}
