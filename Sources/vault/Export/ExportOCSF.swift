import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel

/// Rows as events of the Open Cybersecurity Schema Framework, one JSON object per line.
///
/// Calls and changes are API Activity (6003); sign-ins, sign-outs, lock and unlock are Authentication (3002). Fields without a
/// place in the schema are in `unmapped`, so that no part of a row is lost.
struct ExportOCSF: AuditLineWriter {
  /// Pinned: later versions change what `metadata.uid` means (OCSF changelog, 1.7.0).
  static let version = "1.6.0"
  private static let product = ",\"product\":{\"name\":\"vault\",\"vendor_name\":\"vault\",\"version\":\"\(vaultVersion)\"}"
  private static let actions = Dictionary(uniqueKeysWithValues: AuditAction.allCases.map { ($0.rawValue, OCSFClass($0)) })
  private static let other = OCSFClass(nil)

  func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    let classOfAction = Self.actions[line.text(.action)] ?? Self.other
    let rank = SeverityMapping(AuditOutcome(rawValue: line.text(.outcome)))
    exporter.append("{\"activity_id\":")
    exporter.append(decimal: classOfAction.activity)
    exporter.append(",\"activity_name\":\"")
    exporter.append(string: classOfAction.activityName)
    exporter.append("\",\"category_uid\":")
    exporter.append(decimal: classOfAction.category)
    exporter.append(",\"class_uid\":")
    exporter.append(decimal: classOfAction.uid)
    exporter.append(",\"class_name\":\"")
    exporter.append(classOfAction.name)
    exporter.append("\",\"type_uid\":")
    exporter.append(decimal: classOfAction.uid * 100 + classOfAction.activity)
    number(",\"time\":", .time, of: line, to: &exporter)
    exporter.append(",\"severity_id\":")
    exporter.append(decimal: rank.severity)
    exporter.append(",\"status_id\":")
    exporter.append(decimal: rank.status)
    exporter.append(",\"status\":\"")
    exporter.append(rank.statusName)
    exporter.append("\"")
    text(",\"status_detail\":", .error, of: line, to: &exporter)
    metadata(line, &exporter)
    actor(line, &exporter)
    switch classOfAction.kind {
    case .api: api(line, as: classOfAction, to: &exporter)
    case .authentication: authentication(line, as: classOfAction, to: &exporter)
    }
    text(",\"src_endpoint\":{\"hostname\":", .host, of: line, orElse: ",\"src_endpoint\":{\"hostname\":\"\"", to: &exporter)
    exporter.append("}")
    if text(",\"dst_endpoint\":{\"hostname\":", .endpoint, of: line, to: &exporter) { exporter.append("}") }
    unmapped(line, &exporter)
    exporter.append("}\n")
  }

  private func metadata(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(",\"metadata\":{\"version\":\"")
    exporter.append(string: Self.version)
    exporter.append("\"")
    exporter.append(string: Self.product)
    exporter.append(",\"log_name\":\"audit\"")
    text(",\"uid\":", .id, of: line, to: &exporter)
    number(",\"sequence\":", .sequence, of: line, to: &exporter)
    text(",\"event_code\":", .action, of: line, to: &exporter)
    text(",\"correlation_uid\":", .intentId, of: line, to: &exporter)
    exporter.append("}")
  }

  private func actor(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(",\"actor\":{")
    user("\"user\":", of: line, to: &exporter)
    exporter.append(",\"process\":{\"pid\":")
    exporter.append(decimal: line.number(.pid))
    exporter.append(",\"name\":")
    line.withShownProgram { exporter.append(json: $0) }
    parents(line, &exporter)
    exporter.append("}")
    exporter.append("}")
  }

  /// The processes above, each within the one that it started.
  private func parents(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    var chain: [Ancestor] = []
    line.withBytes(.parents) { if let bytes = $0 { chain = Ancestor.chain(bytes) ?? [] } }
    for ancestor in chain {
      exporter.append(",\"parent_process\":{\"pid\":")
      exporter.append(decimal: Int64(ancestor.pid))
      exporter.append(",\"name\":")
      var executable = ancestor.executable
      executable.withUTF8 { exporter.append(json: UnsafeRawBufferPointer($0)) }
    }
    for _ in chain { exporter.append("}") }
  }

  private func user(_ name: StaticString, of line: AuditRowView, to exporter: inout ByteBuffer) {
    exporter.append(name)
    exporter.append("{\"uid\":\"")
    exporter.append(decimal: line.number(.uid))
    exporter.append("\"")
    text(",\"name\":", .user, of: line, to: &exporter)
    text(",\"credential_uid\":", .sourceAccessKeyId, of: line, to: &exporter)
    exporter.append("}")
  }

  private func api(_ line: AuditRowView, as classOfAction: OCSFClass, to exporter: inout ByteBuffer) {
    text(",\"api\":{\"operation\":", .action, of: line, to: &exporter)
    service(",\"service\":", classOfAction.service, to: &exporter)
    if text(",\"request\":{\"uid\":", .requestId, of: line, to: &exporter) { exporter.append("}") }
    if text(",\"response\":{\"error_message\":", .error, of: line, to: &exporter) { exporter.append("}") }
    exporter.append("}")
    resources(line, &exporter)
  }

  /// The role, and the session that was issued or handed out. `actor.session` would be the caller's own.
  private func resources(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    let hasRole = text(",\"resources\":[{\"uid\":", .roleARN, of: line, to: &exporter)
    if hasRole { exporter.append(",\"type\":\"AWS::IAM::Role\"}") }
    let hasSession = text(hasRole ? ",{\"uid\":" : ",\"resources\":[{\"uid\":", .sessionId, of: line, to: &exporter)
    if hasSession {
      text(",\"name\":", .accessKeyId, of: line, to: &exporter)
      exporter.append(",\"type\":\"session\"}")
    }
    if hasRole || hasSession { exporter.append("]") }
  }

  private func authentication(_ line: AuditRowView, as classOfAction: OCSFClass, to exporter: inout ByteBuffer) {
    user(",\"user\":", of: line, to: &exporter)
    service(",\"service\":", classOfAction.service, to: &exporter)
    if line.number(.mfa) != 0 { exporter.append(",\"is_mfa\":true") } else { exporter.append(",\"is_mfa\":false") }
  }

  private func service(_ key: StaticString, _ name: String, to exporter: inout ByteBuffer) {
    exporter.append(key)
    exporter.append("{\"name\":\"")
    exporter.append(string: name)
    exporter.append("\"}")
  }

  private static let mapped: Set<AuditField> = [
    .id, .sequence, .time, .action, .error, .user, .uid, .pid, .program, .host, .endpoint, .sourceAccessKeyId,
  ]
  /// The other columns, each with its key.
  private static let others = AuditColumn.all.filter { $0.part != .proof && !mapped.contains($0.field) }.map { column in
    (key: ",\"\(column.sql)\":", column: column)
  }

  private func unmapped(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(",\"unmapped\":{")
    if line.isProven { exporter.append("\"proven\":true") } else { exporter.append("\"proven\":false") }
    for (key, column) in Self.others {
      switch column.kind {
      case .text where column.field == .automation && line.hasNoAutomation:
        text(",\"hint\":", .automation, of: line, to: &exporter)
      case .text, .list, .object: text(key, column.field, of: line, to: &exporter)
      case .number, .time: number(key, column.field, of: line, to: &exporter)
      case .flag:
        exporter.append(string: key)
        exporter.append(flag: line.number(column.field) != 0)
      case .bytes:
        exporter.append(string: key + "\"")
        line.withBlob(column.field) { exporter.append(hex: $0) }
        exporter.append("\"")
      }
    }
    if let origin = line.origin {
      exporter.append(",\"vault\":")
      exporter.append(json: origin.vault)
      exporter.append(",\"login\":")
      exporter.append(json: origin.login)
      exporter.append(",\"received_at\":")
      exporter.append(decimal: origin.receivedAt)
    }
    exporter.append("}")
  }

  /// Writes a field that has a value; for a field without one, writes `orElse` alone.
  @discardableResult
  private func text(
    _ name: String, _ field: AuditField, of line: AuditRowView, orElse: String = "", to exporter: inout ByteBuffer
  ) -> Bool {
    var isThere = false
    line.withBytes(field) { bytes in
      guard let bytes else { return exporter.append(string: orElse) }
      isThere = true
      exporter.append(string: name)
      exporter.append(json: bytes)
    }
    return isThere
  }

  private func number(_ name: String, _ field: AuditField, of line: AuditRowView, to exporter: inout ByteBuffer) {
    guard let number = line.optionalNumber(field) else { return }
    exporter.append(string: name)
    exporter.append(decimal: number)
  }
}
