/// How `vault` ends when it does not become the child. The contract that scripts rely on.
///
/// As in `sysexits.h`, and 126 and 127 as in `env(1)`.
public enum ExitStatus: Int32, Sendable {
  case success = 0
  case usage = 64
  /// Input that can be read but makes no sense.
  case badData = 65
  /// No such profile or file.
  case noInput = 66
  /// AWS or the network cannot be reached after all retries, or AWS does not know the key.
  case unavailable = 69
  /// A fault of ours.
  case software = 70
  case cannotCreate = 73
  /// Disk full, file system read-only, database damaged or locked too long.
  case inputOutput = 74
  /// Throttled: try again later.
  case temporary = 75
  /// AWS, the key store or the vault itself said no.
  case refused = 77
  case configuration = 78
  case cannotExecute = 126
  case commandNotFound = 127
}
