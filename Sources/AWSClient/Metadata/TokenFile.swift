import Glibc
import VaultBytes
import VaultModel
import VaultSecrets

/// Reads a file in which another program keeps a current token: a web identity token, or a container's authorization.
public enum TokenFile {
  static let maxBytes = 64 << 10

  /// Why there is no token.
  public enum Problem: ReportableError, Hashable {
    case cannotRead(path: String, why: String)
    case notAFile(path: String)
    case empty(path: String)
    case tooLarge(path: String)

    public var message: String {
      switch self {
      case .cannotRead(let path, let why): "cannot read the token in \(path): \(why)"
      case .notAFile(let path): "the token file \(path) is not a regular file"
      case .empty(let path): "the token file \(path) is empty"
      case .tooLarge(let path): "the token file \(path) is too large"
      }
    }

    public var hint: String? {
      switch self {
      case .cannotRead, .empty: "the program that writes the token may have stopped, or runs as another user"
      default: nil
      }
    }

    public var exitStatus: ExitStatus { .noInput }
  }

  /// The current content of the file, unchanged.
  ///
  /// - Parameter path: absolute. Symbolic links are followed, since Kubernetes replaces tokens that way.
  public static func read(_ path: String) throws(Problem) -> SecretBytes {
    // Non-blocking: a FIFO without a writer would block the caller forever.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw .cannotRead(path: path, why: String(cString: strerror(errno))) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    var token = ByteBuffer(capacity: maxBytes + 1, isWiped: true)
    while true {
      let count = token.fill(4_096) { Glibc.read(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .cannotRead(path: path, why: String(cString: strerror(errno))) }
      if count == 0 { break }
      guard token.count <= maxBytes else { throw .tooLarge(path: path) }
    }
    guard token.count > 0 else { throw .empty(path: path) }
    return token.secret
  }
}
