/// Rows on their way through a pipe, from the program that reads the team's server to the one that reports.
///
/// First `vault-team-rows-1` and a line break; then each row as its length in 4 bytes little-endian, its hash, its form; at the end a length
/// of 0 and the number of rows in 8 bytes. Without that end it is no answer.
public enum TeamStream {
  static let beginning = Array("vault-team-rows-1\n".utf8)
  static let hashLength = 32

  /// What comes out of the pipe makes no sense.
  public struct Damage: Error {}

  public struct Writer {
    private var rows: UInt64 = 0
    /// What is to be written; the caller takes it away.
    public var bytes = TeamStream.beginning

    public init() {}

    public mutating func add(_ form: UnsafeRawBufferPointer, hash: UnsafeRawBufferPointer) {
      withUnsafeBytes(of: UInt32(form.count + hash.count).littleEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: hash)
      bytes.append(contentsOf: form)
      rows += 1
    }

    public mutating func end() {
      bytes.append(contentsOf: [0, 0, 0, 0])
      withUnsafeBytes(of: rows.littleEndian) { bytes.append(contentsOf: $0) }
    }
  }

  public struct Reader {
    private var bytes: [UInt8] = []
    private var hasBegun = false
    private var rows: UInt64 = 0
    public private(set) var hasEnded = false

    public init() {}

    public mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// Lends every whole row that is there to `body`.
    public mutating func take(_ body: (_ form: UnsafeRawBufferPointer, _ hash: UnsafeRawBufferPointer) throws -> Void) throws {
      var place = 0
      if !hasBegun {
        guard bytes.count >= TeamStream.beginning.count else { return }
        guard bytes.starts(with: TeamStream.beginning) else { throw Damage() }
        hasBegun = true
        place = TeamStream.beginning.count
      }
      try bytes.withUnsafeBytes { all in
        while !hasEnded, all.count - place >= 4 {
          let length = Int(UInt32(littleEndian: all.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
          if length == 0 {
            guard all.count - place >= 12 else { break }
            guard UInt64(littleEndian: all.loadUnaligned(fromByteOffset: place + 4, as: UInt64.self)) == rows else {
              throw Damage()
            }
            hasEnded = true
            place += 12
            break
          }
          guard (TeamStream.hashLength...TeamStream.hashLength + AuditFormFields.longest).contains(length) else { throw Damage() }
          guard all.count - place - 4 >= length else { break }
          let row = UnsafeRawBufferPointer(rebasing: all[(place + 4)..<(place + 4 + length)])
          try body(
            UnsafeRawBufferPointer(rebasing: row[TeamStream.hashLength...]),
            UnsafeRawBufferPointer(rebasing: row[..<TeamStream.hashLength]))
          rows += 1
          place += 4 + length
        }
        if hasEnded, place < all.count { throw Damage() }
      }
      bytes.removeFirst(place)
    }
  }
}
