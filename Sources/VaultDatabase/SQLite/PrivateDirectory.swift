import Glibc
import VaultModel

/// A folder that only its owner can enter.
public enum PrivateDirectory {
  /// Creates the folder and missing ones above it with mode 0700; checks an existing one.
  ///
  /// - Throws: refused, with the remedy, if it belongs to another user, lets others in, or is not a folder.
  public static func ensure(_ path: String) throws(Failure) {
    if try check(path) { return }
    try make(path)
    _ = try check(path)
  }

  /// - Returns: whether the folder exists.
  /// - Throws: as ``ensure(_:)``.
  static func check(_ path: String) throws(Failure) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return false }
      throw Failure(
        "cannot access \(path): \(String(cString: strerror(errno)))", hint: "set VAULT_HOME to use another folder",
        exitStatus: .cannotCreate)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw Failure("\(path) is not a folder", hint: "move it away; the vault keeps its files there", exitStatus: .refused)
    }
    guard status.st_uid == geteuid() else {
      throw Failure("\(path) belongs to another user", hint: "choose another folder with VAULT_HOME", exitStatus: .refused)
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Failure("\(path) is accessible to other users", hint: "chmod 700 \(path)", exitStatus: .refused)
    }
    return true
  }

  /// Checks a file of such a folder, if it exists: nobody else can write it, hold its lock or replace it with another file.
  public static func check(file path: String) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
      throw Failure("\(path) is not a regular file with one link", hint: "move it away", exitStatus: .refused)
    }
    guard status.st_uid == geteuid() else {
      throw Failure("\(path) belongs to another user", hint: "move it away", exitStatus: .refused)
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Failure("\(path) can be read or written by other users", hint: "chmod 600 \(path)", exitStatus: .refused)
    }
  }

  private static func make(_ path: String) throws(Failure) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw Failure(
        "cannot create the folder \(path): \(String(cString: strerror(errno)))",
        hint: "set VAULT_HOME to use another folder", exitStatus: .cannotCreate)
    }
    try make(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw Failure(
        "cannot create the folder \(path): \(String(cString: strerror(errno)))",
        hint: "set VAULT_HOME to use another folder", exitStatus: .cannotCreate)
    }
  }
}
