import CSystem
import Glibc
import VaultModel

/// An agent that does not answer.
struct AgentSilence {
  /// Its process; nil if unknown.
  let pid: Int32?
  /// How long it has been silent.
  let seconds: Int32

  /// The process that holds the agent's lock, as recorded in the lock file.
  static func pid(inLock path: String) -> Int32? {
    read(path).flatMap { Int32(String(decoding: $0.prefix { $0 > 32 }, as: UTF8.self)) }
  }

  /// Whether it was stopped, by a signal or at a terminal (proc(5), "state").
  var isStopped: Bool {
    guard let pid, let text = Self.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: UInt8(ascii: ")")) else {
      return false
    }
    return text[end...].dropFirst(2).first == UInt8(ascii: "T")
  }

  var failure: Failure {
    guard let pid else {
      return Failure(
        "no response from the agent for \(seconds) seconds", hint: "see `vault agent log`", exitStatus: .temporary)
    }
    return isStopped
      ? Failure(
        "the agent (process \(pid)) is stopped and does not respond", hint: "`kill -CONT \(pid)` resumes it",
        exitStatus: .temporary)
      : Failure(
        "no response from the agent (process \(pid)) for \(seconds) seconds",
        hint: "see `vault agent log`; `kill \(pid)` ends it, and the next command starts a new one", exitStatus: .temporary)
  }

  private static func read(_ path: String) -> [UInt8]? {
    let file = sys_open(path, O_RDONLY | O_NOFOLLOW, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    let text = [UInt8](unsafeUninitializedCapacity: 1_024) { bytes, count in
      count = max(0, Glibc.read(file, bytes.baseAddress!, bytes.count))
    }
    return text.isEmpty ? nil : text
  }
}
