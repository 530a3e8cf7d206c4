import VaultDatabase
import VaultModel

/// An audit row as bytes, valid until the next row: an export makes no `String` of a million rows' texts.
public struct AuditRowView {
  private enum Row {
    case stored(Statement)
    case shipped(ShippedRow)
    case copied(Copy)
  }
  private let row: Row

  init(_ row: Statement) { self.row = .stored(row) }
  init(_ row: ShippedRow) { self.row = .shipped(row) }
  public init(_ record: AuditRecord) { row = .copied(Copy(record)) }

  /// A reference, so that a view is small: reports and exports pass it on for every field of a million rows.
  private final class Copy {
    let record: AuditRecord
    init(_ record: AuditRecord) { self.record = record }
  }

  /// The origin of a row in a team's log; nil for a row of this machine.
  public var origin: RowOrigin? { if case .shipped(let row) = row { row.origin } else { nil } }

  /// Lends a text as it is stored until `body` returns; nil if there is none.
  @inline(__always)
  public func withBytes(_ field: AuditField, _ body: (UnsafeRawBufferPointer?) -> Void) {
    switch row {
    case .stored(let row): row.withBytes(field.rawValue, body)
    case .shipped(let row): row.withText(field, body)
    case .copied(let copy):
      guard case .text(var text) = copy.record[field] else { return body(nil) }
      text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
  }
  /// Lends the row's hash until `body` returns.
  public func withHash(_ body: (UnsafeRawBufferPointer) -> Void) { withBlob(.hash, body) }
  /// Lends the bytes of another blob column (``AuditField/previousHash``, ``AuditField/mac``); empty if there are none.
  public func withBlob(_ field: AuditField, _ body: (UnsafeRawBufferPointer) -> Void) {
    switch row {
    case .stored(let row): row.withBlob(field.rawValue, body)
    case .shipped(let row): body(field == .hash ? row.hash : UnsafeRawBufferPointer(start: nil, count: 0))
    case .copied(let copy): (field == .hash ? copy.record.hash : []).withUnsafeBytes { body($0) }
    }
  }

  /// Whether a blob column is empty.
  public func isMissing(_ field: AuditField) -> Bool {
    var isEmpty = true
    withBlob(field) { isEmpty = $0.isEmpty }
    return isEmpty
  }
  /// Whether the row is hashed by the first version of the canonical form, which an export does not name.
  public var isFirstForm: Bool { number(.formVersion) == Int64(AuditTable.firstVersion) }

  /// Whether the kernel vouched for the file that the requesting process ran.
  public var isProven: Bool {
    var isProven = false
    withBytes(.executable) { isProven = $0?.isEmpty == false }
    return isProven
  }

  /// Lends the program as reports show it (``Requester/shownProgram``).
  public func withShownProgram(_ body: (UnsafeRawBufferPointer) -> Void) {
    if isProven { return withBytes(.program) { body($0 ?? UnsafeRawBufferPointer(start: nil, count: 0)) } }
    var shown = text(.program) + Requester.unproven
    shown.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }

  public func optionalText(_ field: AuditField) -> String? {
    var text: String?
    withBytes(field) { text = $0.map { String(decoding: $0, as: UTF8.self) } }
    return text
  }
  public func text(_ field: AuditField) -> String { optionalText(field) ?? "" }
  public func number(_ field: AuditField) -> Int64 { optionalNumber(field) ?? 0 }
  public func optionalNumber(_ field: AuditField) -> Int64? {
    switch row {
    case .stored(let row): row.optionalInt(field.rawValue)
    case .shipped(let row): row.number(field)
    case .copied(let copy): if case .number(let number) = copy.record[field] { number } else { nil }
    }
  }
}

extension VaultReader {
  /// The rows that match a filter, one at a time: memory use does not depend on their number.
  ///
  /// The order is that of ``auditRecords(_:)``.
  public func forEachAuditLine(_ filter: AuditFilter, _ body: (AuditRowView) throws -> Void) throws {
    guard let database else { return }
    let query = AuditQuery(filter, defers: defersIndexes)
    // The newest rows within the limit, oldest first: the first of them is looked up, so that nothing has to be sorted or kept.
    let first = filter.limit != nil && !filter.reverse ? "sequence >= (SELECT min(sequence) FROM (\(query.newest)))" : nil
    let sql = query.select(
      auditColumns, bound: first ?? (filter.limit == nil ? query.scanStart : nil),
      order: filter.reverse ? " ORDER BY sequence DESC" + query.limit : " ORDER BY sequence")
    if filter.limit == nil { try database.readThrough() }
    let statement = try database.prepare(sql).begin()
    for value in query.values { try value.bind(to: statement) }
    let row = AuditRowView(statement)
    while try statement.step() { try body(row) }
  }
}
