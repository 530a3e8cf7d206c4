import CSystem
import Glibc
import VaultModel
import VaultWire

/// The lock that makes an agent the only one of its vault, held as long as the process lives.
///
/// The kernel lets it go however the process ends, so a lock never has to be judged stale (flock(2)).
final class AgentLock: Sendable {
  private let descriptor: Int32

  /// How long an agent that is ending may keep its successor waiting.
  static let timeouts: Int64 = 10_000

  /// Takes the lock, once an agent that is ending has let it go.
  ///
  /// An agent removes its socket before its lock, and the kernel closes a killed one's connections before its files; so who is told that
  /// the old agent is gone may come too early. An agent that listens is no such case.
  /// - Throws: `anotherAgent` where one listens at `socket`, or holds the lock for longer than ``timeouts`` milliseconds.
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
    // Where it listens, for clients that would look elsewhere.
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
