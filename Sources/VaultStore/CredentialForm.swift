import VaultModel
import VaultSecrets

/// The two secrets of a credential as one: 4 bytes of length, the secret access key, and the session token if there is one.
enum CredentialForm {
  static func join(_ credential: Credential) -> SecretBytes {
    let secret = credential.secretAccessKey
    let tokenLength = credential.sessionToken?.count ?? 0
    return SecretBytes(count: 4 + secret.count + tokenLength) { form in
      form.storeBytes(of: UInt32(secret.count).littleEndian, as: UInt32.self)
      secret.withBytes { UnsafeMutableRawBufferPointer(rebasing: form[4..<4 + secret.count]).copyMemory(from: $0) }
      credential.sessionToken?.withBytes {
        UnsafeMutableRawBufferPointer(rebasing: form[(4 + secret.count)...]).copyMemory(from: $0)
      }
    }
  }

  /// - Returns: nil where the form is not one of ours.
  static func split(_ form: SecretBytes, accessKeyId: String, expiresAt: Timestamp?) -> Credential? {
    guard form.count >= 4 else { return nil }
    let length = form.withBytes { Int(UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self))) }
    guard length <= form.count - 4 else { return nil }
    return Credential(
      accessKeyId: accessKeyId, secretAccessKey: form.part(4..<4 + length),
      sessionToken: form.count == 4 + length ? nil : form.part(4 + length..<form.count), expiresAt: expiresAt)
  }
}
