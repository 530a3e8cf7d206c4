import VaultAudit
import VaultBytes
import VaultModel

/// Rows as JSON objects, straight from the database's bytes: for reports, or with the data that `vault audit verify` needs to verify
/// them (docs/audit-log.md).
struct ExportJSON: AuditLineWriter {
  /// The use of a row, which decides the members after those of the table. The origin of a team's row comes last.
  enum Purpose {
    /// The network path and the intent's id.
    case report
    /// The other hashed fields, the chain and the checkpoints of a vault's log.
    case proof(vaultId: String, [Int64: AuditCheckpoint])
  }

  private var days = DayCache()
  private let purpose: Purpose
  /// The previous row; if a row does not follow it directly, the hash of that row's predecessor is written too.
  private var last: Int64?

  /// A writer for reports. The rows of a whole team are renumbered, and prove nothing by themselves (`vault audit verify --from`).
  init() { purpose = .report }

  /// A writer for a log that proves itself.
  ///
  /// - Parameter checkpoints: each is written with its row.
  init(vaultId: String?, checkpoints: [AuditCheckpoint]) {
    purpose = .proof(vaultId: vaultId ?? "", Dictionary(checkpoints.map { ($0.sequence, $0) }) { $1 })
  }

  /// A member of an object: a column, and the text before its value.
  private struct Member: @unchecked Sendable {
    /// Lives as long as the process: a million rows would count references to it 37 million times.
    let key: UnsafeRawBufferPointer
    let field: AuditField
    let kind: AuditColumn.Kind

