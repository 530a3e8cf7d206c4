import Foundation
import Glibc
import Synchronization

/// Keeps the making of files, which may be programs, and the starting of programs apart.
enum WholeFiles {
  private static let turn = Mutex(())

  static func alone<Result>(_ body: () throws -> Result) rethrows -> Result { try turn.withLock { _ in try body() } }
}

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
    WholeFiles.alone { Self.write(text, path, mode) }
    return path
  }

  /// A copy of a program in this folder, which can be run at once.
  public func copy(_ program: String, to name: String) throws -> String {
    let path = file(name)
    try WholeFiles.alone { try FileManager.default.copyItem(atPath: program, toPath: path) }
    return path
  }

  private static func write(_ text: String, _ path: String, _ mode: mode_t) {
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
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }
}
