import CJansson
import Glibc
import VaultSecrets

// Only this file calls jansson.

/// Bytes before each jansson allocation that store its size, so that it can be wiped; 16 keep malloc's alignment.
private let sizeField = 16

/// Makes jansson, once and before first use, wipe whatever it frees: its strings may be credentials.
private let janssonWipes: Void = json_set_alloc_funcs(
  { size in
    guard size <= JSONDocument.maxBytes * 2, let memory = malloc(size + sizeField) else { return nil }
    memory.storeBytes(of: size, as: Int.self)
    return memory + sizeField
  },
  { pointer in
    guard let pointer else { return }
    let memory = pointer - sizeField
    wipe(UnsafeMutableRawBufferPointer(start: memory, count: memory.load(as: Int.self) + sizeField))
    free(memory)
  })

/// A JSON object from outside (RFC 8259), or one inside it.
///
/// Size, depth and number of values are limited before anything is built. The whole document is refused for a duplicate name, a NUL
/// in a string, bytes that are not UTF-8 or anything after the object. A read returns nil if the value is missing, null or of
/// another type.
public final class JSONDocument {
  /// 1 MiB.
  public static let maxBytes = 1 << 20
  public static let deepest = 32
  static let maxValues = 65_536

  /// The object, of which this instance holds one reference.
  private let object: UnsafeMutablePointer<json_t>

  /// - Returns: nil unless it is one complete, harmless JSON object.
  public init?(_ text: SecretBytes) {
    _ = janssonWipes
    guard text.count <= Self.maxBytes, text.withBytes(Self.isBounded) else { return nil }
    let parsed = text.withBytes { bytes in
      // Errors are discarded: jansson's messages quote the document.
      json_loadb(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, Int(JSON_REJECT_DUPLICATES), nil)
    }
    guard let parsed else { return nil }
    guard parsed.pointee.type == JSON_OBJECT else {
      json_decref(parsed)
      return nil
    }
    object = parsed
  }

  /// Shares an object inside another document, which may be released first.
  private init?(sharing object: UnsafeMutablePointer<json_t>?) {
    guard let object, object.pointee.type == JSON_OBJECT else { return nil }
    self.object = json_incref(object)
  }

  deinit { json_decref(object) }

  /// Counts brackets and commas outside strings, as the parser will meet them: it builds nothing deeper or larger.
  private static func isBounded(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var depth = 0
    var values = 1
    var isText = false
    var isEscaped = false
    for byte in bytes {
      if isText {
        if isEscaped { isEscaped = false } else if byte == UInt8(ascii: "\\") { isEscaped = true } else { isText = byte != 0x22 }
        continue
      }
      switch byte {
      case 0x22: isText = true
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        values += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: ","): values += 1
      default: break
      }
      if depth > deepest || values > maxValues { return false }
    }
    return true
  }

  private func value(_ key: String, _ type: json_type) -> UnsafeMutablePointer<json_t>? {
    guard let value = json_object_get(object, key), value.pointee.type == type else { return nil }
    return value
  }

  private func withText<Result>(_ key: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    guard let value = value(key, JSON_STRING), let start = json_string_value(value) else { return nil }
    return body(UnsafeRawBufferPointer(start: start, count: json_string_length(value)))
  }

  /// Whether there is a value of any type except null.
  public func has(_ key: String) -> Bool {
    guard let value = json_object_get(object, key) else { return false }
    return value.pointee.type != JSON_NULL
  }

  public func text(_ key: String) -> String? { withText(key) { String(decoding: $0, as: UTF8.self) } }

  /// The bytes of a string, in guarded memory; jansson's own are wiped with the document.
  public func secret(_ key: String) -> SecretBytes? { withText(key) { SecretBytes(copying: $0) } }

  /// A number without a fraction or an exponent.
  public func int(_ key: String) -> Int64? { value(key, JSON_INTEGER).map { Int64(json_integer_value($0)) } }

  public func bool(_ key: String) -> Bool? {
    if value(key, JSON_TRUE) != nil { return true }
    return value(key, JSON_FALSE) == nil ? nil : false
  }

  public func object(_ key: String) -> JSONDocument? { JSONDocument(sharing: json_object_get(object, key)) }

  /// A list of objects.
  ///
  /// - Returns: nil if an element is anything else.
  public func objects(_ key: String) -> [JSONDocument]? {
    guard let array = value(key, JSON_ARRAY) else { return nil }
    var objects: [JSONDocument] = []
    for index in 0..<json_array_size(array) {
      guard let object = JSONDocument(sharing: json_array_get(array, index)) else { return nil }
      objects.append(object)
    }
    return objects
  }

  /// A list of strings.
  ///
  /// - Returns: nil if an element is anything else.
  public func texts(_ key: String) -> [String]? {
    guard let array = value(key, JSON_ARRAY) else { return nil }
    var texts: [String] = []
    for index in 0..<json_array_size(array) {
      guard let value = json_array_get(array, index), let start = json_string_value(value) else { return nil }
      let bytes = UnsafeRawBufferPointer(start: start, count: json_string_length(value))
      texts.append(String(decoding: bytes, as: UTF8.self))
    }
    return texts
  }
}
