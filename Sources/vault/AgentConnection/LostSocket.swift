import CSystem
import Glibc
import VaultModel
import VaultWire

/// Finds a running agent whose socket is not where a client expects it, because a logout or a cleaner of temporary files removed
/// the socket, or because the agent was started with another `XDG_RUNTIME_DIR`.
///
/// The agent's lock shows that it is running; the lock file contains its process id and its socket.
struct LostSocket {
  private let paths: VaultPaths
  private let lock: Int32
  /// As long as a starting agent may take to listen.
  private static let turns = 1_000

  /// - Returns: a connection to the agent; nil if none is running, or if it is ending.
  static func find(_ paths: VaultPaths) throws(Failure) -> Channel? {
    let lock = sys_open(paths.agentLock, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
    guard lock >= 0 else { return nil }
    defer { close(lock) }
    return try LostSocket(paths: paths, lock: lock).find()
  }

  private func find() throws(Failure) -> Channel? {
    guard isHeld, let (pid, socket) = told else { return nil }
    if let channel = Channel.connect(to: socket) { return channel }
    // Signals only the process that holds the lock according to the kernel; the signal would end many other processes.
    guard holds(pid), kill(pid, SIGUSR1) == 0 else { return nil }
    for _ in 0..<Self.turns {
      usleep(10_000)
      if let channel = Channel.connect(to: socket) { return channel }
      guard isHeld else { return nil }
    }
    throw Failure(
      "the agent (process \(pid)) is running, but its socket \(socket) is gone and cannot be recreated",
      hint: "`vault agent log` shows why; `kill \(pid)` ends it, and the next command starts a new one", exitStatus: .temporary)
  }

  private var isHeld: Bool {
    guard sys_flock(lock, LOCK_SH | LOCK_NB) != 0 else {
      _ = sys_flock(lock, LOCK_UN)
      return false
    }
    return errno == EWOULDBLOCK
  }

  /// The content of the lock file.
  private var told: (pid: Int32, socket: String)? {
    var status = stat()
    guard fstat(lock, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else { return nil }
    let text = [UInt8](unsafeUninitializedCapacity: 4_096) { bytes, count in
      count = max(0, pread(lock, bytes.baseAddress!, bytes.count, 0))
    }
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    guard lines.count == 2, let pid = Int32(lines[0]), pid > 1, lines[1].hasPrefix("/") else { return nil }
    return (pid, String(lines[1]))
  }

  /// Whether the process holds the lock (proc_locks(5): `1: FLOCK ADVISORY WRITE pid device:inode 0 EOF`).
  private func holds(_ pid: Int32) -> Bool {
    var status = stat()
    guard fstat(lock, &status) == 0 else { return false }
    let file = sys_open("/proc/locks", O_RDONLY, 0)
    guard file >= 0 else { return false }
    defer { close(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while text.count < 4 << 20 {
      let count = read(file, &chunk, chunk.count)
      guard count > 0 else { break }
      text += chunk[..<count]
    }
    return text.split(separator: 0x0A).contains { line in
      let words = String(decoding: line, as: UTF8.self).split(separator: " ")
      return words.count > 5 && words[1] == "FLOCK" && words[4] == "\(pid)" && words[5].hasSuffix(":\(status.st_ino)")
    }
  }
}
