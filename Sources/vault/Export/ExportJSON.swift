import VaultBytes
import VaultAudit
import VaultModel

/// Rows as JSON Lines, straight from the database's bytes, with the data that `vault audit verify` needs to verify them
/// (docs/audit-log.md).
struct ExportJSON: AuditLineWriter {
  private var days = DayCache()
  private let vaultId: String
  private let checkpoints: [Int64: AuditCheckpoint]
  private let proves: Bool
  /// The previous row; if a row does not follow it directly, the hash of that row's predecessor is written too.
  private var last: Int64?

  /// - Parameters:
  ///   - checkpoints: the checkpoints; each is written with its row.
  ///   - proves: rows of a whole team are renumbered, and prove nothing by themselves (`vault audit verify --from`).
  init(vaultId: String?, checkpoints: [AuditCheckpoint], proves: Bool) {
    self.proves = proves
    self.vaultId = vaultId ?? ""
    self.checkpoints = Dictionary(checkpoints.map { ($0.sequence, $0) }) { $1 }
  }

  mutating func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    text("{\"id\":", .id, line, &exporter)
    exporter.append(",\"sequence\":")
    exporter.append(decimal: line.number(.sequence))
    time(",\"time\":", .time, line, &exporter)
    text(",\"action\":", .action, line, &exporter)
    text(",\"outcome\":", .outcome, line, &exporter)
    text(",\"trigger\":", .trigger, line, &exporter)
    text(",\"profile\":", .profile, line, &exporter)
    text(",\"roleArn\":", .roleARN, line, &exporter)
    text(",\"roleSessionName\":", .roleSessionName, line, &exporter)
    text(",\"sourceIdentity\":", .sourceIdentity, line, &exporter)
    text(",\"sourceAccessKeyId\":", .sourceAccessKeyId, line, &exporter)
    text(",\"accessKeyId\":", .accessKeyId, line, &exporter)
    time(",\"issuedAt\":", .issuedAt, line, &exporter)
    time(",\"expiresAt\":", .expiresAt, line, &exporter)
    number(",\"durationSeconds\":", .durationSeconds, line, &exporter)
    if line.number(.mfa) != 0 { exporter.append(",\"mfa\":true") } else { exporter.append(",\"mfa\":false") }
    text(",\"requestId\":", .requestId, line, &exporter)
    text(",\"endpoint\":", .endpoint, line, &exporter)
    text(",\"reason\":", .reason, line, &exporter)
    text(",\"requester\":{\"user\":", .user, line, &exporter)
    number(",\"uid\":", .uid, line, &exporter)
    number(",\"pid\":", .pid, line, &exporter)
    text(",\"program\":", .program, line, &exporter)
    text(",\"directory\":", .directory, line, &exporter)
    text(",\"host\":", .host, line, &exporter)
    text(",\"executable\":", .executable, line, &exporter)
    text(",\"parent\":", .parent, line, &exporter)
    if line.isProven { exporter.append(",\"proven\":true") } else { exporter.append(",\"proven\":false") }
    text("},\"sessionId\":", .sessionId, line, &exporter)
    text(",\"error\":", .error, line, &exporter)
    text(",\"detail\":", .detail, line, &exporter)
    exporter.append(",\"hash\":\"")
    line.withHash { exporter.append(hex: $0) }
    exporter.append("\"")
    if proves { proof(line, &exporter) }
    if let origin = line.origin { self.origin(origin, of: line, &exporter) }
    exporter.append("}\n")
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

  /// The hashed fields that readers do not need, the chain, the MAC, and this row's checkpoint.
  private mutating func proof(_ line: AuditRowView, _ exporter: inout ByteBuffer) {
    millis(",\"timeMillis\":", .time, line, &exporter)
    millis(",\"issuedAtMillis\":", .issuedAt, line, &exporter)
    millis(",\"expiresAtMillis\":", .expiresAt, line, &exporter)
    text(",\"intentId\":", .intentId, line, &exporter)
    text(",\"subject\":", .subject, line, &exporter)
    number(",\"subjectVersion\":", .subjectVersion, line, &exporter)
    let sequence = line.number(.sequence)
    if last.map({ $0 &+ 1 != sequence }) ?? true { blob(",\"previousHash\":\"", .previousHash, line, &exporter) }
    last = sequence
    blob(",\"mac\":\"", .mac, line, &exporter)
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

  /// The milliseconds that a time's text omits; nothing if they are zero.
  private func millis(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ exporter: inout ByteBuffer) {
    guard let moment = line.optionalNumber(field), moment % 1_000 != 0 else { return }
    exporter.append(name)
    exporter.append(decimal: (moment % 1_000 + 1_000) % 1_000)
  }

  private func blob(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ exporter: inout ByteBuffer) {
    line.withBlob(field) { bytes in
      guard !bytes.isEmpty else { return }
      exporter.append(name)
      exporter.append(hex: bytes)
      exporter.append("\"")
    }
  }

  private func text(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(name)
    line.withBytes(field) { bytes in
      if let bytes { exporter.append(json: bytes) } else { exporter.append("null") }
    }
  }

  private func number(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(name)
    if let number = line.optionalNumber(field) { exporter.append(decimal: number) } else { exporter.append("null") }
  }

  private mutating func time(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ exporter: inout ByteBuffer) {
    exporter.append(name)
    guard let moment = line.optionalNumber(field) else { return exporter.append("null") }
    exporter.append(UInt8(ascii: "\""))
    days.append(moment, to: &exporter)
    exporter.append(UInt8(ascii: "\""))
  }
}
