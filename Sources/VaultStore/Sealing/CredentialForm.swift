import VaultModel
import VaultSecrets

/// The two secrets of a credential in one: 4 bytes of length, the secret access key, and the session token if there is one. After a
/// zero byte, which no token contains, follows the account if it is known.
enum CredentialForm {
  static func join(_ credential: Credential) -> SecretBytes {
    let secret = credential.secretAccessKey
    let tokenLength = credential.sessionToken?.count ?? 0
    let account = [UInt8](credential.accountId.map { "\0\($0)" }?.utf8 ?? "".utf8)
    return SecretBytes(count: 4 + secret.count + tokenLength + account.count) { form in
      form.storeBytes(of: UInt32(secret.count).littleEndian, as: UInt32.self)
      secret.withBytes { UnsafeMutableRawBufferPointer(rebasing: form[4..<4 + secret.count]).copyMemory(from: $0) }
      credential.sessionToken?.withBytes {
        UnsafeMutableRawBufferPointer(rebasing: form[(4 + secret.count)...]).copyMemory(from: $0)
      }
      UnsafeMutableRawBufferPointer(rebasing: form[(4 + secret.count + tokenLength)...]).copyBytes(from: account)
    }
  }

  /// - Returns: nil if the form is invalid.
  static func split(_ form: SecretBytes, accessKeyId: String, expiresAt: Timestamp?) -> Credential? {
    guard form.count >= 4 else { return nil }
    let length = form.withBytes { Int(UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self))) }
    guard length <= form.count - 4 else { return nil }
    let start = 4 + length
    let end = form.withBytes { bytes in bytes[start...].firstIndex(of: 0) ?? bytes.count }
    let account = end == form.count ? nil : form.part(end + 1..<form.count).withBytes { String(decoding: $0, as: UTF8.self) }
    return Credential(
      accessKeyId: accessKeyId, secretAccessKey: form.part(4..<start), sessionToken: start == end ? nil : form.part(start..<end),
      expiresAt: expiresAt, accountId: account)
  }
}
