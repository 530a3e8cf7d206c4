/// The exit status of `vault` when it does not become the child process. Scripts rely on it.
///
/// The values follow `sysexits.h`; 126 and 127 follow `env(1)`.
public enum ExitStatus: Int32, Sendable {
  case success = 0
  case usage = 64
  /// Input that is readable but invalid.
  case badData = 65
  /// No such profile or file.
  case noInput = 66
  /// AWS or the network is unreachable after all retries, or AWS does not know the key.
  case unavailable = 69
  /// An internal error.
  case software = 70
  case cannotCreate = 73
  /// Disk full, file system read-only, or database damaged or locked too long.
  case inputOutput = 74
  /// Throttled: try again later.
  case temporary = 75
  /// AWS, the key store or the vault refused.
  case refused = 77
  case configuration = 78
  case cannotExecute = 126
  case commandNotFound = 127
}
