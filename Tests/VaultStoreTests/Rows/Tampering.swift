import Foundation
import VaultDatabase

/// What somebody with the database's file can do: change rows in spite of the triggers.
enum Tampering {
  /// A copy that only we can read, whatever this process's umask is just then.
  static func copy(_ path: String, to target: String) throws {
    let file = open(target, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    fchmod(file, 0o600)
    close(file)
    try FileHandle(forWritingTo: URL(fileURLWithPath: target)).write(contentsOf: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  static func run(_ sql: String, on path: String) throws {
    let database = try Database(path: path, access: .readWrite)
    try database.execute(sql)
  }
}
