import VaultBytes

extension String {
  /// Percent-decoded (RFC 3986, 2.1): IAM's form of a policy document (IAM API, `GetRole`). A `+` stays one.
  ///
  /// - Returns: nil for an incomplete escape, or bytes that are not UTF-8.
  var percentDecoded: String? {
    var rest = utf8[...]
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let decoded = Hexadecimal.byte(rest.first, rest.dropFirst().first) else { return nil }
      rest = rest.dropFirst(2)
      bytes.append(decoded)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
