import VaultModel
import VaultSecrets

/// The canonical form of an audit row, over which its hash goes.
///
/// One byte, the version (2); then every column but the last three (hash, previous hash, MAC), in the order of ``AuditRows/columns``:
///
/// | column | bytes |
/// | --- | --- |
/// | NULL | `00` |
/// | TEXT | `01`, length in 4 bytes big-endian, UTF-8 |
/// | INTEGER | `02`, 8 bytes big-endian, two's complement |
///
/// No two rows have the same form, and a number that became a text has another one.
public struct AuditForm {
  static let version: UInt8 = 2
  /// Columns that the form holds.
  static let count: Int32 = 33

  /// The previous row's hash, and then the form.
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(2_048) }

  mutating func begin(after previous: [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    bytes += previous
    bytes.append(Self.version)
  }

  mutating func begin(after previous: UnsafeRawBufferPointer) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: previous)
    bytes.append(Self.version)
  }

  mutating func put(_ value: AuditValue) {
    switch value {
    case .none: bytes.append(0)
    case .text(let text):
      bytes.append(1)
      withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes += text.utf8
    case .number(let number):
      bytes.append(2)
      withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
  }

  /// A whole row, as a statement over ``AuditRows/columns`` has it now.
  ///
  /// - Returns: false where a column holds what no version of the vault writes.
  mutating func put(row: Statement) -> Bool { row.appendForm(columns: Self.count, to: &bytes) }

  func hash() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      bytes.withUnsafeBytes { blake2b256($0, into: UnsafeMutableRawBufferPointer(output)) }
      count = 32
    }
  }

  /// The hash, in bytes that are there already.
  func hash(into digest: inout [UInt8]) {
    digest.withUnsafeMutableBytes { digest in bytes.withUnsafeBytes { blake2b256($0, into: digest) } }
  }
}

/// A column of an audit row.
public enum AuditValue: Sendable, Hashable {
  case none
  case text(String)
  case number(Int64)

  init(_ text: String?) { self = text.map { .text($0) } ?? .none }
  init(_ number: Int64?) { self = number.map { .number($0) } ?? .none }
}
