import VaultBytes

/// A place in a text, counted from 1. A column is a byte: editors and compilers count so.
public struct TextPlace: Sendable, Hashable {
  public var line: Int
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}

/// A step from a JSON value into it.
public enum JSONStep: Sendable, Hashable {
  case member(String)
  case element(Int)
}

/// The text is not JSON.
public struct JSONFault: Error, Sendable, Hashable {
  public let line: Int
  public let column: Int
  /// What is wrong there: "a comma or } is missing".
  public let message: String
}

/// A JSON text from outside (RFC 8259), with the place of each of its values for the errors about it.
///
/// Size and depth are limited. A repeated name is refused, as IAM refuses it.
public struct JSONText: Sendable {
  /// Bytes. The longest policy has 32,768 characters, of at most four bytes each.
  public static let maxBytes = 1 << 18
  static let maxDepth = 64

  public let value: JSONValue
  private let bytes: [UInt8]

  /// - Parameter maxBytes: for a text that is no policy.
  public init(_ bytes: [UInt8], maxBytes: Int = Self.maxBytes) throws(JSONFault) {
    guard bytes.count <= maxBytes else {
      throw JSONFault(line: 1, column: 1, message: "the text is longer than \(maxBytes) bytes")
    }
    var parser = JSONParser(bytes)
    value = try parser.parse()
    self.bytes = bytes
  }

  /// The place of a value; of the innermost one that exists, if the path leads nowhere.
  public func place(of path: [JSONStep]) -> TextPlace {
    var parser = JSONParser(bytes)
    parser.wanted = path
    _ = try? parser.parse()
    return parser.place(of: parser.found)
  }
}

/// A parser by recursive descent, over bytes.
struct JSONParser {
  private let bytes: [UInt8]
  private var offset = 0
  private var path: [JSONStep] = []
  /// The path whose place is looked for.
  var wanted: [JSONStep]?
  /// The offset of the innermost value on the wanted path.
  private(set) var found = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func parse() throws(JSONFault) -> JSONValue {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw fault("the text begins with a byte order mark") }
    let value = try value()
    skipBlanks()
    guard offset == bytes.count else { throw fault("text after the end of the value") }
    return value
  }

  func place(of offset: Int) -> TextPlace {
    let before = bytes[..<min(offset, bytes.count)]
    let lineStart = before.lastIndex(of: 10).map { $0 + 1 } ?? 0
    return TextPlace(line: before.count { $0 == 10 } + 1, column: before.count - lineStart + 1)
  }

  private func fault(_ message: String, at offset: Int? = nil) -> JSONFault {
    let place = place(of: offset ?? self.offset)
    return JSONFault(line: place.line, column: place.column, message: message)
  }

  private var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipBlanks() {
    while let byte, byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A { offset += 1 }
  }

  private mutating func consume(_ wanted: Unicode.Scalar) -> Bool {
    guard byte == UInt8(ascii: wanted) else { return false }
    offset += 1
    return true
  }

  private mutating func value() throws(JSONFault) -> JSONValue {
    skipBlanks()
    if let wanted, wanted.starts(with: path) { found = offset }
    guard path.count < JSONText.maxDepth else { throw fault("more than \(JSONText.maxDepth) levels") }
    switch byte {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), .some(48...57): return .number(try number())
    case nil: throw fault("the text ends where a value is expected")
    default:
      for (word, value) in [("true", JSONValue.bool(true)), ("false", .bool(false)), ("null", .null)]
      where bytes[offset...].starts(with: word.utf8) {
        offset += word.utf8.count
        return value
      }
      throw fault("a value is expected: an object, a list, a string in double quotes, a number, true, false or null")
    }
  }

  private mutating func object() throws(JSONFault) -> JSONValue {
    offset += 1
    var members: [JSONMember] = []
    var names: Set<String> = []
    skipBlanks()
    if consume("}") { return .object([]) }
    repeat {
      skipBlanks()
      let start = offset
      guard byte == UInt8(ascii: "\"") else { throw fault("a name in double quotes is expected") }
      let name = try string()
      guard names.insert(name).inserted else { throw fault("the name \"\(name.prefix(64))\" is there twice", at: start) }
      skipBlanks()
      guard consume(":") else { throw fault("a colon is missing") }
      path.append(.member(name))
      members.append(JSONMember(name, try value()))
      path.removeLast()
      skipBlanks()
    } while consume(",")
    guard consume("}") else { throw fault("a comma or } is missing") }
    return .object(members)
  }

  private mutating func array() throws(JSONFault) -> JSONValue {
    offset += 1
    var values: [JSONValue] = []
    skipBlanks()
    if consume("]") { return .array([]) }
    repeat {
      path.append(.element(values.count))
      values.append(try value())
      path.removeLast()
      skipBlanks()
    } while consume(",")
    guard consume("]") else { throw fault("a comma or ] is missing") }
    return .array(values)
  }

  private mutating func number() throws(JSONFault) -> String {
    let start = offset
    _ = consume("-")
    let first = byte
    guard digits() > 0, first != 48 || offset == start + (bytes[start] == UInt8(ascii: "-") ? 2 : 1) else {
      throw fault("an invalid number", at: start)
    }
    if consume("."), digits() == 0 { throw fault("an invalid number", at: start) }
    if consume("e") || consume("E") {
      _ = consume("+") || consume("-")
      if digits() == 0 { throw fault("an invalid number", at: start) }
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func digits() -> Int {
    let start = offset
    while let byte, (48...57).contains(byte) { offset += 1 }
    return offset - start
  }

  private mutating func string() throws(JSONFault) -> String {
    let start = offset
    offset += 1
    var text: [UInt8] = []
    while let byte, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw fault("a line break or control character in a string") }
      offset += 1
      if byte == UInt8(ascii: "\\") { text += try escape() } else { text.append(byte) }
    }
    guard consume("\"") else { throw fault("the string has no end", at: start) }
    guard let text = String(validating: text, as: UTF8.self) else { throw fault("the string is not UTF-8", at: start) }
    return text
  }

  private mutating func escape() throws(JSONFault) -> [UInt8] {
    let start = offset - 1
    guard let byte else { throw fault("the string has no end", at: start) }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      guard var value = hexadecimal() else { break }
      if (0xD800..<0xDC00).contains(value) {
        guard consume("\\"), consume("u"), let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else { break }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { break }
      return Array(String(Character(scalar)).utf8)
    default: break
    }
    throw fault("an invalid escape in a string", at: start)
  }

  private mutating func hexadecimal() -> UInt32? {
    guard bytes.count - offset >= 4, let high = Hexadecimal.byte(bytes[offset], bytes[offset + 1]),
      let low = Hexadecimal.byte(bytes[offset + 2], bytes[offset + 3])
    else { return nil }
    offset += 4
    return UInt32(high) << 8 | UInt32(low)
  }
}
