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
    var scanner = JSONScanner(text.bytes)
    var form = ByteBuffer()
    return append(&scanner, to: &form) && form.withBytes { $0.elementsEqual(text) }
  }

  /// Appends the next value.
  static func append(_ scanner: inout JSONScanner, to form: inout ByteBuffer, depth: Int = 0) -> Bool {
    guard depth < maxDepth else { return false }
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

extension AuditColumn {
  /// Whether the text of a column that is JSON can stand in an export as it is. An empty array there says that there is none.
  public static func isJSON(_ text: UnsafeRawBufferPointer) -> Bool {
    text.count > 2 && (isPlainChain(text) || CanonicalJSON.isForm(text))
  }

  /// Whether it is a chain of parents with plain paths, as nearly every one is: told without memory of its own.
  private static func isPlainChain(_ text: UnsafeRawBufferPointer) -> Bool {
    var place = 0
    func consume(_ word: StaticString) -> Bool {
      let length = word.utf8CodeUnitCount
      guard text.count - place >= length, memcmp(text.baseAddress! + place, word.utf8Start, length) == 0 else { return false }
      place += length
      return true
    }
    guard consume("[") else { return false }
    repeat {
      guard consume("{\"executable\":\"") else { return false }
      while place < text.count, (0x20..<0x7F).contains(text[place]), text[place] != UInt8(ascii: "\""),
        text[place] != UInt8(ascii: "\\")
      { place += 1 }
      guard consume("\",\"pid\":") else { return false }
      let first = place
      while place < text.count, (48...57).contains(text[place]) { place += 1 }
      guard (1...10).contains(place - first), text[first] != 48 || place == first + 1, consume("}") else { return false }
    } while consume(",")
    return consume("]") && place == text.count
  }
}
