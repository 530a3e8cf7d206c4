/// Writes JSON (RFC 8259) as a stream, without a tree: a report of 10,000 rows costs little more than its bytes.
public struct JSONWriter: ~Copyable {
  /// The bytes written so far.
  public private(set) var buffer: ByteBuffer
  private var needsComma = false

  /// - Parameter isWiped: for values that are secrets.
  public init(isWiped: Bool = false) { buffer = ByteBuffer(isWiped: isWiped) }

  public var count: Int { buffer.count }

  /// Returns the bytes written so far and clears the buffer.
  public mutating func consume() -> [UInt8] {
    defer { buffer.removeAll() }
    return Array(buffer.bytes)
  }

  public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows { try nest("{", "}", body: body) }
  public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows { try nest("[", "]", body: body) }

  public mutating func key(_ name: String) {
    string(name)
    buffer.append(UInt8(ascii: ":"))
    needsComma = false
  }

  public mutating func field(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Int64?) {
    key(name)
    if let value { number(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Int?) { field(name, value.map { Int64($0) }) }

  public mutating func field(_ name: String, _ value: Bool) {
    key(name)
    self.value { $0.append(string: value ? "true" : "false") }
  }

  public mutating func null() { value { $0.append("null") } }
  public mutating func number(_ value: Int64) { self.value { $0.append(decimal: value) } }

  public mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { string(utf8: UnsafeRawBufferPointer($0)) }
  }

  public mutating func string(utf8 text: UnsafeRawBufferPointer) { value { $0.append(json: text) } }

  /// A line break between the rows of an array, so that large reports stay readable and line-oriented tools work.
  public mutating func newLine() {
    separate()
    buffer.append(10)
  }

  private mutating func nest(_ open: Unicode.Scalar, _ close: Unicode.Scalar, body: (inout JSONWriter) throws -> Void) rethrows {
    separate()
    buffer.append(UInt8(ascii: open))
    try body(&self)
    buffer.append(UInt8(ascii: close))
    needsComma = true
  }

  /// Writes a value that is already JSON.
  public mutating func value(_ write: (inout ByteBuffer) -> Void) {
    separate()
    write(&buffer)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { buffer.append(UInt8(ascii: ",")) }
    needsComma = false
  }
}

extension ByteBuffer {
  /// Appends a JSON string. Invalid UTF-8 becomes U+FFFD.
  ///
  /// Control characters and line or direction marks are escaped, so that output shown on a terminal by mistake stays harmless.
  public mutating func append(json text: UnsafeRawBufferPointer) {
    append(UInt8(ascii: "\""))
    if !appendPlain(text, without: UInt8(ascii: "\""), UInt8(ascii: "\\")) {
      var parser = Unicode.UTF8.ForwardParser()
      var rest = text.makeIterator()
      text: while true {
        switch parser.parseScalar(from: &rest) {
        case .valid(let encoded): escape(UTF8.decode(encoded), encoded)
        case .error: escape("\u{FFFD}", UTF8.encodedReplacementCharacter)
        case .emptyInput: break text
        }
      }
    }
    append(UInt8(ascii: "\""))
  }

  private mutating func escape(_ scalar: Unicode.Scalar, _ encoded: UTF8.EncodedScalar) {
    switch scalar {
    case "\"": append("\\\"")
    case "\\": append("\\\\")
    case "\n": append("\\n")
    case "\r": append("\\r")
    case "\t": append("\\t")
    default:
      guard scalar.isUnsafeToShow else { return encoded.forEach { append($0) } }
      // Beyond U+FFFF, a character takes two escapes (RFC 8259, section 7).
      for unit in String(scalar).utf16 {
        append("\\u")
        withUnsafeBytes(of: unit.bigEndian) { append(hex: $0) }
      }
    }
  }
}
