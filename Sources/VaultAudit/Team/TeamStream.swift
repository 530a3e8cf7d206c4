import VaultModel

/// The format of rows in the pipe from the program that reads the team's server to the one that reports.
///
/// First `vault-team-rows-2` and a line break, then the times of the first and the last row in 8 bytes each. Then each row: the
/// length of what follows in 4 bytes, the time of receipt in 8, the lengths of its vault's id and its login in 2 each, whether it
/// is enrolled in 1, these two, its hash, its form. At the end a length of 0 and the number of rows in 8 bytes. All little-endian,
/// times in milliseconds. Without that end the stream is invalid.
public enum TeamStream {
  static let beginning = Array("vault-team-rows-2\n".utf8)
  static let headerLength = beginning.count + 16
  static let rowHeader = 13
  static let hashLength = 32
  /// The maximum length of an id or a login in bytes.
  static let maxNameLength = 1_000

  /// The data from the pipe is invalid.
  public struct Damage: Error {}

  public struct Writer {
    private var rows: UInt64 = 0
    /// The bytes to write; the caller removes them.
    public var bytes = TeamStream.beginning

    public init(first: Timestamp, last: Timestamp) {
      add(first.milliseconds)
      add(last.milliseconds)
    }

    private mutating func add<Number: FixedWidthInteger>(_ number: Number) {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// - Parameter origin: with names no longer than the server's.
    public mutating func add(_ form: UnsafeRawBufferPointer, hash: UnsafeRawBufferPointer, from origin: RowOrigin) {
      let vault = origin.vault.prefix(TeamStream.maxNameLength), login = origin.login.prefix(TeamStream.maxNameLength)
      add(UInt32(TeamStream.rowHeader + vault.count + login.count + form.count + hash.count))
      add(origin.receivedAt)
      add(UInt16(vault.count))
      add(UInt16(login.count))
      bytes.append(origin.isEnrolled ? 1 : 0)
      bytes.append(contentsOf: vault)
      bytes.append(contentsOf: login)
      bytes.append(contentsOf: hash)
      bytes.append(contentsOf: form)
      rows += 1
    }

    public mutating func end() {
      add(UInt32(0))
      add(rows)
    }
  }

  public struct Reader {
    private var bytes: [UInt8] = []
    private var rows: UInt64 = 0
    /// The times of the first and the last row, once received.
    public private(set) var span: (first: Timestamp, last: Timestamp)?
    public private(set) var hasEnded = false

    public init() {}

    public mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// Reads the header, once received.
    public mutating func consumeHeader() throws {
      guard span == nil, bytes.count >= TeamStream.headerLength else { return }
      guard bytes.starts(with: TeamStream.beginning) else { throw Damage() }
      span = bytes.withUnsafeBytes { all in
        func time(_ place: Int) -> Timestamp {
          Timestamp(
            stored: Int64(littleEndian: all.loadUnaligned(fromByteOffset: TeamStream.beginning.count + place, as: Int64.self)))
        }
        return (time(0), time(8))
      }
      bytes.removeFirst(TeamStream.headerLength)
    }

    /// Lends every complete row received to `body`.
    public mutating func consume(
      _ body: (_ form: UnsafeRawBufferPointer, _ hash: UnsafeRawBufferPointer, _ origin: RowOrigin) throws -> Void
    ) throws {
      try consumeHeader()
      guard span != nil else { return }
      var place = 0
      try bytes.withUnsafeBytes { all in
        func number<Number: FixedWidthInteger>(_ place: Int, _ type: Number.Type) -> Number {
          Number(littleEndian: all.loadUnaligned(fromByteOffset: place, as: Number.self))
        }
        while !hasEnded, all.count - place >= 4 {
          let length = Int(number(place, UInt32.self))
          if length == 0 {
            guard all.count - place >= 12 else { break }
            guard number(place + 4, UInt64.self) == rows else { throw Damage() }
            hasEnded = true
            place += 12
            break
          }
          let least = TeamStream.rowHeader + TeamStream.hashLength
          guard (least...least + 2 * TeamStream.maxNameLength + CanonicalRowFields.maxLength).contains(length) else {
            throw Damage()
          }
          guard all.count - place - 4 >= length else { break }
          let start = place + 4
          let vault = start + TeamStream.rowHeader
          let login = vault + Int(number(start + 8, UInt16.self))
          let hash = login + Int(number(start + 10, UInt16.self))
          let form = hash + TeamStream.hashLength
          place = start + length
          guard form <= place else { throw Damage() }
          try body(
            UnsafeRawBufferPointer(rebasing: all[form..<place]), UnsafeRawBufferPointer(rebasing: all[hash..<form]),
            RowOrigin(
              vault: UnsafeRawBufferPointer(rebasing: all[vault..<login]),
              login: UnsafeRawBufferPointer(rebasing: all[login..<hash]),
              receivedAt: number(start, Int64.self), isEnrolled: all[start + 12] == 1))
          rows += 1
        }
        if hasEnded, place < all.count { throw Damage() }
      }
      bytes.removeFirst(place)
    }
  }
}
