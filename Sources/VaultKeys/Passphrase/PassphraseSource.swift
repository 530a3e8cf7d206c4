import Glibc
import VaultModel
import VaultSecrets

/// Reads a passphrase unattended. Asking a user is the client's task.
///
/// One newline at the end is stripped and all other bytes are kept, so that a file written by `echo` works and any bytes can be
/// used.
public enum PassphraseSource {
  /// In bytes. A longer passphrase is refused, not truncated.
  public static let maximumLength = 1_024

  /// Reads a file (`VAULT_PASSPHRASE_FILE`) that only this user can read or change. A link to one is followed, since systemd and
  /// Kubernetes provide secrets as links.
  public static func file(_ path: String) throws(KeyStoreError) -> SecretBytes {
    if access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR { throw .noFile(path: path) }
    let file = try PrivateFile.open(path, followingLinks: true)
    return try file.read(limit: maximumLength + 1) { bytes throws(KeyStoreError) in try passphrase(bytes) }
  }

  /// Reads an open descriptor (`VAULT_PASSPHRASE_FD`) to its end. Blocks until the writer has finished; does not close it.
  public static func descriptor(_ descriptor: Int32) throws(KeyStoreError) -> SecretBytes {
    let file = PrivateFile(borrowing: descriptor, name: "file descriptor \(descriptor)")
    return try file.read(limit: maximumLength + 1) { bytes throws(KeyStoreError) in try passphrase(bytes) }
  }

  private static func passphrase(_ bytes: UnsafeRawBufferPointer) throws(KeyStoreError) -> SecretBytes {
    var bytes = bytes[...]
    if bytes.last == 0x0A { bytes.removeLast() }
    guard !bytes.isEmpty else { throw .passphraseTooShort(minimum: 1) }
    guard bytes.count <= maximumLength else { throw .passphraseTooLong(maximum: maximumLength) }
    return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes))
  }
}
