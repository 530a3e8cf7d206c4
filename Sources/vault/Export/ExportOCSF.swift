import VaultDatabase
import VaultModel

/// Rows as events of the Open Cybersecurity Schema Framework, a JSON object a line.
///
/// Calls and changes are API Activity (6003); sign-ins, sign-outs, lock and unlock are Authentication (3002). What the schema has no place
/// for is in `unmapped`, so that nothing of a row is lost.
struct ExportOCSF: AuditLineWriter {
  /// Pinned: later versions change what `metadata.uid` means (OCSF changelog, 1.7.0).
  static let version = "1.6.0"
  private static let product = ",\"product\":{\"name\":\"vault\",\"vendor_name\":\"vault\",\"version\":\"\(vaultVersion)\"}"
  private static let actions = Dictionary(uniqueKeysWithValues: AuditAction.allCases.map { ($0.rawValue, OCSFClass($0)) })
  private static let other = OCSFClass(nil)

  func write(_ line: AuditRowView, to sink: inout ByteSink) {
    let classOfAction = Self.actions[line.text(.action)] ?? Self.other
    let rank = SeverityMapping(AuditOutcome(rawValue: line.text(.outcome)))
    sink.append("{\"activity_id\":")
    sink.append(classOfAction.activity)
    sink.append(",\"activity_name\":\"")
    sink.append(string: classOfAction.activityName)
    sink.append("\",\"category_uid\":")
    sink.append(classOfAction.category)
    sink.append(",\"class_uid\":")
    sink.append(classOfAction.uid)
    sink.append(",\"class_name\":\"")
    sink.append(classOfAction.name)
    sink.append("\",\"type_uid\":")
    sink.append(classOfAction.uid * 100 + classOfAction.activity)
    number(",\"time\":", .time, line, &sink)
    sink.append(",\"severity_id\":")
    sink.append(rank.severity)
    sink.append(",\"status_id\":")
    sink.append(rank.status)
    sink.append(",\"status\":\"")
    sink.append(rank.statusName)
    sink.append("\"")
    text(",\"status_detail\":", .error, line, &sink)
    metadata(line, &sink)
    actor(line, &sink)
    switch classOfAction.kind {
    case .api: api(line, classOfAction, &sink)
    case .authentication: authentication(line, classOfAction, &sink)
    }
    text(",\"src_endpoint\":{\"hostname\":", .host, line, orElse: ",\"src_endpoint\":{\"hostname\":\"\"", &sink)
    sink.append("}")
    if text(",\"dst_endpoint\":{\"hostname\":", .endpoint, line, &sink) { sink.append("}") }
    unmapped(line, &sink)
    sink.append("}\n")
  }

  private func metadata(_ line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(",\"metadata\":{\"version\":\"")
    sink.append(string: Self.version)
    sink.append("\"")
    sink.append(string: Self.product)
    sink.append(",\"log_name\":\"audit\"")
    text(",\"uid\":", .id, line, &sink)
    number(",\"sequence\":", .sequence, line, &sink)
    text(",\"event_code\":", .action, line, &sink)
    text(",\"correlation_uid\":", .intentId, line, &sink)
    sink.append("}")
  }

  private func actor(_ line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(",\"actor\":{")
    user("\"user\":", line, &sink)
    sink.append(",\"process\":{\"pid\":")
    sink.append(line.number(.pid))
    sink.append(",\"name\":")
    line.withShownProgram { sink.append(json: $0) }
    sink.append("}")
    sink.append("}")
  }

  private func user(_ name: StaticString, _ line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(name)
    sink.append("{\"uid\":\"")
    sink.append(line.number(.uid))
    sink.append("\"")
    text(",\"name\":", .user, line, &sink)
    text(",\"credential_uid\":", .sourceAccessKeyId, line, &sink)
    sink.append("}")
  }

