import CZlib
import Glibc
import VaultModel
import VaultSecrets

/// Archived rows of an audit log: an SQLite database of the vault's own form, with these rows and the signed heads around them, in one
/// gzip file (RFC 1952). Whoever has SQLite and gzip can read it, and ``AuditChain`` verifies it as it does a vault.
public enum AuditArchive {
  /// An archive takes no more memory than this when it is opened: 4 GiB.
  static let largest = 4 << 30
  /// The first form of the database that archives were made of (`0003_audit_evidence.sql`).
  static let firstSchema = 3

  /// It is no archive, or not the one that was meant.
  public struct Damage: ReportableError, Hashable {
    public let path: String
    public var message: String { "\(path) is no archive of the audit log, or not the one that was written" }
    public var hint: String? { nil }
    public var exitStatus: ExitStatus { .badData }
  }

  /// Compresses a database file that nobody has open any more, and puts it on the disk under a new name, whole or not at all.
  ///
  /// - Returns: the file's digest.
  /// - Throws: `DatabaseError` where there is such a file already, or the disk is full.
  public static func compress(_ database: String, to path: String) throws -> [UInt8] {
    let source = Glibc.open(database, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard source >= 0 else { throw DatabaseError.cannotOpen(path: database) }
    defer { close(source) }
    // What is cut short has another name: it is nobody's archive.
    let draft = path + draftSuffix
    unlink(draft)
    defer { unlink(draft) }
    let target = Glibc.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard target >= 0 else { throw failure(path) }
    defer { close(target) }
    guard let stream = gzdopen(dup(target), "wb6") else { throw failure(path) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(source, &buffer, buffer.count)
      guard count >= 0 else {
        gzclose(stream)
        throw failure(database)
      }
      if count == 0 { break }
      guard gzwrite(stream, buffer, UInt32(count)) == Int32(count) else {
        gzclose(stream)
        throw failure(path)
      }
    }
    guard gzclose(stream) == Z_OK, fsync(target) == 0 else { throw failure(path) }
    // A file that is there keeps its name: it is taken first, by an empty file, which works on every file system.
    let name = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard name >= 0 else { throw failure(path) }
    close(name)
    do {
      guard rename(draft, path) == 0 else { throw failure(path) }
      try syncFolder(of: path)
      return try digest(path)
    } catch {
      unlink(path)
      throw error
    }
  }

  /// Of a file that is still being written.
  private static let draftSuffix = ".new.gz"

  /// A name reaches the disk with its folder: the rows go from the log next.
  private static func syncFolder(of path: String) throws {
    let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/"
    let folder = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw failure(path) }
  }

  /// Opens an archive in memory.
  static func open(_ path: String, digest expected: [UInt8]?) throws -> Database {
    if let expected, try digest(path) != expected { throw Damage(path: path) }
    let bytes = try contents(of: path, limit: largest)
    guard bytes.starts(with: Array("SQLite format 3\0".utf8)) else { throw Damage(path: path) }
    return try Database(image: bytes, path: path)
  }

  /// What is in a file, which may be compressed.
  ///
  /// - Throws: `DatabaseError` where it cannot be read; ``Damage`` where it is longer than `limit`, or a cut or damaged gzip.
  public static func contents(of path: String, limit: Int) throws -> [UInt8] {
    guard let stream = gzopen(path, "rb") else { throw failure(path) }
    defer { gzclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = gzread(stream, &buffer, UInt32(buffer.count))
      guard count >= 0 else { throw Damage(path: path) }
      if count == 0 { break }
      bytes.append(contentsOf: buffer[..<Int(count)])
      guard bytes.count <= limit else { throw Damage(path: path) }
    }
    // A stream that was cut ends without an error, and then closes with one (zlib, `gzread`).
    var code: Int32 = Z_OK
    gzerror(stream, &code)
    guard code == Z_OK || code == Z_STREAM_END else { throw Damage(path: path) }
    return bytes
  }

  private static func digest(_ path: String) throws -> [UInt8] {
    let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw failure(path) }
    defer { close(file) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = read(file, &buffer, buffer.count)
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return blake2b(all) }
      all.append(contentsOf: buffer[..<count])
    }
  }

  private static func failure(_ path: String) -> DatabaseError {
    switch errno {
    case ENOSPC, EDQUOT: .full(path: path)
    case EROFS: .readOnly(path: path)
    case EEXIST: .insecure(path: path, why: "is there already", remedy: "name another file")
    case EIO: .inputOutput(path: path, code: EIO)
    default: .cannotOpen(path: path)
    }
  }
}
