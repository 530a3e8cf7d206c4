import Glibc
import VaultBytes
import VaultModel
import VaultSecrets

/// The certificates that a call trusts instead of the system's: the content of a file when it was read, so that the bytes that were
/// checked are the bytes that are trusted.
///
/// The file is named from outside (`AWS_CA_BUNDLE`, `ca_bundle`). libcurl gets the bytes and never the path: with a path it would
/// wait forever for a FIFO's writer, and might read a different file later.
public struct CertificateBundle: Sendable, Hashable {
  /// In bytes. The system's own bundle has a quarter of a million.
  public static let maxBytes = 4 << 20
  public let path: String
  public let bytes: [UInt8]
  /// SHA-256 of the bytes, in hexadecimal.
  public let digest: String

  /// Why the bundle cannot be used.
  public enum Problem: ReportableError, Hashable {
    case relative(path: String)
    case cannotRead(path: String, why: String)
    case notAFile(path: String)
    case tooLarge(path: String)
    case notCertificates(path: String)

    public var message: String {
      switch self {
      case .relative(let path): "the certificate path \(safeText(path)) is not absolute"
      case .cannotRead(let path, let why): "cannot read the certificates in \(safeText(path)): \(why)"
      case .notAFile(let path): "the certificate file \(safeText(path)) is not a regular file"
      case .tooLarge(let path): "the certificate file \(safeText(path)) is larger than \(maxBytes >> 20) MiB"
      case .notCertificates(let path): "no certificate in \(safeText(path))"
      }
    }

    public var hint: String? {
      switch self {
      case .notCertificates: "it must begin with -----BEGIN CERTIFICATE----- (PEM)"
      default: "it is set by AWS_CA_BUNDLE or ca_bundle"
      }
    }

    public var exitStatus: ExitStatus { .configuration }
  }

  /// - Parameter path: absolute. Symbolic links are followed: distributions install bundles as links.
  public init(reading path: String) throws(Problem) {
    guard path.hasPrefix("/") else { throw .relative(path: path) }
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard file >= 0 else { throw .cannotRead(path: path, why: String(cString: strerror(errno))) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(Int(status.st_size), Self.maxBytes) + 1)
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(file, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .cannotRead(path: path, why: String(cString: strerror(errno))) }
      if count == 0 { break }
      bytes += buffer[..<count]
      guard bytes.count <= Self.maxBytes else { throw .tooLarge(path: path) }
    }
    guard bytes.contains(Array("-----BEGIN ".utf8)) else { throw .notCertificates(path: path) }
    self.path = path
    self.bytes = bytes
    digest = hex(sha256(bytes))
  }
}
