import CSystem
import Glibc
import VaultModel

/// A file of mode 0600 that is created atomically: written beside its destination, then renamed.
///
/// A file that was not put in place is removed with the last reference.
final class NewFile {
  let descriptor: Int32
  private let path: String
  private let temporary: String
  private var isInPlace = false

  /// - Throws: if the file cannot be created in the folder, or something other than a regular file has the name.
  init(_ path: String) throws(Failure) {
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw Failure("\(path) exists and is not a regular file", hint: "choose another file", exitStatus: .cannotCreate)
    }
    self.path = path
    temporary = "\(path).vault-\(getpid())"
    unlink(temporary)
    descriptor = sys_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw Failure(
        "cannot write beside \(path) (\(String(cString: strerror(errno))))",
        hint: "is the disk full, or the folder not writable?", exitStatus: .cannotCreate)
    }
  }

  /// - Throws: if the data does not reach the disk; an existing file of that name is then unchanged.
  func putInPlace() throws(Failure) {
    guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else {
      throw Failure(
        "cannot write \(path) to the disk (\(String(cString: strerror(errno))))",
        hint: "is the disk full, or the folder not writable?", exitStatus: .inputOutput)
    }
    guard rename(temporary, path) == 0 else {
      throw Failure(
        "cannot rename the new file to \(path) (\(String(cString: strerror(errno))))",
        hint: "is the disk full, or the folder not writable?", exitStatus: .cannotCreate)
    }
    isInPlace = true
  }

  deinit {
    close(descriptor)
    if !isInPlace { unlink(temporary) }
  }
}
