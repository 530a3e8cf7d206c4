/// The name of a master key: 8 random bytes, written as 16 hexadecimal digits. Not a secret.
public struct KeyID: Sendable, Hashable, CustomStringConvertible {
  /// 8 bytes.
  public let bytes: [UInt8]

  /// - Returns: nil for other than 8 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 8 else { return nil }
    self.bytes = bytes
  }

  /// - Returns: nil for other than 16 hexadecimal digits.
  public init?(_ text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 16 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: 16, by: 2) {
      guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16), digits[index] != 0x2B else {
        return nil
      }
      bytes.append(byte)
    }
    self.bytes = bytes
  }

  /// A new one.
  public static func random() -> KeyID {
    var generator = SystemRandomNumberGenerator()
    let value = generator.next()
    return KeyID(unchecked: (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) })
  }

  private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  public var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
