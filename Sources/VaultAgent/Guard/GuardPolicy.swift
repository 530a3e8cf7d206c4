import AWSPolicy
import CSystem
import Glibc
import VaultModel

/// The session policy in the file that a guard rule names. It is read for each request, so that a change holds at once.
enum GuardPolicy {
  /// Above what STS accepts even with all its blanks, and low enough to read for each request.
  private static let maximumBytes = 64 << 10

  /// - Parameter ofMachine: whether the rule is root's, whose policy must be out of the user's reach too.
  /// - Returns: the policy without needless blanks, which count against the 2,048 characters that STS accepts.
  static func read(_ path: String, ofMachine: Bool) throws(Failure) -> String {
    func fault(_ text: String, hint: String? = nil) -> Failure {
      Failure("\(path) \(text)", hint: hint, exitStatus: .configuration)
    }
    let descriptor = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
    guard descriptor >= 0 else { throw fault("cannot be opened (\(String(cString: strerror(errno))))") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw fault("is not a regular file") }
    if ofMachine, status.st_uid != 0 || status.st_mode & 0o022 != 0 {
      throw fault("can be changed by others than root", hint: "chown root \(path); chmod 644 \(path)")
    }
    guard status.st_size <= maximumBytes else { throw fault("is longer than 64 KiB") }
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var length = 0
    while length < bytes.count {
      let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + length, $0.count - length) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw fault("cannot be read (\(String(cString: strerror(errno))))") }
      if count == 0 { break }
      length += count
    }
    guard length <= maximumBytes else { throw fault("is longer than 64 KiB") }
    do {
      return try JSONText(Array(bytes[..<length])).value.compact()
    } catch {
      throw fault("is not JSON: \(error.line):\(error.column): \(error.message)")
    }
  }
}
