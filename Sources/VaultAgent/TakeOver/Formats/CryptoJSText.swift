import CCrypto
import VaultSecrets

/// A text encrypted by `CryptoJS.AES.encrypt(text, passphrase)`: Base64 of `Salted__`, a salt and AES-256-CBC, as `openssl enc`
/// writes it; key and vector come from MD5 (EVP_BytesToKey(3)).
///
/// This is no protection: a few kilobytes of MD5, and no tag. What it holds is as hostile as a plain file.
enum CryptoJSText {
  private static let mark = Array("Salted__".utf8)

  /// - Returns: nil if it is not such a text, or the passphrase does not fit.
  static func open(_ text: SecretBytes, passphrase: String) -> SecretBytes? {
    guard let bytes = Base64.decoded(text), bytes.count >= 32, bytes.count % 16 == 0,
      bytes.part(0..<8).withBytes({ $0.elementsEqual(mark) })
    else { return nil }
    var isDerived = false
    let derived = SecretBytes(count: 48) { output in
      let phrase = Array(passphrase.utf8)
      bytes.part(8..<16).withBytes { salt in
        guard let salt = salt.baseAddress?.assumingMemoryBound(to: UInt8.self),
          let output = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return }
        isDerived =
          EVP_BytesToKey(EVP_aes_256_cbc(), EVP_md5(), salt, phrase, Int32(phrase.count), 1, output, output + 32) == 32
      }
    }
    guard isDerived else { return nil }
    return Cipher.openCBC(bytes.part(16..<bytes.count), key: derived.part(0..<32), vector: derived.part(32..<48))
  }
}
