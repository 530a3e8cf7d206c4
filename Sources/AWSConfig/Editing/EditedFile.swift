import CSystem
import Glibc
import VaultBytes
import VaultModel

/// A user's file that is changed as a whole: read, changed and swapped with the new one, so that no reader sees half of it and no
/// other program's change is lost.
///
/// The vault's own writers use a lock on the file's folder. Other programs know no lock, so the file that the swap returns is
/// compared with what was read; if it differs, it is put back and read again. Links are followed: their target is changed, not the
/// link.
public struct EditedFile {
  /// The number of attempts while other programs keep changing it.
  private static let tries = 20
  private static let maxLength = 16 * 1_024 * 1_024
  public let path: String
  /// Others may neither read nor write it, whatever its mode was before.
  private let isPrivate: Bool
  /// The caller already holds the folder's lock.
  private let isLocked: Bool

  /// - Parameters:
  ///   - isPrivate: the agent's own file, with secrets: others may neither read nor write it, whatever its mode was before.
  ///   - isLocked: the same caller is already editing another file in the folder.
  public init(path: String, isPrivate: Bool = false, isLocked: Bool = false) {
    self.path = path
    self.isPrivate = isPrivate
    self.isLocked = isLocked
  }

  /// - Parameters:
  ///   - evenReadOnly: also change a file that its owner may not write, to remove a secret from it.
  ///   - change: returns the new content; nil to leave the file as it is.
  /// - Returns: whether it was changed.
  @discardableResult
  public func edit(evenReadOnly: Bool = false, _ change: ([UInt8]) throws -> [UInt8]?) throws -> Bool {
    let lock = isLocked ? -1 : try lock(try target())
    // Closing releases the lock.
    defer { if lock >= 0 { close(lock) } }
    for turn in 0..<Self.tries {
      // Another program may have the file open for a moment, to write it in place.
      if turn > 0 { usleep(UInt32(turn) * 2_000) }
      let target = try target()
      // Left by an agent that was killed.
      if isPrivate { unlink(temporary(target)) }
      let before = try read(target)
      guard let after = try change(before.bytes), after != before.bytes else { return false }
      guard evenReadOnly || before.fingerprint == nil || before.mode & 0o200 != 0 else {
        throw Failure("\(path) is read-only", hint: "chmod u+w \(path)", exitStatus: .cannotCreate)
      }
      if try replace(target, with: after, unless: before) { return true }
    }
    throw busy
  }

  /// The access key ID in the vault's own lines of a section; nil if there are none.
  public func accessKeyId(in section: String) throws(Failure) -> String? {
    guard let lines = MarkedBlocks(try read(try target()).bytes).lines(of: section) else { return nil }
    let name = "aws_access_key_id = "
    let line = lines.split(separator: 0x0A).first { $0.starts(with: name.utf8) }
    return line.map { String(decoding: $0.dropFirst(name.utf8.count), as: UTF8.self) }
  }

  /// The file itself, with links resolved.
  private func target() throws(Failure) -> String {
    if let pointer = realpath(path, nil) {
      defer { free(pointer) }
      return String(cString: pointer)
    }
    var status = stat()
    guard lstat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFLNK else {
      throw Failure(
        "\(path) is a broken symbolic link", hint: "remove it, or create its target", exitStatus: .cannotCreate)
    }
    return path
  }

  /// Allows one edit of a folder's files at a time. On a file system without locks there is none; the swap still loses no other
  /// program's change.
  ///
  /// - Returns: the folder's descriptor; -1 if it cannot be locked.
  private func lock(_ target: String) throws(Failure) -> Int32 {
    let folder = target.lastIndex(of: "/").map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
    let descriptor = sys_open(folder, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0)
    guard descriptor >= 0 else { return -1 }
    // The agent has other requests to serve and tries again later.
    for _ in 0..<(isPrivate ? 200 : 2_000) {
      if sys_flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
      guard errno == EWOULDBLOCK || errno == EINTR else { break }
      usleep(5_000)
    }
    let isHeld = errno == EWOULDBLOCK
    close(descriptor)
    if isHeld { throw busy }
    return -1
  }

  private var busy: Failure { Failure("\(path) is being changed by another program", hint: "try again", exitStatus: .temporary) }

  /// In the same folder, since a rename stays within one file system. A private file has one writer, the agent, and so a fixed
  /// name: what a killed agent left is found again.
  private func temporary(_ target: String) -> String { "\(target).vault-" + (isPrivate ? "new" : "\(getpid())") }

  private struct Content {
    var bytes: [UInt8] = []
    var mode: mode_t = 0o600
    /// The user and the group that the file belongs to; nil if it does not exist.
    var owner: (user: uid_t, group: gid_t)?
    /// Distinguishes one state of the file from another; nil if the file does not exist.
    var fingerprint: Fingerprint?
  }

