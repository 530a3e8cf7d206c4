import VaultBytes
import VaultModel

/// Writes JSON (RFC 8259) as it goes, without a tree: a report of 10,000 rows costs little more than its bytes.
///
/// Control characters and line or direction marks are escaped, so that what is shown on a terminal by mistake stays harmless.
struct JSONWriter: ~Copyable {
  private var bytes: [UInt8] = []
  private var needsComma = false

  var count: Int { bytes.count }

  mutating func take() -> [UInt8] {
    defer { bytes.removeAll(keepingCapacity: true) }
    return bytes
  }

  mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows { try nest("{", "}", body) }
  mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows { try nest("[", "]", body) }

  mutating func key(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  mutating func field(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  mutating func field(_ name: String, _ value: Int64?) {
    key(name)
    if let value { number(value) } else { null() }
  }

  mutating func field(_ name: String, _ value: Int?) { field(name, value.map { Int64($0) }) }

  mutating func field(_ name: String, _ value: Bool) {
    key(name)
    raw(value ? "true" : "false")
  }

  mutating func null() { raw("null") }
  mutating func number(_ value: Int64) { raw(String(value)) }

  mutating func string(_ text: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) {
      bytes.append(contentsOf: text.utf8)
    } else {
      for scalar in text.unicodeScalars { escape(scalar) }
    }
    bytes.append(UInt8(ascii: "\""))
    needsComma = true
  }

  /// A line break between the rows of an array, so that large reports stay readable and line tools work.
  mutating func newLine() {
    if needsComma {
      bytes.append(UInt8(ascii: ","))
      needsComma = false
    }
    bytes.append(10)
  }

  private mutating func escape(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 0x22: bytes.append(contentsOf: "\\\"".utf8)
    case 0x5C: bytes.append(contentsOf: "\\\\".utf8)
    case 0x0A: bytes.append(contentsOf: "\\n".utf8)
    case 0x0D: bytes.append(contentsOf: "\\r".utf8)
    case 0x09: bytes.append(contentsOf: "\\t".utf8)
    default:
      guard scalar.isUnsafeToShow else { return bytes.append(contentsOf: UTF8.encode(scalar)!) }
      // Beyond U+FFFF two escapes make one character (RFC 8259, 7).
      for unit in UTF16.encode(scalar)! {
        bytes.append(contentsOf: "\\u".utf8)
        bytes.append(contentsOf: hex(UInt32(unit), width: 4).utf8)
      }
    }
  }

  private mutating func nest(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONWriter) throws -> Void) rethrows
  {
    separate()
    bytes.append(UInt8(ascii: open))
    needsComma = false
    try body(&self)
    bytes.append(UInt8(ascii: close))
    needsComma = true
  }

  private mutating func raw(_ text: String) {
    separate()
    bytes.append(contentsOf: text.utf8)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = false
  }
}
