import VaultBytes
import VaultModel

/// An audit row as a message of RFC 5424: no structured data, and all of the row as one JSON object in the text.
///
/// Names of structured data without `@` are IANA's, and those with one need a private enterprise number (RFC 5424, 7.2.2). The vault
/// has none. `@cee:` is how receivers tell such an object from other text (rsyslog's `mmjsonparse`, syslog-ng's `json-parser`).
///
/// A message is printable ASCII, whatever the row contains: JSON's own `\u` replaces everything else. So no text begins a line or
/// tricks a terminal, and none needs a byte order mark (RFC 5424, 6.4).
enum SyslogMessage {
  /// A length that every current receiver takes (rsyslog's `maxMessageSize`). Values in a longer message are cut, and `cut` names
  /// them.
  static let maxLength = 8_000
  /// Bytes per value in a message that would be too long; all values together then fit.
  static let maxFieldBytes = 192

  static func bytes(of row: ExportFields) -> [UInt8] {
    let whole = bytes(of: row, limit: nil)
    return whole.count <= maxLength ? whole : bytes(of: row, limit: maxFieldBytes)
  }

  private static func bytes(of row: ExportFields, limit: Int?) -> [UInt8] {
    let record = row.record
    let who = record.event.requester
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2_048)
    bytes += "<\(ExportFields.facility * 8 + row.severity)>1 \(record.time.iso8601Milliseconds) ".utf8
    bytes += word(who.host, maxLength: 255).utf8
    bytes += " vault \(who.pid) ".utf8
    bytes += word(record.event.action.rawValue, maxLength: 32).utf8
    bytes += " - @cee: {\"message\":\"".utf8
    _ = append(row.summary, to: &bytes, limit: limit)
    var cut: [String] = []
    for field in row.fields {
      bytes += "\",\"\(field.name)\":\"".utf8
      if !append(field.value, to: &bytes, limit: limit) { cut.append(field.name) }
    }
    if !cut.isEmpty { bytes += "\",\"cut\":\"\(cut.joined(separator: ","))".utf8 }
    return bytes + "\"}".utf8
  }

  /// - Returns: false if the value was cut to `limit` bytes.
  private static func append(_ value: String, to bytes: inout [UInt8], limit: Int?) -> Bool {
    let start = bytes.count
    for scalar in value.unicodeScalars {
      let length = bytes.count
      switch scalar {
      case "\"": bytes += "\\\"".utf8
      case "\\": bytes += "\\\\".utf8
      case "\n": bytes += "\\n".utf8
      case "\r": bytes += "\\r".utf8
      case "\t": bytes += "\\t".utf8
      case " "..."~": bytes.append(UInt8(scalar.value))
      default: for unit in String(scalar).utf16 { bytes += "\\u\(hex(UInt32(unit), width: 4))".utf8 }
      }
      if let limit, bytes.count - start > limit {
        bytes.removeLast(bytes.count - length)
        return false
      }
    }
    return true
  }

  /// A word of the header: printable ASCII without spaces.
  private static func word(_ text: String, maxLength: Int) -> String {
    let word = text.utf8.prefix(maxLength).map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "_") }
    return word.isEmpty ? "-" : String(decoding: word, as: UTF8.self)
  }

  /// The frame of a stream: the length in decimal, a space, the message (RFC 6587, 3.4.1).
  static func counted(_ message: [UInt8]) -> [UInt8] { Array("\(message.count) ".utf8) + message }
}