  private struct Fingerprint: Equatable {
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
      throw Failure(
        "cannot read \(path) (\(String(cString: strerror(errno))))", hint: "check its owner and permissions", exitStatus: .noInput
      )
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.maxLength else {
      throw Failure(
        "\(path) is not a regular file of at most 16 MiB", hint: "vault changes only such files", exitStatus: .noInput)
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + count, $0.count - count) }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { break }
      count += got
    }
    return Content(
      bytes: Array(bytes[..<count]), mode: status.st_mode & 0o777, owner: (status.st_uid, status.st_gid),
      fingerprint: Fingerprint(status))
  }

  /// - Returns: false if the file is no longer what was read.
  private func replace(_ target: String, with bytes: [UInt8], unless before: Content) throws(Failure) -> Bool {
    let mode = isPrivate ? before.mode & 0o600 : before.mode
    let temporary = temporary(target)
    unlink(temporary)
    let file = sys_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, UInt32(mode))
    guard file >= 0 else {
      throw Failure(
        "cannot write beside \(path) (\(String(cString: strerror(errno))))",
        hint: "is the disk full, or the folder not writable?", exitStatus: .cannotCreate)
    }
    var isGone = false
    defer { if !isGone { unlink(temporary) } }
    guard writeAll(bytes.span.bytes, to: file) else {
      let code = errno
      close(file)
      throw Failure(
        "cannot write \(path) (\(String(cString: strerror(code))))", hint: "is the disk full, or the folder not writable?",
        exitStatus: .inputOutput)
    }
    // Only root may give a file to another user, and a person only to their own groups.
    if let owner = before.owner, fchown(file, owner.user, owner.group) != 0 { _ = fchown(file, uid_t.max, owner.group) }
    guard fchmod(file, mode) == 0, fsync(file) == 0 else {
      close(file)
      throw Failure(
        "cannot write \(path) to the disk", hint: "is the disk full, or the folder not writable?", exitStatus: .inputOutput)
    }
    close(file)
    isGone = true
    let ours = identity(temporary)
    do throws(Failure) {
      let isInPlace = try swap(temporary, with: target, expecting: before)
      // Either the new file, which was not placed, or the file that it replaced.
      unlink(temporary)
      return isInPlace
    } catch {
      if identity(temporary) == ours { unlink(temporary) }
      throw error
    }
  }

  /// Replaces the file that was read with the new one.
  ///
  /// - Returns: false if that file is no longer there; whatever is there stays, and `temporary` is the new file.
  private func swap(_ temporary: String, with target: String, expecting before: Content) throws(Failure) -> Bool {
    guard before.fingerprint != nil else { return try place(temporary, at: target, expecting: before) }
    var now = stat()
    guard stat(target, &now) == 0, before.fingerprint == Fingerprint(now) else { return false }
    let ours = identity(temporary)
    guard sys_exchange(temporary, target) == 0 else {
      if errno == ENOENT { return false }
      guard errno == EINVAL || errno == ENOSYS || errno == ENOTSUP else { throw cannotReplace(errno) }
      return try place(temporary, at: target, expecting: before)
    }
    if isUnchanged(temporary, before) { return true }
    // The swap returned another program's newer file. Put it back, and any that is placed meanwhile, until the swap returns the new
    // file.
    for _ in 0..<100 {
      if sys_exchange(temporary, target) != 0 {
        // The new file was removed meanwhile.
        guard errno == ENOENT, sys_rename_new(temporary, target) == 0 || errno == EEXIST else { break }
        return false
      }
      if identity(temporary) == ours { return false }
    }
    throw Failure(
      "changes that another program made to \(path) could not be restored", hint: "they are in \(temporary)",
      exitStatus: .inputOutput)
  }

  /// For a file that did not exist, or a file system that cannot swap. Another program's change in a short window is lost.
  private func place(_ temporary: String, at target: String, expecting before: Content) throws(Failure) -> Bool {
    if before.fingerprint == nil {
      if sys_rename_new(temporary, target) == 0 { return true }
      if errno == EEXIST { return false }
      guard errno == EINVAL || errno == ENOSYS || errno == ENOTSUP else { throw cannotReplace(errno) }
    }
    var now = stat()
    let isThere = stat(target, &now) == 0
    guard isThere ? before.fingerprint == Fingerprint(now) : before.fingerprint == nil else { return false }
    guard rename(temporary, target) == 0 else { throw cannotReplace(errno) }
    return true
  }

  private func cannotReplace(_ code: Int32) -> Failure {
    Failure("cannot replace \(path) (\(String(cString: strerror(code))))", exitStatus: .cannotCreate)
  }

  private func identity(_ path: String) -> UInt? {
    var status = stat()
    return lstat(path, &status) == 0 ? UInt(status.st_ino) : nil
  }

  /// Whether the swap returned what was read, and no process has it open to write more to it.
  private func isUnchanged(_ temporary: String, _ before: Content) -> Bool {
    let file = sys_open(temporary, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0)
    guard file >= 0 else { return false }
    defer { close(file) }
    if sys_is_written(file) == 1 { return false }
    guard let now = try? read(temporary), now.fingerprint?.inode == before.fingerprint?.inode else { return false }
    return now.bytes == before.bytes
  }
}
