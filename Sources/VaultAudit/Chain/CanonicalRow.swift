import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets

/// The canonical form of an audit row, which is hashed.
///
/// One byte, the version of the form; then the columns of that version (``AuditTable``):
///
/// | column | bytes |
/// | --- | --- |
/// | NULL | `00` |
/// | TEXT | `01`, length in 4 bytes big-endian, UTF-8 |
/// | INTEGER | `02`, 8 bytes big-endian, two's complement |
///
/// No two rows have the same form. A number stored as text has a different form.
struct CanonicalRow: ~Copyable {
  private let table: AuditTable
  /// The previous row's hash, followed by the form.
  private var buffer = ByteBuffer()

  init(_ table: AuditTable = .current) { self.table = table }

  private mutating func begin(after previous: UnsafeRawBufferPointer, version: UInt8) {
    buffer.removeAll()
    buffer.append(previous)
    buffer.append(version)
  }

  /// Puts a new row.
  mutating func put(_ values: [AuditValue], after previous: [UInt8]) {
    previous.withUnsafeBytes { begin(after: $0, version: table.version) }
    for value in values {
      switch value {
      case .none: buffer.append(0)
      case .text(var text): text.withUTF8 { buffer.append(text: UnsafeRawBufferPointer($0)) }
      case .number(let number): buffer.append(number: number)
      }
    }
  }

  /// Puts a row of ``AuditTable/selection(at:)``.
  ///
  /// - Parameter number: hashed in place of the row's own number.
  /// - Returns: false if a column holds a value that no version of the vault writes: one of a later form than the row's, which its
  ///   hash would not bind, is NULL.
  mutating func put(_ row: Statement, after previous: UnsafeRawBufferPointer, as number: Int64? = nil) -> Bool {
    let version = row.int(AuditField.formVersion.rawValue)
    guard let count = table.count(of: version) else { return false }
    begin(after: previous, version: UInt8(version))
    if let number { buffer.append(number: number) }
    let first = Int32(AuditField.unhashed)
    for column in first + Int32(count)..<first + Int32(table.hashedCount) where !row.isNull(column) { return false }
    return row.append((number == nil ? first : first + 1)..<first + Int32(count), to: &buffer)
  }

  func hash() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    hash(into: &digest)
    return digest
  }

  /// The form alone, without the preceding hash; valid until the next row.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer.bytes[32...]) }

  /// Writes the hash into an existing buffer.
  func hash(into digest: inout [UInt8]) { digest.withUnsafeMutableBytes { blake2b256(buffer.bytes, into: $0) } }
}
