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
    form.withBytes { bytes in
      guard bytes.count >= 4 else { return nil }
      let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
      guard length <= bytes.count - 4 else { return nil }
      let token = UnsafeRawBufferPointer(rebasing: bytes[(4 + length)...])
      return Credential(
        accessKeyId: accessKeyId, secretAccessKey: SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[4..<4 + length])),
        sessionToken: token.isEmpty ? nil : SecretBytes(copying: token), expiresAt: expiresAt)
    }
  }
}
