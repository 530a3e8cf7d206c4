import VaultSecrets

/// The body of a JSON call: one object, put together in memory that is wiped, since a value may be a token.
struct JSONBody: ~Copyable {
  private var bytes: [UInt8] = [UInt8(ascii: "{")]

  init() { bytes.reserveCapacity(8_192) }

  mutating func add(_ name: String, _ value: String?) {
    guard let value else { return }
    begin(name)
    quote(value.utf8)
  }

  mutating func add(_ name: String, _ value: SecretBytes?) {
    guard let value else { return }
    begin(name)
    value.withBytes { quote($0) }
  }

  mutating func add(_ name: String, _ values: [String]) {
    begin(name)
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      quote(value.utf8)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func begin(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    quote(name.utf8)
    bytes.append(UInt8(ascii: ":"))
  }

  /// A string of RFC 8259, section 7.
  private mutating func quote(_ text: some Sequence<UInt8>) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0..<0x20:
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(SigV4.hexDigit(byte >> 4))
        bytes.append(SigV4.hexDigit(byte & 15))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// The whole body; what was written here is wiped.
  mutating func finish() -> SecretBytes {
    bytes.append(UInt8(ascii: "}"))
    let body = bytes.withUnsafeBytes { SecretBytes(copying: $0) }
    wipe(&bytes)
    return body
  }
}
