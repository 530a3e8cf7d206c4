import CSystem
import Glibc
import VaultModel

/// Finds out who asks, from the kernel: `/proc` of the process at the other end of the socket.
struct PeerInspector: Sendable {
  let user: String
  let host: String

  init() {
    user = Self.userName(geteuid())
    host = Self.hostName()
  }

  /// The agent itself, for what it does unasked.
  var agent: Requester { requester(pid: getpid(), uid: geteuid(), parent: getppid(), commandIndex: nil) }

  /// - Parameter commandIndex: which word of the process's own command line it is about to become; only a place in the kernel's copy
  ///   of the line, so that the asker cannot give a name that it was not started with.
  func requester(of connection: Connection, commandIndex: Int?) -> Requester {
    requester(pid: connection.pid, uid: connection.uid, parent: connection.parent, commandIndex: commandIndex)
  }

  private func requester(pid: Int32, uid: UInt32, parent known: Int32?, commandIndex: Int?) -> Requester {
    let process = "/proc/\(pid)"
    let executable = Self.link(process + "/exe")
    var program = executable
    if let commandIndex, commandIndex > 0, let word = Self.commandWord(process + "/cmdline", commandIndex) { program = word }
    let parent = (known ?? Self.parent(process + "/stat")).map { Self.link("/proc/\($0)/exe") } ?? ""
    return Requester(
      user: user, uid: uid, pid: pid, program: program, executable: executable, directory: Self.link(process + "/cwd"),
      parent: parent,
      host: host)
  }

  private static func link(_ path: String) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      let length = readlink(path, buffer.baseAddress!, buffer.count)
      return length > 0 ? String(decoding: UnsafeRawBufferPointer(buffer)[..<length], as: UTF8.self) : ""
    }
  }

  private static func read<Result>(_ path: String, _ body: (UnsafeRawBufferPointer) -> Result?) -> Result? {
    let descriptor = sys_open(path, O_RDONLY, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
      let length = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
      return length > 0 ? body(UnsafeRawBufferPointer(rebasing: buffer[..<length])) : nil
    }
  }

  private static func commandWord(_ path: String, _ index: Int) -> String? {
    read(path) { bytes in
      var start = 0
      for _ in 0..<min(index, 4_096) {
        guard let end = bytes[start...].firstIndex(of: 0) else { return nil }
        start = end + 1
      }
      guard start < bytes.count else { return nil }
      let end = bytes[start...].firstIndex(of: 0) ?? bytes.count
      return String(decoding: bytes[start..<min(end, start + 1_024)], as: UTF8.self)
    }
  }

  /// The fourth field of `/proc/PID/stat`, counted behind the command's name, which may hold anything (proc(5)).
  private static func parent(_ path: String) -> Int32? {
    read(path) { bytes in
      guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
      let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 2)
      return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
    }
  }

  private static func userName(_ uid: UInt32) -> String {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
      guard getpwuid_r(uid, &entry, buffer.baseAddress!, buffer.count, &found) == 0, found != nil else { return String(uid) }
      return String(cString: entry.pw_name)
    }
  }

  private static func hostName() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard gethostname(buffer.baseAddress!, 255) == 0 else { return "localhost" }
      buffer[255] = 0
      return String(cString: buffer.baseAddress!)
    }
  }
}
