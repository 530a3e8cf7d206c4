import VaultBytes
import VaultAudit
import VaultModel

/// Rows as `vault audit --format csv` writes them.
struct ExportCSV: AuditLineWriter {
  private var days = DayCache()
  private let isTeam: Bool

  /// - Parameter isTeam: adds the origin of each row.
  init(isTeam: Bool) { self.isTeam = isTeam }

  /// In the order of `AuditFormat.columns`.
  private static let fields: [AuditField] = [
    .id, .sequence, .time, .action, .outcome, .trigger, .profile, .roleARN, .roleSessionName, .sourceIdentity, .sourceAccessKeyId,
    .accessKeyId, .issuedAt, .expiresAt, .durationSeconds, .mfa, .requestId, .endpoint, .reason, .user, .uid, .pid, .program,
    .directory, .host, .executable, .parent, .sessionId, .error, .detail, .hash,
  ]

  func begin(_ exporter: inout ByteBuffer) {
    exporter.append(string: (AuditFormat.columns + (isTeam ? AuditFormat.teamColumns : [])).joined(separator: ","))
    exporter.append(UInt8(ascii: "\n"))
  }

  mutating func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    for (place, field) in Self.fields.enumerated() {
      if place > 0 { exporter.append(UInt8(ascii: ",")) }
      switch field {
      case .time, .issuedAt, .expiresAt: if let moment = line.optionalNumber(field) { days.append(moment, to: &exporter) }
      case .sequence, .durationSeconds, .uid, .pid: if let number = line.optionalNumber(field) { self.number(number, &exporter) }
      case .mfa: if line.number(.mfa) != 0 { exporter.append("true") } else { exporter.append("false") }
      case .hash: line.withHash { exporter.append(hex: $0) }
      case .program: line.withShownProgram { exporter.append(cell: $0) }
      default: line.withBytes(field) { if let bytes = $0 { exporter.append(cell: bytes) } }
      }
    }
    if let origin = line.origin {
      for name in [origin.vault, origin.login] {
        exporter.append(UInt8(ascii: ","))
        exporter.append(cell: name)
      }
      exporter.append(UInt8(ascii: ","))
      days.append(origin.receivedAt, to: &exporter)
    }
    exporter.append(UInt8(ascii: "\n"))
  }

  private func number(_ number: Int64, _ exporter: inout ByteBuffer) {
    if number < 0 { exporter.append(string: csvRow([String(number)])) } else { exporter.append(decimal: number) }
  }
}

extension ByteBuffer {
  /// Appends a CSV cell. Anything but plain text is left to `csvRow`, so that all reports quote alike.
  fileprivate mutating func append(cell bytes: UnsafeRawBufferPointer) {
    guard let first = bytes.first else { return }
    let isFormula = first == 0x3D || first == 0x2B || first == 0x2D || first == 0x40
    if !isFormula, appendPlain(bytes, without: UInt8(ascii: ","), UInt8(ascii: "\"")) { return }
    append(string: csvRow([String(decoding: bytes, as: UTF8.self)]))
  }
}
