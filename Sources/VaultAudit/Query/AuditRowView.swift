import VaultDatabase
import VaultModel

/// A column of the audit log, as exports read it.
public enum AuditField: Int32, Sendable, CaseIterable {
  case sequence, id, time, action, outcome, trigger, profile, roleARN, roleSessionName, sourceIdentity, sourceAccessKeyId
  case accessKeyId, issuedAt, expiresAt, durationSeconds, mfa, requestId, endpoint, reason, error, detail, sessionId, intentId
  case user, uid, pid, program, executable, directory, parent, host, hash
  case subject, subjectVersion, previousHash, mac

  /// The table's columns in the order of the cases.
  static let columns: StaticString = """
    sequence, id, time, action, outcome, cause, profile, role_arn, role_session_name, source_identity, source_access_key_id, \
    access_key_id, issued_at, expires_at, duration_seconds, mfa, request_id, endpoint, reason, error, detail, session_id, intent_id, \
    user, uid, pid, program, executable, directory, parent, host, hash, subject, subject_version, previous_hash, mac
    """
}

/// An audit row as bytes, valid until the next row: an export makes no `String` of a million rows' texts.
public struct AuditRowView {
  private enum Row {
    case stored(Statement)
    case shipped(ShippedRow)
  }
  private let row: Row

  init(_ row: Statement) { self.row = .stored(row) }
  init(_ row: ShippedRow) { self.row = .shipped(row) }

  /// The origin of a row in a team's log; nil for a row of this machine.
  public var origin: RowOrigin? { if case .shipped(let row) = row { row.origin } else { nil } }

  /// Lends a text as it is stored until `body` returns; nil if there is none.
  @inline(__always)
  public func withBytes(_ field: AuditField, _ body: (UnsafeRawBufferPointer?) -> Void) {
    switch row {
    case .stored(let row): row.withBytes(field.rawValue, body)
    case .shipped(let row): row.withText(field, body)
    }
  }
  /// Lends the row's hash until `body` returns.
  public func withHash(_ body: (UnsafeRawBufferPointer) -> Void) { withBlob(.hash, body) }
  /// Lends the bytes of another blob column (``AuditField/previousHash``, ``AuditField/mac``); empty if there are none.
  public func withBlob(_ field: AuditField, _ body: (UnsafeRawBufferPointer) -> Void) {
    switch row {
    case .stored(let row): row.withBlob(field.rawValue, body)
    case .shipped(let row): body(field == .hash ? row.hash : UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }

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
      "\(AuditField.columns)", bound: first ?? (filter.limit == nil ? query.scanStart : nil),
      order: filter.reverse ? " ORDER BY sequence DESC" + query.limit : " ORDER BY sequence")
    if filter.limit == nil { try database.readThrough() }
    let statement = try database.prepare(sql).begin()
    for value in query.values { try value.bind(to: statement) }
    let row = AuditRowView(statement)
    while try statement.step() { try body(row) }
  }
}
