import Foundation
import Glibc

/// A folder of its own for one test, mode 0700, removed with its last reference.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() {
    var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/vault-test.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { preconditionFailure("cannot make a temporary folder: errno \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path of a file in it.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes a small file and returns its path.
  @discardableResult
  public func write(_ text: String, to name: String, mode: mode_t = 0o600) -> String {
    let path = file(name)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
    precondition(descriptor >= 0, "cannot write \(path): errno \(errno)")
    fchmod(descriptor, mode)
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      precondition(written > 0, "cannot write \(path): errno \(errno)")
      bytes = bytes.dropFirst(written)
    }
    close(descriptor)
    return path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }
}
