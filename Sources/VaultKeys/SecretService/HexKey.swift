import VaultBytes
import VaultSecrets

/// A master key as text: 64 hexadecimal digits, in guarded memory.
///
/// Services differ in the secrets they accept; some store text only (KeePassXC, pass).
enum HexKey {
  static func encode(_ key: SecretBytes) -> SecretBytes {
    SecretBytes(count: key.count * 2) { text in key.withBytes { Hexadecimal.encode($0, into: text) } }
  }

  /// - Returns: nil unless there are 64 digits.
  static func decode(_ text: UnsafeRawBufferPointer) -> SecretBytes? {
    var isKey = false
    let key = SecretBytes(count: masterKeyLength) { isKey = Hexadecimal.decode(text, into: $0) }
    return isKey ? key : nil
  }
}
