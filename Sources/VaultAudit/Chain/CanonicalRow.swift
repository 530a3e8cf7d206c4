import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets

/// The canonical form of an audit row, which is hashed.
///
/// One byte, the version (2); then every column except the last three (hash, previous hash, MAC), in the order of
/// ``AuditRows/columns``:
///
/// | column | bytes |
/// | --- | --- |
/// | NULL | `00` |
/// | TEXT | `01`, length in 4 bytes big-endian, UTF-8 |
/// | INTEGER | `02`, 8 bytes big-endian, two's complement |
///
/// No two rows have the same form. A number stored as text has a different form.
struct CanonicalRow: ~Copyable {
  static let version: UInt8 = 2
  /// The number of columns in the form.
  static let count = 33

  /// The previous row's hash, followed by the form.
  private var buffer = ByteBuffer()

  init() {}

  mutating func begin(after previous: [UInt8]) { previous.withUnsafeBytes { begin(after: $0) } }

  mutating func begin(after previous: UnsafeRawBufferPointer) {
    buffer.removeAll()
    buffer.append(previous)
    buffer.append(Self.version)
  }

  mutating func put(_ value: AuditValue) {
    switch value {
    case .none: buffer.append(0)
    case .text(var text): text.withUTF8 { buffer.append(text: UnsafeRawBufferPointer($0)) }
    case .number(let number): buffer.append(number: number)
    }
  }

  /// Puts a whole row of ``AuditRows/columns``.
  ///
  /// - Returns: false if a column holds a value that no version of the vault writes.
  mutating func put(row: Statement) -> Bool {
    for column in 0..<Int32(Self.count) {
      switch row.type(column) {
      case .null: buffer.append(0)
      case .text: row.withBytes(column) { buffer.append(text: $0 ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
      case .integer: buffer.append(number: row.int(column))
      case .other: return false
      }
    }
    return true
  }

  func hash() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    hash(into: &digest)
    return digest
  }

  /// The form alone, without the preceding hash; valid until the next `begin`.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer.bytes[32...]) }

  /// Writes the hash into an existing buffer.
  func hash(into digest: inout [UInt8]) { digest.withUnsafeMutableBytes { blake2b256(buffer.bytes, into: $0) } }
}

/// A column of an audit row.
public enum AuditValue: Sendable, Hashable {
  case none
  case text(String)
  case number(Int64)

  init(_ text: String?) { self = text.map { .text($0) } ?? .none }
  init(_ number: Int64?) { self = number.map { .number($0) } ?? .none }
}
