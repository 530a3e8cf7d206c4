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

  /// The controlling terminal of a process, by its device number, 0 if it has none; and when it began, in clock ticks since the
  /// machine's start. Nil if no such process runs.
  static func status(of pid: Int32) -> (terminal: UInt32, began: Int64)? {
    ProcessFiles.read("/proc/\(pid)/stat", limit: 2_048) { bytes in
      // The 7th and the 22nd field, counted after the command's name, which may contain any character.
      guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
      let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 20)
      guard fields.count > 19, let device = Int32(String(decoding: fields[4], as: UTF8.self)),
        let began = Int64(String(decoding: fields[19], as: UTF8.self))
      else { return nil }
      return (UInt32(bitPattern: device), began)
    }
  }

  /// The number of a pseudo-terminal among those of its kind; nil for the device of another one. Unix98 pseudo-terminals have the
  /// majors 136 to 143 (admin-guide/devices.txt).
  static func pseudoTerminal(_ device: UInt32) -> UInt32? {
    let (major, minor) = numbers(of: device)
    return (136...143).contains(major) ? (major - 136) << 8 | minor : nil
  }

  /// The controlling terminal of a process, by the name of its device; nil if it has none.
  static func terminal(of pid: Int32) -> String? {
    guard let device = status(of: pid)?.terminal, device != 0 else { return nil }
    if let number = pseudoTerminal(device) { return "pts/\(number)" }
    let (major, minor) = numbers(of: device)
    // Consoles have the major 4 (admin-guide/devices.txt).
    return major == 4 ? "tty\(minor)" : "terminal \(device)"
  }

  /// The major and the minor number of a device in a process's `stat` (proc(5), "tty_nr").
  private static func numbers(of device: UInt32) -> (major: UInt32, minor: UInt32) {
    (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00)
  }

  /// A text as the ID of a run: a text that is none is still a mark.
  static func run(_ text: String) -> String {
    let isRun =
      text.hasPrefix("run_") && text.utf8.count == 20
      && text.utf8.dropFirst(4).allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
    return isRun ? text : "unknown"
  }

  /// The running processes that fit. One that makes another and ends is not passed over for as long as nobody else makes any, and
  /// hardly, where others do.
  static func all(_ fits: (Int32) -> Bool) -> [ProcessIdentity] {
    for _ in 0..<maxScans {
      let before = newest
      let found = ProcessFiles.all().filter(fits).compactMap { ProcessIdentity(running: $0) }
      if !found.isEmpty || before != nil && before == newest { return found }
    }
    return []
  }

  /// How often to look for processes while others are made: one that hides by making others has to be lucky as often.
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
    return holders { _, _, target in target.elementsEqual(name) }
  }

  /// The processes that hold the master side of a pseudo-terminal, as far as this process may read their descriptors.
  ///
  /// - Parameter terminal: its number. `fdinfo` has it since Linux 4.11 ("tty-index").
  static func masters(of terminal: UInt32) -> [Int32] {
    let (multiplexer, line) = (Array("/ptmx".utf8), Array("tty-index:\t\(terminal)".utf8))
    return holders { pid, descriptor, target in
      target.count >= multiplexer.count && target.suffix(multiplexer.count).elementsEqual(multiplexer)
        && ProcessFiles.read("/proc/\(pid)/fdinfo/\(descriptor)", limit: 2_048) {
          $0.split(separator: 0x0A).first { $0.elementsEqual(line) }
        }
          != nil
    }.holders
  }

  /// The processes one of whose descriptors is meant.
  ///
  /// - Parameter isMeant: takes a process, a descriptor of it, and the file that this is.
  private static func holders(
    where isMeant: (_ pid: Int32, _ descriptor: String, _ target: UnsafeRawBufferPointer) -> Bool
  ) -> (holders: [Int32], unreadable: [Int32]) {
    var (holders, unreadable): ([Int32], [Int32]) = ([], [])
    for pid in ProcessFiles.all() {
      guard let folder = opendir("/proc/\(pid)/fd") else {
        if errno == EACCES { unreadable.append(pid) }
        continue
      }
      defer { closedir(folder) }
      while let entry = readdir(folder) {
        let isHeld = withUnsafePointer(to: &entry.pointee.d_name) { link in
          link.withMemoryRebound(to: CChar.self, capacity: 256) { link in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { target in
              let length = readlinkat(dirfd(folder), link, target.baseAddress!, target.count)
              guard length > 0 else { return false }
              return isMeant(
                pid, String(cString: link), UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(target)[..<length]))
            }
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
