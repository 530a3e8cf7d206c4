import CSystem
import Glibc
import VaultModel

/// Facts about a process from its files in `/proc` (proc(5)).
enum ProcessFacts {
  /// The control group of a process, in the one hierarchy of version 2: the line `0::/…` of its file; nil if there is none.
  static func controlGroup(of pid: Int32) -> String? {
    ProcessFiles.read("/proc/\(pid)/cgroup", limit: 16_384) { bytes in
      for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: "0::/".utf8) {
        return String(decoding: line.dropFirst(3), as: UTF8.self)
      }
      return nil
    }
  }

  /// Whether a control group is another, or within it.
  static func isWithin(_ group: String, _ other: String) -> Bool { group == other || group.hasPrefix(other + "/") }

  /// The run that a process's environment names, as it was started. A process may have overwritten it since.
  static func marker(of pid: Int32) -> String? {
    ProcessFiles.read("/proc/\(pid)/environ", limit: 1 << 18) { bytes in
      let start = Array((AgentVariables.run + "=").utf8)
      for entry in bytes.split(separator: 0) where entry.starts(with: start) {
        return Self.run(String(decoding: entry.dropFirst(start.count), as: UTF8.self))
      }
      return nil
    }
  }

  /// The controlling terminal of a process, by the name of its device; nil if it has none.
  static func terminal(of pid: Int32) -> String? {
    ProcessFiles.read("/proc/\(pid)/stat", limit: 2_048) { bytes in
      // The seventh field, counted after the command's name, which may contain any character.
      guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
      let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 5)
      guard fields.count > 4, let device = Int32(String(decoding: fields[4], as: UTF8.self)), device != 0 else { return nil }
      let number = UInt32(bitPattern: device)
      let (major, minor) = (number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00)
      // Unix98 pseudoterminals have the majors 136 to 143, consoles 4 (admin-guide/devices.txt).
      return (136...143).contains(major) ? "pts/\((major - 136) << 8 | minor)" : major == 4 ? "tty\(minor)" : "terminal \(number)"
    }
  }

  /// A text as the ID of a run: a text that is none is still a mark.
  static func run(_ text: String) -> String {
    let isRun =
      text.hasPrefix("run_") && text.utf8.count == 20
      && text.utf8.dropFirst(4).allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
    return isRun ? text : "unknown"
  }

  /// The running processes that fit.
  ///
  /// - Returns: `isAll` is false if other processes were made meanwhile, so that one that fits may have been passed over.
  static func all(_ fits: (Int32) -> Bool) -> (processes: [ProcessIdentity], isAll: Bool) {
    var found: [ProcessIdentity] = []
    for _ in 0..<maxScans {
      let newest = newest
      found = ProcessFiles.all().filter(fits).compactMap { ProcessIdentity(running: $0) }
      if !found.isEmpty { return (found, true) }
      if newest != nil, newest == Self.newest { return ([], true) }
    }
    return (found, false)
  }

  /// How often to look for processes while others are made.
  private static let maxScans = 20

  /// The number of the process or thread that was made last (proc(5), `/proc/loadavg`).
  private static var newest: String? {
    ProcessFiles.read("/proc/loadavg", limit: 256) {
      $0.split(separator: UInt8(ascii: " ")).last.map { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// Whether a process has given its memory back: it ends, or is the kernel's.
  static func hasEnded(_ pid: Int32) -> Bool {
    var target: CChar = 0
    return readlink("/proc/\(pid)/exe", &target, 1) < 0 && errno == ENOENT
  }

  /// The processes that hold a socket, and those whose descriptors this process may not read.
  static func holders(of socket: UInt32) -> (holders: [Int32], unreadable: [Int32]) {
    let name = Array("socket:[\(socket)]".utf8)
    var (holders, unreadable): ([Int32], [Int32]) = ([], [])
    for pid in ProcessFiles.all() {
      guard let folder = opendir("/proc/\(pid)/fd") else {
        if errno == EACCES { unreadable.append(pid) }
        continue
      }
      defer { closedir(folder) }
      while let entry = readdir(folder) {
        let isHeld = withUnsafePointer(to: &entry.pointee.d_name) { link in
          withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { target in
            let length = link.withMemoryRebound(to: CChar.self, capacity: 256) {
              readlinkat(dirfd(folder), $0, target.baseAddress!, target.count)
            }
            return length == name.count && memcmp(target.baseAddress!, name, length) == 0
          }
        }
        guard isHeld else { continue }
        holders.append(pid)
        break
      }
    }
    return (holders, unreadable)
  }
}
