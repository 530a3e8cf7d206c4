import VaultBytes
import VaultAudit
import VaultModel

/// Rows in ArcSight's Common Event Format (Implementing ArcSight CEF, version 25): a header separated by `|`, then `key=value`
/// pairs.
///
/// Fields without a key in CEF's dictionary have a custom key, which begins with `vault`.
struct ExportCEF: AuditLineWriter {
  private static let mapped: Set<AuditField> = [
    .id, .sequence, .time, .action, .outcome, .trigger, .user, .uid, .pid, .program, .host, .endpoint, .error, .detail, .profile,
    .roleARN, .accessKeyId, .sourceAccessKeyId, .requestId, .sessionId, .durationSeconds,
  ]
  /// The other columns, each with its key.
  private static let custom = AuditColumn.all.filter {
    ($0.part != .proof || $0.field == .intentId) && !mapped.contains($0.field)
  }
  .map { column in
    let name = column.json.description
    return (key: " vault\(name.prefix(1).uppercased())\(name.dropFirst())=", column: column)
  }
  private static let header = "CEF:0|vault|vault|\(vaultVersion)|"

  func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    let rank = SeverityMapping(AuditOutcome(rawValue: line.text(.outcome)))
    exporter.append(string: Self.header)
    // The action is both the event's class and its name.
    for _ in 0..<2 {
      line.withBytes(.action) { if let bytes = $0 { exporter.append(cef: bytes, separator: UInt8(ascii: "|")) } }
      exporter.append(UInt8(ascii: "|"))
    }
    exporter.append(decimal: rank.cef)
    exporter.append("|rt=")
    exporter.append(decimal: line.number(.time))
    text(" externalId=", .id, of: line, to: &exporter)
    number(" cn1Label=sequence cn1=", .sequence, of: line, to: &exporter)
    text(" outcome=", .outcome, of: line, to: &exporter)
    text(" act=", .trigger, of: line, to: &exporter)
    text(" suser=", .user, of: line, to: &exporter)
    number(" suid=", .uid, of: line, to: &exporter)
    number(" spid=", .pid, of: line, to: &exporter)
    line.withShownProgram { program in
      guard !program.isEmpty else { return }
      exporter.append(" sproc=")
      exporter.append(cef: program, separator: UInt8(ascii: "="))
    }
    text(" shost=", .host, of: line, to: &exporter)
    text(" dhost=", .endpoint, of: line, to: &exporter)
    text(" reason=", .error, of: line, to: &exporter)
    text(" msg=", .detail, of: line, to: &exporter)
    text(" cs1Label=profile cs1=", .profile, of: line, to: &exporter)
    text(" cs2Label=roleArn cs2=", .roleARN, of: line, to: &exporter)
    text(" cs3Label=accessKeyId cs3=", .accessKeyId, of: line, to: &exporter)
    text(" cs4Label=sourceAccessKeyId cs4=", .sourceAccessKeyId, of: line, to: &exporter)
    text(" cs5Label=requestId cs5=", .requestId, of: line, to: &exporter)
    text(" cs6Label=sessionId cs6=", .sessionId, of: line, to: &exporter)
    number(" cn2Label=durationSeconds cn2=", .durationSeconds, of: line, to: &exporter)
    for (key, column) in Self.custom {
      switch column.kind {
      case .text where column.field == .automation && line.hasNoAutomation:
        text(" vaultHint=", .automation, of: line, to: &exporter)
      case .text, .list, .object: text(key, column.field, of: line, to: &exporter)
      case .number, .time: number(key, column.field, of: line, to: &exporter)
      case .flag:
        exporter.append(string: key)
        exporter.append(flag: line.number(column.field) != 0)
      case .bytes:
        exporter.append(string: key)
        line.withBlob(column.field) { exporter.append(hex: $0) }
      }
    }
    if line.isProven { exporter.append(" vaultProven=true") } else { exporter.append(" vaultProven=false") }
    if let origin = line.origin {
      exporter.append(" vaultId=")
      exporter.append(cef: origin.vault, separator: UInt8(ascii: "="))
      exporter.append(" vaultLogin=")
      exporter.append(cef: origin.login, separator: UInt8(ascii: "="))
      exporter.append(" vaultReceivedAt=")
      exporter.append(decimal: origin.receivedAt)
    }
    exporter.append("\n")
  }

  /// An empty value is omitted, as CEF requires.
  private func text(_ name: String, _ field: AuditField, of line: AuditRowView, to exporter: inout ByteBuffer) {
    line.withBytes(field) { bytes in
      guard let bytes, !bytes.isEmpty else { return }
      exporter.append(string: name)
      exporter.append(cef: bytes, separator: UInt8(ascii: "="))
    }
  }

  private func number(_ name: String, _ field: AuditField, of line: AuditRowView, to exporter: inout ByteBuffer) {
    guard let number = line.optionalNumber(field) else { return }
    exporter.append(string: name)
    exporter.append(decimal: number)
  }
}

extension ByteBuffer {
  /// Appends a CEF value: backslash and the separator are escaped with a backslash, line breaks become `\n` and `\r`, and
  /// characters that could deceive a terminal are escaped as in every report, with the backslash doubled.
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
