import Glibc
import VaultSecrets

/// Reads a config file whole, without waiting for what is no file, and wipes what was read afterwards.
enum ConfigFile {
  static let largest = 64 << 20

  /// Lends the bytes; an empty buffer for a file that is not there.
  static func withBytes<Result>(
    of path: String, shownAs name: String, _ body: (UnsafeRawBufferPointer) throws(ConfigError) -> Result
  ) throws(ConfigError) -> Result {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
      throw .unreadable(file: name, why: String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .unreadable(file: name, why: String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadable(file: name, why: "is not a plain file") }
    guard status.st_size <= largest else { throw .unreadable(file: name, why: "is larger than 64 MiB") }
    // One byte more than it says: a file that grows meanwhile is cut there and read again at its next change.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size) + 1, alignment: 1)
    defer {
      wipe(buffer)
      buffer.deallocate()
    }
    var length = 0
    while length < buffer.count {
      let got = read(descriptor, buffer.baseAddress.unsafelyUnwrapped + length, buffer.count - length)
      if got == 0 { break }
      if got > 0 {
        length += got
      } else if errno != EINTR {
        throw .unreadable(file: name, why: String(cString: strerror(errno)))
      }
    }
    return try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<length]))
  }
}
