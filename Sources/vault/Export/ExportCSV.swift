import VaultBytes
import VaultAudit
import VaultModel

/// Rows as comma-separated values (RFC 4180).
struct ExportCSV: AuditLineWriter {
  private var days = DayCache()
  private let isTeam: Bool

  /// - Parameter isTeam: adds the origin of each row.
  init(isTeam: Bool) { self.isTeam = isTeam }

  private static let columns = AuditColumn.all.filter { $0.part != .proof }

  func begin(_ exporter: inout ByteBuffer) {
    let names = Self.columns.map(\.json.description) + ["hint"] + (isTeam ? ["vault", "login", "receivedAt"] : [])
    exporter.append(string: names.joined(separator: ",") + "\n")
  }

  mutating func write(_ line: AuditRowView, to exporter: inout ByteBuffer) {
    for (place, column) in Self.columns.enumerated() {
      if place > 0 { exporter.append(UInt8(ascii: ",")) }
      switch column.kind {
      case .time: if let moment = line.optionalNumber(column.field) { days.append(moment, to: &exporter) }
      case .number: if let number = line.optionalNumber(column.field) { self.number(number, &exporter) }
      case .flag: exporter.append(flag: line.number(column.field) != 0)
      case .bytes: line.withBlob(column.field) { exporter.append(hex: $0) }
      case .text where column.field == .program: line.withShownProgram { exporter.append(cell: $0) }
      case .text where column.field == .automation && line.hasNoAutomation: break
      case .text, .list, .object: line.withBytes(column.field) { if let bytes = $0 { exporter.append(cell: bytes) } }
      }
    }
    exporter.append(UInt8(ascii: ","))
    if line.hasNoAutomation { line.withBytes(.automation) { if let hint = $0 { exporter.append(cell: hint) } } }
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
