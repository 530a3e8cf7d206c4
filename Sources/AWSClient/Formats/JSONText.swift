import VaultBytes
import VaultSecrets

/// Writes one flat JSON object (RFC 8259) in memory that is wiped, since its values may be secrets.
///
/// In the order in which it is added; a value that is nil is left out.
public struct JSONText: ~Copyable {
  private var bytes = ByteBuffer(capacity: 1_024, isWiped: true)

  public init() { bytes.append(UInt8(ascii: "{")) }

  public mutating func add(_ name: String, _ value: String?) {
    guard var value else { return }
    begin(name)
    value.withUTF8 { quote(UnsafeRawBufferPointer($0)) }
  }

  /// - Parameter value: UTF-8.
  public mutating func add(_ name: String, _ value: SecretBytes?) {
    guard let value else { return }
    begin(name)
    value.withBytes { quote($0) }
  }

  public mutating func add(_ name: String, _ value: Int64?) {
    guard let value else { return }
    begin(name)
    bytes.append(string: String(value))
  }

  public mutating func add(_ name: String, _ values: [String]?) {
    guard let values else { return }
    begin(name)
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      var value = value
      value.withUTF8 { quote(UnsafeRawBufferPointer($0)) }
    }
    bytes.append(UInt8(ascii: "]"))
  }

  /// The whole object. Nothing can be added behind it.
  public consuming func finish() -> SecretBytes {
    bytes.append(UInt8(ascii: "}"))
    return bytes.secret
  }

  private mutating func begin(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    var name = name
    name.withUTF8 { quote(UnsafeRawBufferPointer($0)) }
    bytes.append(UInt8(ascii: ":"))
  }

  /// Quotation marks, backslashes and control characters are escaped, and nothing else needs to be (RFC 8259, 7).
  private mutating func quote(_ text: UnsafeRawBufferPointer) {
    bytes.append(0x22)
    for byte in text {
      switch byte {
      case 0x22, 0x5C:
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0x00...0x1F:
        bytes.append(string: "\\u00")
        bytes.append(string: hex([byte]))
      default: bytes.append(byte)
      }
    }
    bytes.append(0x22)
  }
}