    init(key: String, _ column: AuditColumn, _ kind: AuditColumn.Kind? = nil) {
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: key.utf8.count, alignment: 1)
      bytes.copyBytes(from: key.utf8)
      (self.key, field, self.kind) = (UnsafeRawBufferPointer(bytes), column.field, kind ?? column.kind)
    }
  }

  /// - Parameter isFirst: nothing precedes them in their object.
  private static func members(isFirst: Bool = false, _ columns: some Collection<AuditColumn>) -> [Member] {
    columns.enumerated().map { place, column in
      Member(key: "\(isFirst && place == 0 ? "" : ",")\"\(column.json)\":", column)
    }
  }

  private static let beforeRequester = members(isFirst: true, AuditColumn.all.prefix { $0.part == .row })
  private static let requester = members(isFirst: true, AuditColumn.all.filter { $0.part == .requester })
  private static let afterRequester = members(AuditColumn.all.drop { $0.part == .row }.filter { $0.part == .row })
  private static let automation = [
    (key: "{\"name\":", field: AuditField.automation), (",\"run\":", .run), (",\"rootPid\":", .rootPid),
  ].flatMap { key, field in AuditColumn.all.filter { $0.field == field }.map { Member(key: key, $0) } }
  private static let times = AuditColumn.all.filter(\.isTime).map {
    Member(key: ",\"\($0.json)Millis\":", $0, .number)
  }
  private static let proof = members(AuditColumn.all.filter { $0.part == .proof })

  mutating func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    object(line, to: &exporter)
    exporter.append("\n")
  }

  mutating func object(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    exporter.append("{")
    for member in Self.beforeRequester { write(member, of: line, &exporter) }
    exporter.append(",\"requester\":{")
    for member in Self.requester { write(member, of: line, &exporter) }
    exporter.append(",\"proven\":")
    exporter.append(flag: line.isProven)
    exporter.append(",\"automation\":")
    if line.hasNoAutomation {
      exporter.append("null")
      line.withBytes(.automation) { hint in
        guard let hint else { return }
        exporter.append(",\"hint\":")
        exporter.append(json: hint)
      }
      exporter.append("}")
    } else {
      for member in Self.automation { write(member, of: line, &exporter) }
      exporter.append("}}")
    }
    for member in Self.afterRequester { write(member, of: line, &exporter) }
    switch purpose {
    case .report: report(line, &exporter)
    case .proof(let vaultId, let checkpoints): proof(line, vaultId: vaultId, checkpoints: checkpoints, to: &exporter)
    }
    if let origin = line.origin { self.origin(origin, of: line, &exporter) }
    exporter.append("}")
  }

  private mutating func write(_ member: Member, of line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(member.key)
    switch member.kind {
    case .text:
      line.withBytes(member.field) { if let bytes = $0 { exporter.append(json: bytes) } else { exporter.append("null") } }
    case .list:
      line.withBytes(member.field) { if let bytes = $0 { append(asJSON: bytes, to: &exporter) } else { exporter.append("[]") } }
    case .object:
      line.withBytes(member.field) { if let bytes = $0 { append(asJSON: bytes, to: &exporter) } else { exporter.append("null") } }
    case .flag: exporter.append(flag: line.number(member.field) != 0)
    case .bytes:
      exporter.append("\"")
      line.withBlob(member.field) { exporter.append(hex: $0) }
      exporter.append("\"")
    case .number, .time:
      guard let number = line.optionalNumber(member.field) else { return exporter.append("null") }
      guard case .time = member.kind else { return exporter.append(decimal: number) }
      exporter.append("\"")
      days.append(number, to: &exporter)
      exporter.append("\"")
    }
  }

  /// Appends a column that is JSON as it is, or as a string if it is not in the form of those that the vault writes.
  private func append(asJSON bytes: UnsafeRawBufferPointer, to exporter: inout ByteBuffer) {
    if AuditColumn.isJSON(bytes) { exporter.append(bytes) } else { exporter.append(json: bytes) }
  }

  private mutating func report(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    for member in Self.proof where member.field == .intentId { write(member, of: line, &exporter) }
    guard let network = line.optionalText(.detail).flatMap({ NetworkDetail(detail: $0) }) else { return }
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("proxy", network.proxy)
      writer.field("caBundle", network.caBundle)
    }
    exporter.append(",\"network\":")
    writer.buffer.withBytes { exporter.append($0) }
  }

  /// The hashed fields that readers do not need, the chain, the MAC, and this row's checkpoint.
  private mutating func proof(
    _ line: AuditRowView, vaultId: String, checkpoints: [Int64: AuditCheckpoint], to exporter: inout ByteBuffer
  ) {
    // The milliseconds that a time's text omits, unless they are zero.
    for member in Self.times {
      guard let moment = line.optionalNumber(member.field), moment % 1_000 != 0 else { continue }
      exporter.append(member.key)
      exporter.append(decimal: (moment % 1_000 + 1_000) % 1_000)
    }
    let sequence = line.number(.sequence)
    let follows = last.map { $0 &+ 1 == sequence } ?? false
    last = sequence
    for member in Self.proof {
      switch member.field {
      case .previousHash: if follows { continue }
      case .mac: if line.isMissing(.mac) { continue }
      // A row of the first form does not say so.
      case .formVersion: if line.isFirstForm { continue }
      default: break
      }
      write(member, of: line, &exporter)
    }
    guard let head = checkpoints[sequence] else { return }
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("vault", vaultId)
      writer.field("signedAt", head.signedAt.milliseconds)
      writer.field("publicKey", hex(head.publicKey))
      writer.field("signature", hex(head.signature))
    }
    exporter.append(",\"head\":")
    writer.buffer.withBytes { exporter.append($0) }
  }

  /// The origin of a team's row, as the server reports it.
  private mutating func origin(_ origin: RowOrigin, of line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(",\"vault\":")
    exporter.append(json: origin.vault)
    exporter.append(",\"login\":")
    exporter.append(json: origin.login)
    if origin.isEnrolled {
      exporter.append(",\"enrolled\":true,\"receivedAt\":\"")
    } else {
      exporter.append(",\"enrolled\":false,\"receivedAt\":\"")
    }
    days.append(origin.receivedAt, to: &exporter)
    if origin.isAhead(line.number(.time)) {
      exporter.append("\",\"datedAhead\":true")
    } else {
      exporter.append("\",\"datedAhead\":false")
    }
  }
}

/// Rows as one array of objects, for reports.
struct JSONArray: AuditLineWriter {
  private var rows = ExportJSON()
  private var isEmpty = true

  func begin(_ exporter: inout ByteBuffer) { exporter.append("[") }

  mutating func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    exporter.append(isEmpty ? "\n" : ",\n")
    isEmpty = false
    rows.object(line, to: &exporter)
  }

  func end(_ exporter: inout ByteBuffer) { exporter.append("]\n") }
}
