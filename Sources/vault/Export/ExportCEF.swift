import VaultDatabase
import VaultModel

/// Rows in ArcSight's Common Event Format (Implementing ArcSight CEF, version 25): a header parted by `|`, then `key=value` pairs.
///
/// What CEF's dictionary has no key for has one of ours, which begins with `vault`.
struct ExportCEF: AuditLineWriter {
  private static let header = "CEF:0|vault|vault|\(vaultVersion)|"

  func write(_ line: AuditRowView, to sink: inout ByteSink) {
    let rank = SeverityMapping(AuditOutcome(rawValue: line.text(.outcome)))
    sink.append(string: Self.header)
    // The action is the event's class and its name.
    for _ in 0..<2 {
      line.withBytes(.action) { if let bytes = $0 { sink.append(cef: bytes, separator: UInt8(ascii: "|")) } }
      sink.append(UInt8(ascii: "|"))
    }
    sink.append(rank.cef)
    sink.append("|rt=")
    sink.append(line.number(.time))
    text(" externalId=", .id, line, &sink)
    number(" cn1Label=sequence cn1=", .sequence, line, &sink)
    text(" outcome=", .outcome, line, &sink)
    text(" act=", .trigger, line, &sink)
    text(" suser=", .user, line, &sink)
    number(" suid=", .uid, line, &sink)
    number(" spid=", .pid, line, &sink)
    line.withShownProgram { program in
      guard !program.isEmpty else { return }
      sink.append(" sproc=")
      sink.append(cef: program, separator: UInt8(ascii: "="))
    }
    text(" shost=", .host, line, &sink)
    text(" dhost=", .endpoint, line, &sink)
    text(" reason=", .error, line, &sink)
    text(" msg=", .detail, line, &sink)
    text(" cs1Label=profile cs1=", .profile, line, &sink)
    text(" cs2Label=roleArn cs2=", .roleARN, line, &sink)
    text(" cs3Label=accessKeyId cs3=", .accessKeyId, line, &sink)
    text(" cs4Label=sourceAccessKeyId cs4=", .sourceAccessKeyId, line, &sink)
    text(" cs5Label=requestId cs5=", .requestId, line, &sink)
    text(" cs6Label=sessionId cs6=", .sessionId, line, &sink)
    number(" cn2Label=durationSeconds cn2=", .durationSeconds, line, &sink)
    text(" vaultRoleSessionName=", .roleSessionName, line, &sink)
    text(" vaultSourceIdentity=", .sourceIdentity, line, &sink)
    number(" vaultIssuedAt=", .issuedAt, line, &sink)
    number(" vaultExpiresAt=", .expiresAt, line, &sink)
    if line.number(.mfa) != 0 { sink.append(" vaultMfa=true") } else { sink.append(" vaultMfa=false") }
    text(" vaultReason=", .reason, line, &sink)
    text(" vaultIntentId=", .intentId, line, &sink)
    text(" vaultExecutable=", .executable, line, &sink)
    text(" vaultDirectory=", .directory, line, &sink)
    text(" vaultParent=", .parent, line, &sink)
    if line.isProven { sink.append(" vaultProven=true") } else { sink.append(" vaultProven=false") }
    sink.append(" vaultHash=")
    line.withHash { sink.append(hex: $0) }
    if let origin = line.origin {
      sink.append(" vaultId=")
      sink.append(cef: origin.vault, separator: UInt8(ascii: "="))
      sink.append(" vaultLogin=")
      sink.append(cef: origin.login, separator: UInt8(ascii: "="))
      sink.append(" vaultReceivedAt=")
      sink.append(origin.receivedAt)
    }
    sink.append("\n")
  }

  /// An empty value is left away, as CEF asks.
  private func text(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    line.withBytes(field) { bytes in
      guard let bytes, !bytes.isEmpty else { return }
      sink.append(name)
      sink.append(cef: bytes, separator: UInt8(ascii: "="))
    }
  }

  private func number(_ name: StaticString, _ field: AuditField, _ line: AuditRowView, _ sink: inout ByteSink) {
    guard let number = line.optionalNumber(field) else { return }
    sink.append(name)
    sink.append(number)
  }
}

extension ByteSink {
  /// A value of CEF: backslash and the separator get a backslash before them, line breaks become `\n` and `\r`, and what could trick a
  /// terminal is shown as in every report, its backslash doubled.
  ///
  /// - Parameter separator: `|` in the header, `=` in the extension.
  fileprivate mutating func append(cef bytes: UnsafeRawBufferPointer, separator: UInt8) {
    if appendPlain(bytes, without: UInt8(ascii: "\\"), separator) { return }
    var text = ""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\\": text += "\\\\"
      case Unicode.Scalar(separator): text += "\\" + String(scalar)
      default: text += safeText(String(scalar)).replacing("\\", with: "\\\\")
      }
    }
    append(string: text)
  }
}
