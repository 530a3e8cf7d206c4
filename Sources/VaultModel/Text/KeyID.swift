import VaultBytes

/// The id of a master key: 8 random bytes, written as 16 hexadecimal digits. Not a secret.
public struct KeyID: Sendable, Hashable, CustomStringConvertible {
  /// 8 bytes.
  public let bytes: [UInt8]

  /// - Returns: nil unless there are 8 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 8 else { return nil }
    self.bytes = bytes
  }

  /// - Returns: nil unless there are 16 hexadecimal digits.
  public init?(_ text: String) {
    guard let bytes = unhex(text, count: 8) else { return nil }
    self.bytes = bytes
  }

  /// A new key id.
  public static func random() -> KeyID {
    var generator = SystemRandomNumberGenerator()
    let value = generator.next()
    return KeyID(unchecked: (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) })
  }

  private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  public var description: String { hex(bytes) }
}
