import Glibc
import VaultModel

/// HashiCorp Vault, whose command has the same name.
enum OtherVault {
  /// Its commands that are none of ours.
  private static let commands = [
    "auth", "debug", "delete", "events", "hcp", "kv", "lease", "monitor", "namespace", "operator", "patch", "path-help", "pki",
    "plugin", "policy", "print", "proxy", "read", "secrets", "server", "ssh", "token", "transform", "transit", "unwrap",
    "version-history", "write",
  ]

  /// Whether a command line can only be meant for that program.
  static func isMeant(by words: [String]) -> Bool {
    guard words.count > 1 else { return false }
    return commands.contains(words[1]) || words[1] == "login" && words.dropFirst(2).contains { $0.hasPrefix("-method") }
  }

  /// What to tell those who meant it: one line.
  static var failure: Failure {
    let reached = found().map { "that one may be \($0)" } ?? "call that one by its full path"
    return Failure("this is the credential vault for AWS, not HashiCorp Vault; \(reached)", exitStatus: .usage)
  }

  /// The first program named `vault` on `PATH` that is not this one.
  private static func found() -> String? {
    var own = stat(), other = stat()
    guard stat("/proc/self/exe", &own) == 0 else { return nil }
    for folder in (variable("PATH") ?? "").split(separator: ":") where folder.hasPrefix("/") {
      let path = "\(folder)/\(ProgramName.usual)"
      if stat(path, &other) == 0, other.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0,
        own.st_dev != other.st_dev || own.st_ino != other.st_ino
      {
        return path
      }
    }
    return nil
  }
}
