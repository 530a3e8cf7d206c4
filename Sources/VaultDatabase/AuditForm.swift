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
struct AuditForm: ~Copyable {
  static let version: UInt8 = 2
  /// Columns that the form holds.
  static let count = 33

  /// The previous row's hash, and then the form.
  private var buffer = FormBuffer()

  init() {}

  mutating func begin(after previous: [UInt8]) { previous.withUnsafeBytes { begin(after: $0) } }

  mutating func begin(after previous: UnsafeRawBufferPointer) {
    buffer.removeAll()
    buffer.append(previous)
    buffer.append(byte: Self.version)
  }

  mutating func put(_ value: AuditValue) {
    switch value {
    case .none: buffer.append(byte: 0)
    case .text(var text): text.withUTF8 { buffer.append(text: UnsafeRawBufferPointer($0)) }
    case .number(let number): buffer.append(number: number)
    }
  }

  /// A whole row of ``AuditRows/columns``.
  ///
  /// - Returns: false where a column holds what no version of the vault writes.
  mutating func put(row: VisitedRow) -> Bool { row.appendForm(columns: Self.count, to: &buffer) }

  /// The same of a statement's row.
  mutating func put(row: Statement) -> Bool { row.appendForm(columns: Self.count, to: &buffer) }

  func hash() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    hash(into: &digest)
    return digest
  }

  /// The form alone, without the hash that it began after; good until the next `begin`.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer.bytes[32...]) }

  /// The hash, in bytes that are there already.
  func hash(into digest: inout [UInt8]) { digest.withUnsafeMutableBytes { blake2b256(buffer.bytes, into: $0) } }
}

/// Memory that grows and is used again: a million rows are put together in it.
struct FormBuffer: ~Copyable {
  private var memory = UnsafeMutableRawPointer.allocate(byteCount: 4_096, alignment: 8)
  private var capacity = 4_096
  private(set) var count = 0

  deinit { memory.deallocate() }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  mutating func removeAll() { count = 0 }

  @inline(__always)
  private mutating func reserve(_ more: Int) {
    if more > capacity - count { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    let wanted = max(capacity * 2, count + more)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 8)
    larger.copyMemory(from: memory, byteCount: count)
    memory.deallocate()
    (memory, capacity) = (larger, wanted)
  }

  mutating func append(byte: UInt8) {
    reserve(1)
    memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count)
    if let source = bytes.baseAddress { (memory + count).copyMemory(from: source, byteCount: bytes.count) }
    count += bytes.count
  }

  mutating func append(text: UnsafeRawBufferPointer) {
    reserve(5 + text.count)
    memory.storeBytes(of: 1, toByteOffset: count, as: UInt8.self)
    memory.storeBytes(of: UInt32(truncatingIfNeeded: text.count).bigEndian, toByteOffset: count + 1, as: UInt32.self)
    if let source = text.baseAddress { (memory + count + 5).copyMemory(from: source, byteCount: text.count) }
    count += 5 + text.count
  }

  mutating func append(number: Int64) {
    reserve(9)
    memory.storeBytes(of: 2, toByteOffset: count, as: UInt8.self)
    memory.storeBytes(of: number.bigEndian, toByteOffset: count + 1, as: Int64.self)
    count += 9
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
