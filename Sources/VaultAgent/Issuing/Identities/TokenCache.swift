import CCrypto
import CSystem
import Glibc
import VaultBytes
import VaultModel
import VaultSecrets

/// The SDKs' own cache of sign-in tokens, `~/.aws/sso/cache/SHA1.json` (botocore, `SSOTokenLoader`): the AWS CLI can use the
/// vault's sign-in, and the vault the AWS CLI's.
///
/// Refresh tokens are not written, and read only by `vault import --from aws-cli-cache`: each is valid once, and two programs that
/// renew with it would end each other's sign-in.
struct TokenCache: Sendable {
  let home: String

  /// The name of a sign-in's file: the hash of the session's name, or of the start URL.
  static func fileName(_ name: String) -> String {
    var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
    let bytes = Array(name.utf8)
    _ = SHA1(bytes, bytes.count, &digest)
    return hex(digest) + ".json"
  }

  private func path(_ name: String) -> String { "\(home)/.aws/sso/cache/\(Self.fileName(name))" }

  /// Writes an access token, and replaces the file.
  func write(_ token: SecretBytes, _ record: SignInRecord) throws(IdentityError) {
    for folder in ["/.aws", "/.aws/sso", "/.aws/sso/cache"] { mkdir(home + folder, 0o700) }
    let path = path(record.name)
    let temporary = "\(path).vault-\(getpid())"
    unlink(temporary)
    let file = sys_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .unreadable(path: path, why: String(cString: strerror(errno))) }
    let text = JSONWriter.secret {
      $0.add("startUrl", record.startURL)
      $0.add("region", record.region)
      $0.add("accessToken", token)
      $0.add("expiresAt", record.expiresAt.iso8601)
    }
    let isWhole = text.withBytes { writeAll($0.bytes, to: file) } && fsync(file) == 0
    let code = errno
    close(file)
    guard isWhole, rename(temporary, path) == 0 else {
      unlink(temporary)
      throw .unreadable(path: path, why: String(cString: strerror(code)))
    }
  }

  func remove(_ name: String) { unlink(path(name)) }

  /// The AWS CLI's whole file for a sign-in.
  func read(_ name: String) throws(IdentityError) -> SecretBytes {
    try SecretFile.read(path(name), atMost: 64 * 1_024, home: home)
  }
}
