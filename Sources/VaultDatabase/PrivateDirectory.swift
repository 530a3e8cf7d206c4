import Glibc
import VaultModel

/// A folder that only its owner can enter.
public enum PrivateDirectory {
  /// Makes the folder, and those above it, with mode 0700 where they are missing; checks the one that is there.
  ///
  /// - Throws: refused, with the remedy, where it belongs to somebody else, lets others in, or is no folder.
  public static func ensure(_ path: String) throws(Failure) {
    var status = stat()
    if lstat(path, &status) != 0 {
      guard errno == ENOENT else { throw Failure("cannot look at \(path) (errno \(errno))", exitStatus: .cannotCreate) }
      try make(path)
      guard lstat(path, &status) == 0 else { throw Failure("cannot look at \(path) (errno \(errno))", exitStatus: .cannotCreate) }
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw Failure("\(path) is not a folder", hint: "move it away; the vault keeps its files there", exitStatus: .refused)
    }
    guard status.st_uid == geteuid() else {
      throw Failure("\(path) belongs to another user", hint: "choose another folder with VAULT_HOME", exitStatus: .refused)
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Failure("\(path) can be entered by other users", hint: "chmod 700 \(path)", exitStatus: .refused)
    }
  }

  private static func make(_ path: String) throws(Failure) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw Failure("cannot make the folder \(path) (errno \(errno))", exitStatus: .cannotCreate)
    }
    try make(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw Failure("cannot make the folder \(path) (errno \(errno))", exitStatus: .cannotCreate)
    }
  }
}
