import VaultBytes
import VaultModel

/// An audit row as a message of RFC 5424.
///
/// Everything of the row is in the structured data. No byte below 0x20 is ever sent, whatever the row holds: a line break in a value is
/// `\n` there, as in C, and a backslash `\\`; what RFC 5424 itself wants escaped (`"`, `\`, `]`) is escaped after that.
enum SyslogMessage {
  /// 32473 is the number that RFC 5612 keeps for examples: the vault has no private enterprise number, and this one is nobody else's.
  static let structuredDataId = "vault@32473"
  /// What every receiver of today takes (rsyslog's `maxMessageSize`). Longer values are cut then, and `cut` names them.
  static let longest = 8_000
  /// Bytes of one value in a message that would be too long; all of them together then fit.
  static let maxFieldBytes = 192

  static func bytes(of row: ExportFields) -> [UInt8] {
    let whole = bytes(of: row, limit: nil)
    return whole.count <= longest ? whole : bytes(of: row, limit: maxFieldBytes)
  }

  private static func bytes(of row: ExportFields, limit: Int?) -> [UInt8] {
    let record = row.record
    let who = record.event.requester
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2_048)
    bytes += "<\(ExportFields.facility * 8 + row.severity)>1 \(record.time.iso8601Milliseconds) ".utf8
    bytes += word(who.host, longest: 255).utf8
    bytes += " vault \(who.pid) ".utf8
    bytes += word(record.event.action.rawValue, longest: 32).utf8
    bytes += " [\(structuredDataId)".utf8
    var cut: [String] = []
    for field in row.fields {
      bytes.append(0x20)
      field.name.withUTF8Buffer { bytes += $0 }
      bytes += "=\"".utf8
      if !append(field.value, to: &bytes, limit: limit) { cut.append(field.name.description) }
      bytes.append(UInt8(ascii: "\""))
    }
    if !cut.isEmpty { bytes += " cut=\"\(cut.joined(separator: ","))\"".utf8 }
    bytes += "] ".utf8
    var summary = Substring(row.summary).unicodeScalars
    if limit != nil { summary = summary.prefix(maxFieldBytes) }
    // RFC 5424, 6.4: a text that is more than ASCII begins with the mark of UTF-8.
    if summary.contains(where: { !$0.isASCII }) { bytes += [0xEF, 0xBB, 0xBF] }
    bytes += String(String.UnicodeScalarView(summary)).utf8
    return bytes
  }

  /// - Returns: false where the value had to be cut to `limit` bytes.
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

  /// A word of the header: printable ASCII without blanks.
  private static func word(_ text: String, longest: Int) -> String {
    let word = text.utf8.prefix(longest).map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "_") }
    return word.isEmpty ? "-" : String(decoding: word, as: UTF8.self)
  }

  /// The frame of a stream: the length in decimal, a blank, the message (RFC 6587, 3.4.1).
  static func counted(_ message: [UInt8]) -> [UInt8] { Array("\(message.count) ".utf8) + message }
}
