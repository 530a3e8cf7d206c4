import Glibc

/// The kernel's process files (proc(5)), which identify the requester and this program's own file. Swift reads the command line
/// from there too, so this is checked before anything else.
public enum ProcessFiles {
  /// - Throws: unavailable, if there is no `/proc`, as in a bare chroot.
  public static func require() throws(Failure) {
    guard access("/proc/self/cmdline", R_OK) != 0 else { return }
    throw Failure(
      "no /proc here; vault requires it", hint: "mount -t proc proc /proc", exitStatus: .unavailable)
  }

  /// Every process that this PID namespace shows. One that runs all the time is always among them.
  public static func all() -> [Int32] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var pids: [Int32] = []
    while let entry = readdir(folder) {
      let pid = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { atoi($0) }
      }
      if pid > 0 { pids.append(pid) }
    }
    return pids
  }

  /// Lends a file's first bytes until `body` returns.
  ///
  /// - Returns: nil if it is empty or may not be read.
  public static func read<Result>(_ path: String, limit: Int, _ body: (UnsafeRawBufferPointer) -> Result?) -> Result? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    // The agent wipes memory that it frees: to ask for all that a file may have would cost more than to read what it has.
    let small = withUnsafeTemporaryAllocation(byteCount: min(limit, usualSize), alignment: 1) { buffer -> Result?? in
      let length = read(file, into: buffer)
      guard length < buffer.count || length == limit else { return nil }
      return .some(length > 0 ? body(UnsafeRawBufferPointer(rebasing: buffer[..<length])) : nil)
    }
    if let small { return small }
    lseek(file, 0, SEEK_SET)
    return withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { buffer in
      body(UnsafeRawBufferPointer(rebasing: buffer[..<read(file, into: buffer)]))
    }
  }

  private static let usualSize = 8_192

  private static func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var length = 0
    while length < buffer.count {
      let count = Glibc.read(file, buffer.baseAddress! + length, buffer.count - length)
      guard count > 0 else { break }
      length += count
    }
    return length
  }

  /// Variables of the environment that a process was started with. It may have overwritten them since.
  public static func environment(of pid: Int32, _ names: [String]) -> [String?] {
    var values = [String?](repeating: nil, count: names.count)
    _ = read("/proc/\(pid)/environ", limit: 1 << 18) { bytes -> Void? in
      for entry in bytes.split(separator: 0) {
        guard let place = names.firstIndex(where: { entry.starts(with: $0.utf8) }) else { continue }
        let value = entry.dropFirst(names[place].utf8.count)
        if value.first == UInt8(ascii: "="), values[place] == nil {
          values[place] = String(decoding: value.dropFirst(), as: UTF8.self)
        }
      }
      return nil
    }
    return values
  }
}
