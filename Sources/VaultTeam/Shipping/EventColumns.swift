import VaultAudit
import VaultModel

/// The columns beside the canonical row, for filters and joins: its fields, as far as PostgreSQL's types can hold them.
///
/// A text is truncated at 1,024 bytes (an index takes 2,704), repaired if it is not UTF-8, and has U+FFFD for U+0000. A time is
/// clamped to the years 1 to 9999. The canonical row has everything unchanged, and alone has what a program says of itself
/// (``Requester/hint``).
struct EventColumns {
  static let maxTextLength = 1_024

  /// The server's columns.
  let all: [(field: AuditField, name: String, isTime: Bool)]
  let names: String
  /// Whether the server can say which run of `exec --automation` a row belongs to.
  let hasAutomation: Bool

  /// - Parameter hasAutomation: the tables of an earlier version lack these columns.
  init(hasAutomation: Bool) {
    self.hasAutomation = hasAutomation
    all = AuditColumn.all.compactMap { column in
      guard let name = column.server, hasAutomation || column.part != .automation else { return nil }
      return (field: column.field, name: "\"\(name)\"", isTime: column.isTime)
    }
    names = all.map(\.name).joined(separator: ", ")
  }

  /// A canonical row, or nothing if it is longer than any valid one: the server's owner controls what the server sends.
  static let form: StaticString = "CASE WHEN octet_length(e.form) > 1048576 THEN '' ELSE e.form END"

  /// A time as PostgreSQL counts it: microseconds since 2000.
  static func time(_ milliseconds: Int64) -> Int64 { (Timestamp(stored: milliseconds).milliseconds - epoch) * 1_000 }
  /// 2000, in milliseconds since 1970.
  static let epoch: Int64 = 946_684_800_000

  /// Lends a text as the column stores it.
  static func withText<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    // Nearly all texts are short plain ASCII.
    if bytes.count <= maxTextLength, bytes.allSatisfy({ $0 != 0 && $0 < 0x80 }) { return try body(bytes) }
    var text: [UInt8] = []
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      let encoded = UTF8.encode(scalar.value == 0 ? "\u{FFFD}" : scalar) ?? UTF8.encodedReplacementCharacter
      if text.count + encoded.count > maxTextLength { break }
      text.append(contentsOf: encoded)
    }
    return try text.withUnsafeBytes { try body($0) }
  }

  private static func value(_ field: AuditField, _ fields: CanonicalRowFields) -> CanonicalRowFields.Field {
    field == .automation && fields[.run] == .none ? .none : fields[field]
  }

  /// Appends a row's columns, each to its array.
  func append(
    _ fields: CanonicalRowFields, of form: UnsafeRawBufferPointer, to arrays: inout [BinaryArray], from first: Int
  ) {
    for (number, column) in all.enumerated() {
      switch Self.value(column.field, fields) {
      case .number(let value) where column.isTime: arrays[first + number].append(Self.time(value))
      case .text(let range) where !column.isTime:
        Self.withText(UnsafeRawBufferPointer(rebasing: form[range])) { arrays[first + number].append($0) }
      default: arrays[first + number].appendNull()
      }
    }
  }

  /// Whether the server's columns match the canonical row.
  func agree(_ row: ServerRow, from first: Int32, _ fields: CanonicalRowFields, of form: UnsafeRawBufferPointer) throws
    -> Bool
  {
    for (number, column) in all.enumerated() {
      let place = first + Int32(number)
      let agrees =
        switch Self.value(column.field, fields) {
        case .number(let value) where column.isTime: try row.number(place) == Self.time(value)
        case .text(let range) where !column.isTime:
          Self.withText(UnsafeRawBufferPointer(rebasing: form[range])) { text in
            row.withBytes(place) { stated in stated.map { $0.elementsEqual(text) } ?? false }
          }
        default: row.withBytes(place) { $0 == nil }
        }
      if !agrees { return false }
    }
    return true
  }
}
