import VaultDatabase
import VaultModel

/// Rows as `vault audit --format csv` writes them.
struct ExportCSV: AuditLineWriter {
  private var days = DayCache()
  private let isTeam: Bool

  /// - Parameter isTeam: also where each row comes from.
  init(isTeam: Bool) { self.isTeam = isTeam }

  /// In the order of `AuditFormat.columns`.
  private static let fields: [AuditField] = [
    .id, .sequence, .time, .action, .outcome, .trigger, .profile, .roleARN, .roleSessionName, .sourceIdentity, .sourceAccessKeyId,
    .accessKeyId, .issuedAt, .expiresAt, .durationSeconds, .mfa, .requestId, .endpoint, .reason, .user, .uid, .pid, .program,
    .directory, .host, .executable, .parent, .sessionId, .error, .detail, .hash,
  ]

  func begin(_ sink: inout ByteSink) {
    sink.append(string: (AuditFormat.columns + (isTeam ? AuditFormat.teamColumns : [])).joined(separator: ","))
    sink.append(UInt8(ascii: "\n"))
  }

  mutating func write(_ line: AuditRowView, to sink: inout ByteSink) {
    for (place, field) in Self.fields.enumerated() {
      if place > 0 { sink.append(UInt8(ascii: ",")) }
      switch field {
      case .time, .issuedAt, .expiresAt: if let moment = line.optionalNumber(field) { days.append(moment, to: &sink) }
      case .sequence, .durationSeconds, .uid, .pid: if let number = line.optionalNumber(field) { self.number(number, &sink) }
      case .mfa: if line.number(.mfa) != 0 { sink.append("true") } else { sink.append("false") }
      case .hash: line.withHash { sink.append(hex: $0) }
      case .program: line.withShownProgram { sink.append(cell: $0) }
      default: line.withBytes(field) { if let bytes = $0 { sink.append(cell: bytes) } }
      }
    }
    if let origin = line.origin {
      for name in [origin.vault, origin.login] {
        sink.append(UInt8(ascii: ","))
        sink.append(cell: name)
      }
      sink.append(UInt8(ascii: ","))
      days.append(origin.receivedAt, to: &sink)
    }
    sink.append(UInt8(ascii: "\n"))
  }

  private func number(_ number: Int64, _ sink: inout ByteSink) {
    if number < 0 { sink.append(string: csvRow([String(number)])) } else { sink.append(number) }
  }
}

extension ByteSink {
  /// A cell of CSV. What is not plain is left to `csvRow`, so that every report quotes alike.
  fileprivate mutating func append(cell bytes: UnsafeRawBufferPointer) {
    guard let first = bytes.first else { return }
    let isFormula = first == 0x3D || first == 0x2B || first == 0x2D || first == 0x40
    if !isFormula, appendPlain(bytes, without: UInt8(ascii: ","), UInt8(ascii: "\"")) { return }
    append(string: csvRow([String(decoding: bytes, as: UTF8.self)]))
  }
}
