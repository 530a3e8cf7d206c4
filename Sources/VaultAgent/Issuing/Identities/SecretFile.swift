import CSystem
import Glibc
import VaultModel
import VaultSecrets

/// Reads a file with a token into guarded memory.
enum SecretFile {
  /// - Parameters:
  ///   - path: may begin with `~/`.
  ///   - maximum: bytes; a longer file is refused.
  static func read(_ path: String, atMost maximum: Int, home: String?) throws(IdentityError) -> SecretBytes {
    var whole = path
    if path.hasPrefix("~/") {
      guard let home, home.hasPrefix("/") else { throw .unreadable(path: path, why: "HOME is not an absolute path") }
      whole = home + path.dropFirst(1)
    }
    guard whole.hasPrefix("/") else { throw .unreadable(path: path, why: "it is not an absolute path") }
    // Does not wait for a writer if it is a pipe.
    let file = sys_open(whole, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
    guard file >= 0 else { throw .unreadable(path: path, why: String(cString: strerror(errno))) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .unreadable(path: path, why: "it is not a regular file")
    }
    var length = 0
    var code: Int32 = 0
    let bytes = SecretBytes(count: maximum + 1) { bytes in
      while length < bytes.count {
        let got = Glibc.read(file, bytes.baseAddress! + length, bytes.count - length)
        if got < 0 { code = errno }
        guard got > 0 else { return }
        length += got
      }
    }
    guard code == 0 else { throw .unreadable(path: path, why: String(cString: strerror(code))) }
    guard length <= maximum else { throw .unreadable(path: path, why: "it is longer than \(maximum) bytes") }
    return bytes.part(0..<length)
  }
}

extension SecretBytes {
  /// Without surrounding blanks and line ends.
  var trimmed: SecretBytes {
    let range = withBytes { bytes -> Range<Int> in
      let isBlank = { (byte: UInt8) in byte == 32 || (9...13).contains(byte) }
      let start = bytes.firstIndex { !isBlank($0) } ?? bytes.count
      let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
      return start..<max(start, end)
    }
    return part(range)
  }
}
