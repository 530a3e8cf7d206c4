import Glibc
import VaultModel

/// What the kernel says of a process that runs now (proc(5)).
struct LivingProcess {
  let pid: Int32
  /// Clock ticks since boot, which tell it from every other of its number.
  let ticks: Int64
  let startedAt: Timestamp
  /// The real user.
  let user: UInt32
  /// Empty if it may not be read.
  let executable: String
  let parent: Int32
}

extension LivingProcess {
  /// - Returns: nil if none of this ID runs, as seen from here: a process in another PID namespace has another ID there.
  init?(_ pid: Int32, at now: Timestamp) {
    guard let identity = ProcessIdentity(running: pid), let status = Self.status(pid) else { return nil }
    self.init(
      pid: pid, ticks: identity.started, startedAt: identity.startTime(at: now), user: status.user,
      executable: Self.executable(pid),
      parent: status.parent)
    // All of it is of one process.
    guard identity.isRunning else { return nil }
  }

  private static func executable(_ pid: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      let length = readlink("/proc/\(pid)/exe", buffer.baseAddress!, buffer.count)
      return length > 0 ? String(decoding: UnsafeRawBufferPointer(buffer)[..<length], as: UTF8.self) : ""
    }
  }

  /// `PPid` and the first number of `Uid` in `/proc/PID/status`. The command's name above them is escaped.
  private static func status(_ pid: Int32) -> (user: UInt32, parent: Int32)? {
    let file = open("/proc/\(pid)/status", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { bytes, count in
      count = max(0, read(file, bytes.baseAddress, bytes.count))
    }
    var (user, parent): (UInt32?, Int32?)
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      guard words.count > 1 else { continue }
      if words[0] == "Uid:" { user = UInt32(words[1]) }
      if words[0] == "PPid:" { parent = Int32(words[1]) }
    }
    guard let user, let parent else { return nil }
    return (user, parent)
  }
}
