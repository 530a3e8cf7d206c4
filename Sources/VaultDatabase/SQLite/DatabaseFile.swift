import Glibc

/// The database file, checked before SQLite opens it.
package enum DatabaseFile {
  /// - Returns: whether the file exists.
  /// - Throws: `DatabaseError.insecure` unless it is a regular file that belongs to this user alone.
  static func check(_ path: String) throws(DatabaseError) -> Bool {
    for name in [path, path + "-wal", path + "-shm"] {
      var status = stat()
      guard lstat(name, &status) == 0 else {
        guard errno == ENOENT else { throw .cannotOpen(path: name) }
        if name == path { return false }
        continue
      }
      guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
        throw .insecure(
          path: name, why: "is not a regular file with one link", remedy: "move it away; the vault keeps its database there")
      }
      guard status.st_uid == geteuid() else {
        throw .insecure(path: name, why: "belongs to another user", remedy: "choose another folder with VAULT_HOME")
      }
      guard status.st_mode & 0o077 == 0 else {
        throw .insecure(path: name, why: "can be read or written by other users", remedy: "chmod 600 \(name)")
      }
    }
    return true
  }

  /// Creates an empty file for this user alone, whatever umask other threads set at the moment; SQLite gives its own files beside
  /// it the same mode.
  package static func make(_ path: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      // SQLite reports better what is wrong with the path.
      return
    }
    close(file)
  }
}
