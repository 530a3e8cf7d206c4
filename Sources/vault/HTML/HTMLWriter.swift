import VaultModel

/// Writes HTML as it goes. Markup is text of the program itself; whatever else comes through ``text(_:)``, which nothing breaks out of,
/// neither between tags nor in a quoted attribute.
struct HTMLWriter: ~Copyable {
  private var sink: ByteSink

  init(descriptor: Int32) { sink = ByteSink(descriptor: descriptor) }

  mutating func markup(_ text: StaticString) { sink.append(text) }

  /// The page's own style and script, whose digests its policy names.
  mutating func verbatim(_ bytes: [UInt8]) { sink.append(bytes) }

  mutating func number(_ value: Int) { sink.append(Int64(value)) }

  mutating func text(_ text: String) {
    for byte in safeText(text).utf8 {
      switch byte {
      case UInt8(ascii: "&"): sink.append("&amp;")
      case UInt8(ascii: "<"): sink.append("&lt;")
      case UInt8(ascii: ">"): sink.append("&gt;")
      case UInt8(ascii: "\""): sink.append("&quot;")
      case UInt8(ascii: "'"): sink.append("&#39;")
      default: sink.append(byte)
      }
    }
  }

  /// `2026-11-23 14:05`, with the whole of it for programs.
  mutating func time(_ moment: Timestamp) {
    markup("<time datetime=\"")
    text(moment.iso8601)
    markup("\">")
    text(moment.shown)
    markup("</time>")
  }

  /// JSON for the page's script. No tag and no comment can begin in it, so that it can't end the element that it stands in.
  mutating func json(_ bytes: [UInt8]) {
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "<"): sink.append("\\u003c")
      case UInt8(ascii: ">"): sink.append("\\u003e")
      case UInt8(ascii: "&"): sink.append("\\u0026")
      default: sink.append(byte)
      }
    }
  }

  /// - Throws: what kept it from being written.
  mutating func finish() throws(Failure) {
    sink.flush()
    if let failure = sink.failure { throw failure }
  }
}

extension Timestamp {
  /// `2026-11-23 14:05`, in UTC.
  var shown: String { String(iso8601.prefix(16)).replacing("T", with: " ") }
}
