import VaultDatabase
import VaultModel

/// An audit row as bytes, valid until the next row: an export makes no `String` of a million rows' texts.
///
/// A class, so that passing it on for every field costs nothing; each source of rows is one of its subclasses.
public class AuditRowView {
  /// The origin of a row in a team's log; nil for a row of this machine.
  public var origin: RowOrigin? { nil }

  /// Lends a text as it is stored until `body` returns; nil if there is none.
  public func withBytes(_ field: AuditField, _ body: (UnsafeRawBufferPointer?) -> Void) { body(nil) }
  /// Lends the bytes of a blob column until `body` returns; empty if there are none.
  public func withBlob(_ field: AuditField, _ body: (UnsafeRawBufferPointer) -> Void) {
    body(UnsafeRawBufferPointer(start: nil, count: 0))
  }
  public func optionalNumber(_ field: AuditField) -> Int64? { nil }

  /// Lends the row's hash until `body` returns.
  public final func withHash(_ body: (UnsafeRawBufferPointer) -> Void) { withBlob(.hash, body) }

  /// Whether a blob column is empty.
  public final func isMissing(_ field: AuditField) -> Bool {
    var isEmpty = true
    withBlob(field) { isEmpty = $0.isEmpty }
    return isEmpty
  }
  /// Whether the requester belongs to no run of `exec --automation`.
  public final var hasNoAutomation: Bool { optionalText(.run) == nil && optionalNumber(.rootPid) == nil }

  /// The variable by which the requester said that it acts by itself (``Requester/hint``). It is in the column of the run's name, and
  /// there is no run.
  public final var hint: String? { hasNoAutomation ? optionalText(.automation) : nil }

  /// Whether the row is hashed by the first version of the canonical form, which an export does not name.
  public final var isFirstForm: Bool { number(.formVersion) == Int64(AuditTable.firstVersion) }

  /// Whether the kernel vouched for the file that the requesting process ran.
  public final var isProven: Bool {
    var isProven = false
    withBytes(.executable) { isProven = $0?.isEmpty == false }
    return isProven
  }

  /// Lends the program as reports show it (``Requester/shownProgram``).
  public final func withShownProgram(_ body: (UnsafeRawBufferPointer) -> Void) {
    if isProven { return withBytes(.program) { body($0 ?? UnsafeRawBufferPointer(start: nil, count: 0)) } }
    var shown = text(.program) + Requester.unproven
    shown.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }

  public final func optionalText(_ field: AuditField) -> String? {
    var text: String?
    withBytes(field) { text = $0.map { String(decoding: $0, as: UTF8.self) } }
    return text
  }
  public final func text(_ field: AuditField) -> String { optionalText(field) ?? "" }
  public final func number(_ field: AuditField) -> Int64 { optionalNumber(field) ?? 0 }
}

/// A row of ``AuditTable/selection(at:)``.
final class StoredRow: AuditRowView {
  private let row: Statement

  init(_ row: Statement) { self.row = row }

  override func withBytes(_ field: AuditField, _ body: (UnsafeRawBufferPointer?) -> Void) { row.withBytes(field.rawValue, body) }
  override func withBlob(_ field: AuditField, _ body: (UnsafeRawBufferPointer) -> Void) { row.withBlob(field.rawValue, body) }
  override func optionalNumber(_ field: AuditField) -> Int64? { row.optionalInt(field.rawValue) }
}

/// A copied row.
public final class CopiedRow: AuditRowView {
  private let record: AuditRecord

  public init(_ record: AuditRecord) { self.record = record }

  public override func withBytes(_ field: AuditField, _ body: (UnsafeRawBufferPointer?) -> Void) {
    guard case .text(var text) = record[field] else { return body(nil) }
    text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }

  public override func withBlob(_ field: AuditField, _ body: (UnsafeRawBufferPointer) -> Void) {
    (field == .hash ? record.hash : []).withUnsafeBytes { body($0) }
  }

  public override func optionalNumber(_ field: AuditField) -> Int64? {
    if case .number(let number) = record[field] { number } else { nil }
  }
}

extension VaultReader {
  /// The rows that match a filter, one at a time: memory use does not depend on their number.
  ///
  /// The order is that of ``auditRecords(_:)``.
  public func forEachAuditLine(_ filter: AuditFilter, _ body: (AuditRowView) throws -> Void) throws {
    guard let database else { return }
    let query = AuditQuery(filter, defers: defersIndexes, schema: schema)
    // The newest rows within the limit, oldest first: the first of them is looked up, so that nothing has to be sorted or kept.
    let first = filter.limit != nil && !filter.reverse ? "sequence >= (SELECT min(sequence) FROM (\(query.newest)))" : nil
    let sql = query.select(
      auditColumns, bound: first ?? (filter.limit == nil ? query.scanStart : nil),
      order: filter.reverse ? " ORDER BY sequence DESC" + query.limit : " ORDER BY sequence")
    if filter.limit == nil { try database.readThrough() }
    let statement = try database.prepare(sql).begin()
    for value in query.values { try value.bind(to: statement) }
    let row = StoredRow(statement)
    while try statement.step() { try body(row) }
  }
}
