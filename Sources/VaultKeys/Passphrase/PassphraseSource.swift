import Glibc
import VaultModel
import VaultSecrets

/// Takes a passphrase from where a machine without a person keeps it. Asking a person is the client's work.
///
/// One newline at the end is not part of it; anything else is, so that a file written by `echo` works, and any bytes can be used.
public enum PassphraseSource {
  /// In bytes. What is longer is refused, not cut.
  public static let maximumLength = 1_024

  /// From a file (`VAULT_PASSPHRASE_FILE`) that only this user can read or change. A link to one is followed; systemd and
  /// Kubernetes lay secrets out as links.
  public static func file(_ path: String) throws(KeyStoreError) -> SecretBytes {
    if access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR { throw .noFile(path: path) }
    let file = try PrivateFile.open(path, followingLinks: true)
    return try file.read(limit: maximumLength + 1) { bytes throws(KeyStoreError) in try passphrase(bytes) }
  }

  /// From an open descriptor (`VAULT_PASSPHRASE_FD`), to its end. Blocks until whoever writes has finished; not closed.
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
