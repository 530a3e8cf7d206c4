import VaultDatabase
import VaultModel

/// Rows as JSON Lines, straight from the database's bytes, with what `vault audit verify` needs to prove them (docs/audit-log.md).
struct ExportJSON: AuditLineWriter {
  private var days = DayCache()
  private let vaultId: String
  private let heads: [Int64: AuditCheckpoint]
  private let proves: Bool
  /// The row before; the hash of another row's predecessor is written with it.
  private var last: Int64?

  /// - Parameters:
  ///   - heads: the signed heads; each stands on its row.
  ///   - proves: rows of a whole team are numbered anew, and prove nothing by themselves (`vault audit verify --from`).
  init(vaultId: String?, heads: [AuditCheckpoint], proves: Bool) {
    self.proves = proves
    self.vaultId = vaultId ?? ""
    self.heads = Dictionary(heads.map { ($0.sequence, $0) }) { $1 }
  }

  mutating func write(_ line: AuditRowView, to sink: inout ByteSink) {
    text("{\"id\":", .id, line, &sink)
    sink.append(",\"sequence\":")
    sink.append(line.number(.sequence))
    time(",\"time\":", .time, line, &sink)
    text(",\"action\":", .action, line, &sink)
    text(",\"outcome\":", .outcome, line, &sink)
    text(",\"trigger\":", .trigger, line, &sink)
    text(",\"profile\":", .profile, line, &sink)
    text(",\"roleArn\":", .roleARN, line, &sink)
    text(",\"roleSessionName\":", .roleSessionName, line, &sink)
    text(",\"sourceIdentity\":", .sourceIdentity, line, &sink)
    text(",\"sourceAccessKeyId\":", .sourceAccessKeyId, line, &sink)
    text(",\"accessKeyId\":", .accessKeyId, line, &sink)
    time(",\"issuedAt\":", .issuedAt, line, &sink)
    time(",\"expiresAt\":", .expiresAt, line, &sink)
    number(",\"durationSeconds\":", .durationSeconds, line, &sink)
    if line.number(.mfa) != 0 { sink.append(",\"mfa\":true") } else { sink.append(",\"mfa\":false") }
    text(",\"requestId\":", .requestId, line, &sink)
    text(",\"endpoint\":", .endpoint, line, &sink)
    text(",\"reason\":", .reason, line, &sink)
    text(",\"requester\":{\"user\":", .user, line, &sink)
    number(",\"uid\":", .uid, line, &sink)
    number(",\"pid\":", .pid, line, &sink)
    text(",\"program\":", .program, line, &sink)
    text(",\"directory\":", .directory, line, &sink)
    text(",\"host\":", .host, line, &sink)
    text(",\"executable\":", .executable, line, &sink)
    text(",\"parent\":", .parent, line, &sink)
    if line.isProven { sink.append(",\"proven\":true") } else { sink.append(",\"proven\":false") }
    text("},\"sessionId\":", .sessionId, line, &sink)
    text(",\"error\":", .error, line, &sink)
    text(",\"detail\":", .detail, line, &sink)
    sink.append(",\"hash\":\"")
    line.withHash { sink.append(hex: $0) }
    sink.append("\"")
    if proves { proof(line, &sink) }
    if let origin = line.origin { self.origin(origin, of: line, &sink) }
    sink.append("}\n")
  }

  /// Where a team's row comes from, by the server's word.
  private mutating func origin(_ origin: RowOrigin, of line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(",\"vault\":")
    sink.append(json: origin.vault)
    sink.append(",\"login\":")
    sink.append(json: origin.login)
    if origin.isEnrolled {
      sink.append(",\"enrolled\":true,\"receivedAt\":\"")
    } else {
      sink.append(",\"enrolled\":false,\"receivedAt\":\"")
    }
    days.append(origin.receivedAt, to: &sink)
    if origin.isAhead(line.number(.time)) {
      sink.append("\",\"datedAhead\":true")
    } else {
      sink.append("\",\"datedAhead\":false")
    }
  }

  /// What the hash goes over and a reader does not miss, the chain, the code, and the signed head of this row.
  private mutating func proof(_ line: AuditRowView, _ sink: inout ByteSink) {
    millis(",\"timeMillis\":", .time, line, &sink)
    millis(",\"issuedAtMillis\":", .issuedAt, line, &sink)
    millis(",\"expiresAtMillis\":", .expiresAt, line, &sink)
    text(",\"intentId\":", .intentId, line, &sink)
    text(",\"subject\":", .subject, line, &sink)
    number(",\"subjectVersion\":", .subjectVersion, line, &sink)
    let sequence = line.number(.sequence)
    if last.map({ $0 &+ 1 != sequence }) ?? true { blob(",\"previousHash\":\"", .previousHash, line, &sink) }
    last = sequence
    blob(",\"mac\":\"", .mac, line, &sink)
    guard let head = heads[sequence] else { return }
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("vault", vaultId)
      writer.field("signedAt", head.signedAt.milliseconds)
      writer.field("publicKey", hex(head.publicKey))
      writer.field("signature", hex(head.signature))
    }
    sink.append(",\"head\":")
    sink.append(writer.take())
  }

  /// The part of a time that its text leaves out; nothing where that is zero.
  private func millis(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    guard let moment = line.optionalNumber(field), moment % 1_000 != 0 else { return }
    sink.append(name)
    sink.append((moment % 1_000 + 1_000) % 1_000)
  }

  private func blob(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    line.withBlob(field) { bytes in
      guard !bytes.isEmpty else { return }
      sink.append(name)
      sink.append(hex: bytes)
      sink.append("\"")
    }
  }

  private func text(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(name)
    line.withBytes(field) { bytes in
      if let bytes { sink.append(json: bytes) } else { sink.append("null") }
    }
  }

  private func number(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(name)
    if let number = line.optionalNumber(field) { sink.append(number) } else { sink.append("null") }
  }

  private mutating func time(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    sink.append(name)
    guard let moment = line.optionalNumber(field) else { return sink.append("null") }
    sink.append(UInt8(ascii: "\""))
    days.append(moment, to: &sink)
    sink.append(UInt8(ascii: "\""))
  }
}

extension ByteSink {
  /// A JSON string. What is not plain is left to ``JSONWriter``, so that every report escapes alike.
  mutating func append(json bytes: UnsafeRawBufferPointer) {
    append(UInt8(ascii: "\""))
    if appendPlain(bytes, without: UInt8(ascii: "\""), UInt8(ascii: "\\")) {
      append(UInt8(ascii: "\""))
      return
    }
    var writer = JSONWriter()
    writer.string(String(decoding: bytes, as: UTF8.self))
    writer.take().withUnsafeBytes { append(UnsafeRawBufferPointer(rebasing: $0.dropFirst())) }
  }
}
