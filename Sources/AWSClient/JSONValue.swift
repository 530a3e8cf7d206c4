import CJansson
import VaultSecrets

// The one file that calls jansson.

/// A JSON value (RFC 8259) as it came from outside. What it held is wiped when it goes, since some of it is credentials.
final class JSONValue {
  static let longestDocument = 1_024 * 1_024
  private let node: UnsafeMutablePointer<json_t>
  private static let isPrepared: Bool = {
    vault_json_wipe_on_free()
    return true
  }()

  /// - Returns: nil for what is not one whole JSON object or array, names a key twice, or is larger than 1 MiB.
  init?(_ document: SecretBytes) {
    guard Self.isPrepared, document.count <= Self.longestDocument else { return nil }
    let parsed = document.withBytes { bytes in
      json_loadb(bytes.bindMemory(to: CChar.self).baseAddress, bytes.count, Int(JSON_REJECT_DUPLICATES), nil)
    }
    guard let parsed else { return nil }
    node = parsed
  }

  private init(_ borrowed: UnsafeMutablePointer<json_t>) { node = json_incref(borrowed) }

  deinit { json_decref(node) }

  private func child(_ key: String) -> UnsafeMutablePointer<json_t>? {
    guard node.pointee.type == JSON_OBJECT, let found = json_object_get(node, key), found.pointee.type != JSON_NULL else {
      return nil
    }
    return found
  }

  /// The value under a key of an object; nil for null and where there is none.
  subscript(_ key: String) -> JSONValue? { child(key).map { JSONValue($0) } }

  /// Whether the object has the key, even with null.
  func has(_ key: String) -> Bool { node.pointee.type == JSON_OBJECT && json_object_get(node, key) != nil }

  /// A text under a key of an object; nil where there is none, or something else.
  func text(_ key: String) -> String? {
    guard let found = child(key), found.pointee.type == JSON_STRING, let bytes = json_string_value(found) else { return nil }
    let length = json_string_length(found)
    return String(decoding: UnsafeRawBufferPointer(start: bytes, count: length), as: UTF8.self)
  }

  /// A text under a key of an object, which never lies outside guarded memory but in jansson's own.
  func secret(_ key: String) -> SecretBytes? {
    guard let found = child(key), found.pointee.type == JSON_STRING, let bytes = json_string_value(found) else { return nil }
    return SecretBytes(copying: UnsafeRawBufferPointer(start: bytes, count: json_string_length(found)))
  }

  /// A whole number under a key of an object.
  func number(_ key: String) -> Int64? {
    guard let found = child(key) else { return nil }
    if found.pointee.type == JSON_INTEGER { return json_integer_value(found) }
    // Some write a whole number as 1.7e12.
    guard found.pointee.type == JSON_REAL else { return nil }
    return Int64(exactly: json_real_value(found))
  }

  /// The elements of an array under a key of an object; nil where there is none.
  func array(_ key: String) -> [JSONValue]? {
    guard let found = child(key), found.pointee.type == JSON_ARRAY else { return nil }
    return (0..<json_array_size(found)).compactMap { json_array_get(found, $0).map { JSONValue($0) } }
  }
}
