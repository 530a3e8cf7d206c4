import Glibc
import VaultModel

/// The bytes of one file, wiped after use.
final class ConfigFile {
  /// The path as the user knows it.
  let shown: String
  private let buffer: UnsafeMutableRawBufferPointer
  /// Valid as long as the file.
  let bytes: UnsafeRawBufferPointer

  deinit {
    if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
    buffer.deallocate()
  }

  /// Reads the file at `path`; a missing file counts as empty.
  init(_ path: String, shown: String) throws(ConfigError) {
    self.shown = shown
    (buffer, bytes) = try Self.read(path, shown: shown)
  }

  private static func read(
    _ path: String, shown: String
  ) throws(ConfigError) -> (buffer: UnsafeMutableRawBufferPointer, bytes: UnsafeRawBufferPointer) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    // O_NOATIME: other programs' files keep their times too. Only a file's owner may ask for it.
    var descriptor = open(path, flags | 0o1_000_000)
    if descriptor < 0, errno == EPERM { descriptor = open(path, flags) }
    guard descriptor >= 0 else {
      let code = errno
      if code == ENOENT || code == ENOTDIR {
        return (UnsafeMutableRawBufferPointer(start: nil, count: 0), UnsafeRawBufferPointer(start: nil, count: 0))
      }
      throw ConfigError.unreadable(file: shown, problem: "cannot be opened: \(reason(code))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw ConfigError.unreadable(file: shown, problem: "cannot be read: \(reason(errno))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw ConfigError.unreadable(file: shown, problem: "is not a regular file") }
    guard status.st_size <= ConfigLimits.fileBytes else {
      throw ConfigError.unreadable(file: shown, problem: "is longer than 16 MiB")
    }
    // One more byte reveals a file that grew meanwhile.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size) + 1, alignment: 16)
    var isWhole = false
    defer {
      if !isWhole {
        if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
        buffer.deallocate()
      }
    }
    let count = try fill(buffer, from: descriptor, shown: shown)
    guard count < buffer.count else { throw ConfigError.unreadable(file: shown, problem: "changed while it was read") }
    if isUTF16(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
      throw ConfigError.unreadable(file: shown, problem: "is UTF-16 text: save it as UTF-8")
    }
    MarkedBlocks.blank(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    isWhole = true
    return (buffer, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }

  private static func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, shown: String) throws(ConfigError)
    -> Int
  {
    var count = 0
    while count < buffer.count {
      let got = Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
      if got == 0 { break }
      if got < 0 {
        let code = errno
        if code == EINTR { continue }
        throw ConfigError.unreadable(file: shown, problem: "cannot be read: \(reason(code))")
      }
      count += got
    }
    return count
  }

  /// Windows editors and shells write a byte order mark, or a zero for every second byte of ASCII.
  private static func isUTF16(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 2 else { return false }
    return switch (bytes[0], bytes[1]) {
    case (0xFF, 0xFE), (0xFE, 0xFF): true
    case (let one, let other): (one == 0) != (other == 0)
    }
  }

  private static func reason(_ code: Int32) -> String {
    switch code {
    case EACCES, EPERM: "permission denied"
    case ELOOP: "too many links"
    case EISDIR: "it is a directory"
    default: "error \(code)"
    }
  }
}
