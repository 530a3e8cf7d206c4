import VaultBytes
import VaultModel

/// Writes HTML as a stream. Markup is the program's own text; all other text goes through ``text(_:)``, which it cannot break out
/// of, neither between tags nor in a quoted attribute.
struct HTMLWriter: ~Copyable {
  private var exporter: ByteSink

  init(descriptor: Int32) { exporter = ByteSink(descriptor: descriptor) }

  mutating func markup(_ text: StaticString) { exporter.bytes.append(text) }

  /// The page's own style and script, whose digests are in its policy.
  mutating func verbatim(_ bytes: [UInt8]) { exporter.bytes.append(bytes.span.bytes) }

  mutating func number(_ value: Int) { exporter.bytes.append(decimal: Int64(value)) }

  mutating func text(_ text: String) {
    for byte in safeText(text).utf8 {
      switch byte {
      case UInt8(ascii: "&"): exporter.bytes.append("&amp;")
      case UInt8(ascii: "<"): exporter.bytes.append("&lt;")
      case UInt8(ascii: ">"): exporter.bytes.append("&gt;")
      case UInt8(ascii: "\""): exporter.bytes.append("&quot;")
      case UInt8(ascii: "'"): exporter.bytes.append("&#39;")
      default: exporter.bytes.append(byte)
      }
    }
  }

  /// `2026-11-23 14:05`, with the full time for programs.
  mutating func time(_ moment: Timestamp) {
    markup("<time datetime=\"")
    text(moment.iso8601)
    markup("\">")
    text(moment.shown)
    markup("</time>")
  }

  /// JSON for the page's script. No tag or comment can begin in it, so it cannot end its enclosing element.
  mutating func json(_ bytes: [UInt8]) {
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "<"): exporter.bytes.append("\\u003c")
      case UInt8(ascii: ">"): exporter.bytes.append("\\u003e")
      case UInt8(ascii: "&"): exporter.bytes.append("\\u0026")
      default: exporter.bytes.append(byte)
      }
    }
  }

  /// - Throws: if it could not be written.
  mutating func finish() throws(Failure) {
    try exporter.flush()
  }
}

extension Timestamp {
  /// `2026-11-23 14:05`, in UTC.
  var shown: String { String(iso8601.prefix(16)).replacing("T", with: " ") }
}
