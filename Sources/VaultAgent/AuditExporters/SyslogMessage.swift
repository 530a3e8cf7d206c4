import VaultBytes
import VaultModel

/// An audit row as a message of RFC 5424.
///
/// The structured data has all of the row. No byte below 0x20 is ever sent, whatever the row contains: a line break in a value is
/// sent as `\n`, as in C, and a backslash as `\\`; the characters that RFC 5424 itself requires to be escaped (`"`, `\`, `]`) are
/// escaped after that.
enum SyslogMessage {
  /// RFC 5612 reserves the number 32473 for examples: the vault has no private enterprise number, and this one is nobody else's.
  static let structuredDataId = "vault@32473"
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
    bytes += " [\(structuredDataId)".utf8
    var cut: [String] = []
    for field in row.fields {
      bytes.append(0x20)
      bytes += field.name.utf8
      bytes += "=\"".utf8
      if !append(field.value, to: &bytes, limit: limit) { cut.append(field.name) }
      bytes.append(UInt8(ascii: "\""))
    }
    if !cut.isEmpty { bytes += " cut=\"\(cut.joined(separator: ","))\"".utf8 }
    bytes += "] ".utf8
    var summary = Substring(row.summary).unicodeScalars
    if limit != nil { summary = summary.prefix(maxFieldBytes) }
    // RFC 5424, 6.4: text that is not pure ASCII begins with the UTF-8 byte order mark.
    if summary.contains(where: { !$0.isASCII }) { bytes += [0xEF, 0xBB, 0xBF] }
    bytes += String(String.UnicodeScalarView(summary)).utf8
    return bytes
  }

  /// - Returns: false if the value was cut to `limit` bytes.
  private static func append(_ value: String, to bytes: inout [UInt8], limit: Int?) -> Bool {
    let start = bytes.count
    for scalar in value.unicodeScalars {
      let length = bytes.count
      switch scalar {
      case "\"": bytes += "\\\"".utf8
      case "]": bytes += "\\]".utf8
      case "\\": bytes += "\\\\\\\\".utf8
      case "\n": bytes += "\\\\n".utf8
      case "\r": bytes += "\\\\r".utf8
      case "\t": bytes += "\\\\t".utf8
      default:
        if scalar.isUnsafeToShow {
          bytes += "\\\\u{\(String(scalar.value, radix: 16))}".utf8
        } else {
          bytes += UTF8.encode(scalar) ?? Unicode.UTF8.encodedReplacementCharacter
        }
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
