import CSystem
import Glibc
import VaultModel

/// A file of the person's that is changed as a whole: read, changed, and put in place by a rename, so that nobody ever sees half of it.
///
/// What a link points to is changed, and not the link. A file that somebody else changed meanwhile is left to them.
public struct EditedFile {
  /// Tries, where others keep changing it.
  private static let tries = 5
  private static let longest = 16 * 1_024 * 1_024
  public let path: String
  /// Others may neither read nor write it, whatever its mode was.
  private let isPrivate: Bool

  public init(path: String, isPrivate: Bool = false) {
    self.path = path
    self.isPrivate = isPrivate
  }

  /// - Parameters:
  ///   - evenReadOnly: also a file that its owner may not write; to take a secret out of it.
  ///   - change: returns the new content; nil to leave the file as it is.
  /// - Returns: whether it was changed.
  @discardableResult
  public func edit(evenReadOnly: Bool = false, _ change: ([UInt8]) throws -> [UInt8]?) throws -> Bool {
    for _ in 0..<Self.tries {
      let target = try target()
      // What one that was killed has left.
      if isPrivate { unlink(temporary(target)) }
      let before = try read(target)
      guard let after = try change(before.bytes), after != before.bytes else { return false }
      guard evenReadOnly || before.stamp == nil || before.mode & 0o200 != 0 else {
        throw Failure("\(path) is read-only", hint: "chmod u+w \(path)", exitStatus: .cannotCreate)
      }
      if try replace(target, with: after, unless: before) { return true }
    }
    throw Failure("\(path) is being changed by another program", hint: "try again", exitStatus: .temporary)
  }

  /// The file itself, behind any links.
  private func target() throws(Failure) -> String {
    if let pointer = realpath(path, nil) {
      defer { free(pointer) }
      return String(cString: pointer)
    }
    var status = stat()
    guard lstat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFLNK else {
      throw Failure("\(path) is a link that leads nowhere", exitStatus: .cannotCreate)
    }
    return path
  }

  /// Beside the file, since a rename stays within one file system. A private file has one writer, the agent, and so one name: what is left
  /// of an agent that was killed is found again.
  private func temporary(_ target: String) -> String { "\(target).vault-" + (isPrivate ? "new" : "\(getpid())") }

  private struct Content {
    var bytes: [UInt8] = []
    var mode: mode_t = 0o600
    /// What tells one state of the file from another; nil for one that is not there.
    var stamp: Stamp?
  }

  private struct Stamp: Equatable {
    let inode: UInt
    let size: Int
    let seconds: Int
    let nanoseconds: Int

    init(_ status: stat) {
      inode = UInt(status.st_ino)
      size = Int(status.st_size)
      seconds = Int(status.st_mtim.tv_sec)
      nanoseconds = Int(status.st_mtim.tv_nsec)
    }
  }

  private func read(_ target: String) throws(Failure) -> Content {
    let file = sys_open(target, O_RDONLY | O_NONBLOCK, 0)
    guard file >= 0 else {
      if errno == ENOENT { return Content() }
      throw Failure("cannot read \(path) (\(String(cString: strerror(errno))))", exitStatus: .noInput)
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.longest else {
      throw Failure("\(path) is no regular file of at most 16 MiB", exitStatus: .noInput)
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + count, $0.count - count) }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { break }
      count += got
    }
    return Content(bytes: Array(bytes[..<count]), mode: status.st_mode & 0o777, stamp: Stamp(status))
  }

  /// - Returns: false where the file is no longer what was read.
  private func replace(_ target: String, with bytes: [UInt8], unless before: Content) throws(Failure) -> Bool {
    let mode = isPrivate ? before.mode & 0o600 : before.mode
    let temporary = temporary(target)
    unlink(temporary)
    let file = sys_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, UInt32(mode))
    guard file >= 0 else {
      throw Failure("cannot write beside \(path) (\(String(cString: strerror(errno))))", exitStatus: .cannotCreate)
    }
    var isInPlace = false
    defer { if !isInPlace { unlink(temporary) } }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + written, $0.count - written) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let code = errno
        close(file)
        throw Failure("cannot write \(path) (\(String(cString: strerror(code))))", exitStatus: .inputOutput)
      }
      written += count
    }
    guard fchmod(file, mode) == 0, fsync(file) == 0 else {
      close(file)
      throw Failure("cannot write \(path) to the disk", exitStatus: .inputOutput)
    }
    close(file)
    var now = stat()
    let isThere = stat(target, &now) == 0
    guard isThere ? before.stamp == Stamp(now) : before.stamp == nil else { return false }
    guard rename(temporary, target) == 0 else {
      throw Failure("cannot replace \(path) (\(String(cString: strerror(errno))))", exitStatus: .cannotCreate)
    }
    isInPlace = true
    return true
  }
}
