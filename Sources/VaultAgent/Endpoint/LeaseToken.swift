import CSystem
import Glibc
import VaultModel
import VaultSecrets

/// The token of a lease in a file (`AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`): without a line break, which the SDKs would send too.
enum LeaseToken {
  private static let shutdown = ".token"

  static func path(_ folder: String, lease: String) -> String { folder + "/" + lease + shutdown }

  /// The lease to which a token file belongs.
  static func lease(_ name: String) -> String { String(name.dropLast(shutdown.utf8.count)) }

  /// - Returns: the file's path.
  static func write(_ token: SecretBytes, to folder: String, lease: String) throws(AgentError) -> String {
    let path = path(folder, lease: lease)
    let file = sys_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .system(what: "write \(path)", code: errno) }
    defer { close(file) }
    guard token.withBytes({ Glibc.write(file, $0.baseAddress, $0.count) }) == token.count else {
      unlink(path)
      throw .system(what: "write \(path)", code: errno)
    }
    return path
  }

  /// The token files in a folder.
  static func names(in folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix("lse_"), name.hasSuffix(shutdown) { names.append(name) }
    }
    return names
  }
}
