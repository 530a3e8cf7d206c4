import CSystem
import Glibc
import VaultModel
import VaultWire

/// The lock that makes an agent the only one of its vault, held for the life of the process.
///
/// The kernel releases it however the process ends, so a lock is never stale (flock(2)).
final class AgentLock: Sendable {
  private let descriptor: Int32

  /// Milliseconds that an agent that is ending may keep its successor waiting.
  static let timeouts: Int64 = 10_000

  /// Takes the lock, once an agent that is ending has released it.
  ///
  /// An agent removes its socket before its lock, and the kernel closes a killed agent's connections before its files; so a
  /// successor may come too early. If an agent is listening, the lock is not waited for.
  /// - Throws: `anotherAgent` if one is listening at `socket`, or holds the lock for longer than ``timeouts`` milliseconds.
  init(path: String, socket: String) throws(AgentError) {
    descriptor = sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system(what: "open \(path)", code: errno) }
    var waited: Int64 = 0
    while sys_flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK || code == EINTR else {
        close(descriptor)
        throw .noLocks(path: path, code: code)
      }
      guard waited < Self.timeouts, Channel.connect(to: socket) == nil else {
        let holder = Self.holder(descriptor)
        close(descriptor)
        throw .anotherAgent(pid: holder)
      }
      usleep(5_000)
      waited += 5
    }
    // The socket's path, for clients that would look elsewhere.
    let text = "\(getpid())\n\(socket)\n"
    ftruncate(descriptor, 0)
    _ = pwrite(descriptor, text, text.utf8.count, 0)
  }

  deinit { close(descriptor) }

  private static func holder(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    let length = pread(descriptor, &bytes, bytes.count, 0)
    guard length > 0 else { return "?" }
    return String(decoding: bytes[..<length].prefix { (48...57).contains($0) }, as: UTF8.self)
  }
}
