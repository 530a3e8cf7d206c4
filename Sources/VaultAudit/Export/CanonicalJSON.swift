import Glibc
import VaultBytes

/// JSON in the one form that has no second: without blanks, each object's keys in order of their bytes, each string escaped as
/// exports do, and whole numbers alone.
///
/// A column that is JSON itself has this form, so that an export can have it as JSON, and still be proven after another program
/// has read and written it.
enum CanonicalJSON {
  private static let maxDepth = 8

  /// A text in this form; nil if it is not JSON, or holds what has no such form.
  static func text(_ text: String) -> String? {
    var text = text
    return text.withUTF8 { bytes in
      var scanner = JSONScanner(UnsafeRawBufferPointer(bytes).bytes)
      var form = ByteBuffer()
      guard append(&scanner, to: &form), scanner.isAtEnd else { return nil }
      return form.withBytes { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// Whether a text has this form already.
  static func isForm(_ text: UnsafeRawBufferPointer) -> Bool {
    if plainLength(of: text) == text.count { return true }
    var scanner = JSONScanner(text.bytes)
    var form = ByteBuffer()
    return append(&scanner, to: &form) && form.withBytes { $0.elementsEqual(text) }
  }

  /// Appends the next value.
  static func append(_ scanner: inout JSONScanner, to form: inout ByteBuffer, depth: Int = 0) -> Bool {
    guard depth < maxDepth else { return false }
    if depth == 0, scanner.take(into: &form, plainLength) { return true }
    for word in ["null", "true", "false"] as [StaticString] where scanner.consume(word: word) {
      form.append(word)
      return true
    }
    if scanner.consume("[") { return list(&scanner, &form, depth: depth) }
    if scanner.consume("{") { return object(&scanner, &form, depth: depth) }
    if let number = scanner.number() {
      form.append(decimal: number)
      return true
    }
    return string(&scanner, &form)
  }

  private static func string(_ scanner: inout JSONScanner, _ form: inout ByteBuffer) -> Bool {
    var text = ByteBuffer()
    guard scanner.string(into: &text) else { return false }
    text.withBytes { form.append(json: $0) }
    return true
  }

  private static func list(_ scanner: inout JSONScanner, _ form: inout ByteBuffer, depth: Int) -> Bool {
    form.append("[")
    if !scanner.consume("]") {
      repeat {
        guard append(&scanner, to: &form, depth: depth + 1) else { return false }
        if scanner.consume("]") { break }
        form.append(",")
        guard scanner.consume(",") else { return false }
      } while true
    }
    form.append("]")
    return true
  }

  private static func object(_ scanner: inout JSONScanner, _ form: inout ByteBuffer, depth: Int) -> Bool {
    var members: [(key: [UInt8], value: [UInt8])] = []
    if !scanner.consume("}") {
      repeat {
        var key = ByteBuffer()
        var value = ByteBuffer()
        guard string(&scanner, &key), scanner.consume(":"), append(&scanner, to: &value, depth: depth + 1) else { return false }
        members.append((key.withBytes { Array($0) }, value.withBytes { Array($0) }))
      } while scanner.consume(",")
      guard scanner.consume("}") else { return false }
    }
    members.sort { $0.key.lexicographicallyPrecedes($1.key) }
    for (one, next) in zip(members, members.dropFirst()) where one.key == next.key { return false }
    form.append("{")
    for (place, member) in members.enumerated() {
      if place > 0 { form.append(",") }
      member.key.withUnsafeBytes { form.append($0) }
      form.append(":")
      member.value.withUnsafeBytes { form.append($0) }
    }
    form.append("}")
    return true
  }
}

extension CanonicalJSON {
  /// The length of the array or object with which a text begins, if it has the form as it stands and its strings need no escapes, as
  /// nearly every one does: told without memory of its own. Nil for any other.
  static func plainLength(of text: UnsafeRawBufferPointer) -> Int? {
    guard let first = text.first, first == UInt8(ascii: "[") || first == UInt8(ascii: "{") else { return nil }
    var form = PlainForm(text: text)
    return form.value(depth: 0) ? form.place : nil
  }

  private struct PlainForm {
    let text: UnsafeRawBufferPointer
    var place = 0

    private var byte: UInt8 { place < text.count ? text[place] : 0 }

    private mutating func consume(_ wanted: Unicode.Scalar) -> Bool {
      guard byte == UInt8(ascii: wanted) else { return false }
      place += 1
      return true
    }

    mutating func value(depth: Int) -> Bool {
      guard depth < maxDepth else { return false }
      switch byte {
      case UInt8(ascii: "\""): return string()
      case UInt8(ascii: "["): return list(depth: depth + 1)
      case UInt8(ascii: "{"): return object(depth: depth + 1)
      case UInt8(ascii: "n"): return word("null")
      case UInt8(ascii: "t"): return word("true")
      case UInt8(ascii: "f"): return word("false")
      default: return number()
      }
    }

    private mutating func word(_ word: StaticString) -> Bool {
      let length = word.utf8CodeUnitCount
      guard text.count - place >= length, memcmp(text.baseAddress! + place, word.utf8Start, length) == 0 else { return false }
      place += length
      return true
    }

    /// One that fits into `Int64`, whatever its digits are.
    private mutating func number() -> Bool {
      let first = place
      while (48...57).contains(byte) { place += 1 }
      return (1...18).contains(place - first) && (text[first] != 48 || place == first + 1)
    }

    private mutating func string() -> Bool {
      guard consume("\"") else { return false }
      while (0x20..<0x7F).contains(byte), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { place += 1 }
      return consume("\"")
    }

    private mutating func list(depth: Int) -> Bool {
      place += 1
      if consume("]") { return true }
      repeat { guard value(depth: depth) else { return false } } while consume(",")
      return consume("]")
    }

    /// Each with its quotes, so that none is a prefix of another.
    private func isBefore(_ one: Range<Int>, _ other: Range<Int>) -> Bool {
      guard let start = text.baseAddress else { return false }
      return memcmp(start + one.lowerBound, start + other.lowerBound, min(one.count, other.count)) < 0
    }

    private mutating func object(depth: Int) -> Bool {
      place += 1
      if consume("}") { return true }
      var last = place..<place
      repeat {
        let start = place
        guard string() else { return false }
        let key = start..<place
        guard last.isEmpty || isBefore(last, key), consume(":"), value(depth: depth) else { return false }
        last = key
      } while consume(",")
      return consume("}")
    }
  }
}

extension AuditColumn {
  /// A text in the form of the columns that are JSON; nil if it has none.
  public static func canonicalJSON(_ text: String) -> String? { CanonicalJSON.text(text) }

  /// Whether the text of a column that is JSON can stand in an export as it is. An empty array there says that there is none.
  public static func isJSON(_ text: UnsafeRawBufferPointer) -> Bool { text.count > 2 && CanonicalJSON.isForm(text) }
}