  private func api(_ line: AuditRowView, _ classOfAction: OCSFClass, _ sink: inout ByteSink) {
    text(",\"api\":{\"operation\":", .action, line, &sink)
    service(",\"service\":", classOfAction.service, &sink)
    if text(",\"request\":{\"uid\":", .requestId, line, &sink) { sink.append("}") }
    if text(",\"response\":{\"error_message\":", .error, line, &sink) { sink.append("}") }
    sink.append("}")
    resources(line, &sink)
  }

  /// The role and the session that was issued or handed out. `actor.session` would be the caller's own.
  private func resources(_ line: AuditRowView, _ sink: inout ByteSink) {
    let hasRole = text(",\"resources\":[{\"uid\":", .roleARN, line, &sink)
    if hasRole { sink.append(",\"type\":\"AWS::IAM::Role\"}") }
    let hasSession = text(hasRole ? ",{\"uid\":" : ",\"resources\":[{\"uid\":", .sessionId, line, &sink)
    if hasSession {
      text(",\"name\":", .accessKeyId, line, &sink)
      sink.append(",\"type\":\"session\"}")
    }
    if hasRole || hasSession { sink.append("]") }
  }

  private func authentication(_ line: AuditRowView, _ classOfAction: OCSFClass, _ sink: inout ByteSink) {
    user(",\"user\":", line, &sink)
    service(",\"service\":", classOfAction.service, &sink)
    if line.number(.mfa) != 0 { sink.append(",\"is_mfa\":true") } else { sink.append(",\"is_mfa\":false") }
  }

  private func service(_ key: StaticString, _ name: String, _ sink: inout ByteSink) {
    sink.append(key)
    sink.append("{\"name\":\"")
    sink.append(string: name)
    sink.append("\"}")
  }

  private func unmapped(_ line: AuditRowView, _ sink: inout ByteSink) {
    text(",\"unmapped\":{\"outcome\":", .outcome, line, orElse: ",\"unmapped\":{\"outcome\":\"\"", &sink)
    text(",\"trigger\":", .trigger, line, &sink)
    text(",\"profile\":", .profile, line, &sink)
    text(",\"role_arn\":", .roleARN, line, &sink)
    text(",\"role_session_name\":", .roleSessionName, line, &sink)
    text(",\"source_identity\":", .sourceIdentity, line, &sink)
    text(",\"session_id\":", .sessionId, line, &sink)
    text(",\"access_key_id\":", .accessKeyId, line, &sink)
    number(",\"issued_at\":", .issuedAt, line, &sink)
    number(",\"expires_at\":", .expiresAt, line, &sink)
    number(",\"duration_seconds\":", .durationSeconds, line, &sink)
    if line.number(.mfa) != 0 { sink.append(",\"mfa\":true") } else { sink.append(",\"mfa\":false") }
    text(",\"request_id\":", .requestId, line, &sink)
    text(",\"reason\":", .reason, line, &sink)
    text(",\"detail\":", .detail, line, &sink)
    text(",\"executable\":", .executable, line, &sink)
    text(",\"directory\":", .directory, line, &sink)
    text(",\"parent\":", .parent, line, &sink)
    if line.isProven { sink.append(",\"proven\":true") } else { sink.append(",\"proven\":false") }
    sink.append(",\"hash\":\"")
    line.withHash { sink.append(hex: $0) }
    sink.append("\"")
    if let origin = line.origin {
      sink.append(",\"vault\":")
      sink.append(json: origin.vault)
      sink.append(",\"login\":")
      sink.append(json: origin.login)
      sink.append(",\"received_at\":")
      sink.append(origin.receivedAt)
    }
    sink.append("}")
  }

  /// Writes a field that has a value; instead of one that has none, `orElse` alone.
  @discardableResult
  private func text(
    _ name: StaticString, _ field: AuditField, _ line: AuditRowView, orElse: StaticString = "", _ sink: inout ByteSink
  ) -> Bool {
    var isThere = false
    line.withBytes(field) { bytes in
      guard let bytes else { return sink.append(orElse) }
      isThere = true
      sink.append(name)
      sink.append(json: bytes)
    }
    return isThere
  }

  private func number(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    guard let number = line.optionalNumber(field) else { return }
    sink.append(name)
    sink.append(number)
  }
}
