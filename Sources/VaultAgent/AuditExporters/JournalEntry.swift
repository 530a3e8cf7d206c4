import VaultModel

/// An audit row in journald's native protocol (systemd, "Native Journal Protocol").
///
/// A value that may contain anything is written with its length, so that a line break in it cannot begin a field.
enum JournalEntry {
  static func bytes(of row: ExportFields) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2_048)
    func plain(_ line: String) {
      bytes += line.utf8
      bytes.append(10)
    }
    func counted(_ name: String, _ value: String) {
      bytes += name.utf8
      bytes.append(10)
      withUnsafeBytes(of: UInt64(value.utf8.count).littleEndian) { bytes += $0 }
      bytes += value.utf8
      bytes.append(10)
    }
    plain("PRIORITY=\(row.severity)")
    plain("SYSLOG_FACILITY=\(ExportFields.facility)")
    plain("SYSLOG_IDENTIFIER=vault")
    counted("MESSAGE", row.summary)
    for field in row.fields { counted(field.journal, field.value) }
    return bytes
  }
}
