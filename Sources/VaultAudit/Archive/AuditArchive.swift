import CZlib
import Glibc
import VaultDatabase
import VaultModel
import VaultSecrets

/// Archived rows of an audit log: an SQLite database with the vault's own schema, these rows and the signed checkpoints around
/// them, in one gzip file (RFC 1952). SQLite and gzip are enough to read it, and ``AuditChain`` verifies it like a vault.
public enum AuditArchive {
  /// The unpacked size at which an archive ends: the other rows go into the next one.
  public static let fullAt = 3 << 30
  /// The maximum unpacked size when an archive is opened: 4 GiB.
  static let maxBytes = 4 << 30
  /// The maximum compression ratio above the size of ``small``: rows are compressed four or five times.
  static let maxFold = 60
  static let small = 16 << 20
  /// The first schema version with archives (`0003_audit_evidence.sql`).
  static let firstSchema = 3

  /// The file is not an archive, or not the expected one.
  public struct Damage: ReportableError, Hashable {
    public let path: String

    public init(path: String) { self.path = path }

    public var message: String { "\(path) is not an archive of the audit log, or was changed" }
    public var hint: String? { nil }
    public var exitStatus: ExitStatus { .badData }
  }

  /// Compresses a database file that nobody has open any more, and writes it to the disk under a new name, atomically.
  ///
  /// - Returns: the file's digest.
  /// - Throws: `DatabaseError` if the file already exists, or the disk is full.
  public static func compress(_ database: String, to path: String) throws -> [UInt8] {
    let source = Glibc.open(database, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard source >= 0 else { throw DatabaseError.cannotOpen(path: database) }
    defer { close(source) }
    // An incomplete file has another name, so it is never taken for an archive.
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
    // An existing file keeps its name: the name is first reserved with an empty file, which works on every file system.
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

  /// The suffix of a file that is still being written.
  private static let draftSuffix = ".new.gz"

  /// The folder is synced to make the name durable: the rows are removed from the log next.
  private static func syncFolder(of path: String) throws {
    let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/"
    let folder = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw failure(path) }
  }

  /// Opens an archive. Its content goes to a file without a name, so that memory use does not grow with it.
  static func open(_ path: String, digest expected: [UInt8]?) throws -> Database {
    let source = try openRegular(path)
    if let expected, try digest(source, path) != expected {
      close(source)
      throw Damage(path: path)
    }
    lseek(source, 0, SEEK_SET)
    let folder = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/var/tmp"
    var name = Array("\(folder)/vault-archive-XXXXXX".utf8CString)
    let target = mkstemp(&name)
    _ = fcntl(target, F_SETFD, FD_CLOEXEC)
    let draft = name.withUnsafeBufferPointer { String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
    guard target >= 0 else {
      close(source)
      throw failure(folder)
    }
    defer {
      close(target)
      unlink(draft)
    }
    try unpack(source, to: target, path)
    return try Database(path: draft, access: .readOnly)
  }

  /// Opens a regular file for reading. Anything else (a pipe, a device) is an error and never blocks.
  static func openRegular(_ path: String) throws -> Int32 {
    let file = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard file >= 0 else { throw failure(path) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(file)
      throw DatabaseError.insecure(path: path, why: "is not a regular file", remedy: "pipes and devices are not read")
    }
    return file
  }

  /// Copies and unpacks `source`.
  private static func unpack(_ source: Int32, to target: Int32, _ path: String) throws {
    var status = stat()
    fstat(source, &status)
    guard let stream = gzdopen(source, "rb") else {
      close(source)
      throw failure(path)
    }
    defer { gzclose(stream) }
    let limit = min(maxBytes, max(small, Int(status.st_size) * maxFold))
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var total = 0
    while true {
      let count = gzread(stream, &buffer, UInt32(buffer.count))
      guard count >= 0 else { throw Damage(path: path) }
      if count == 0 { break }
      if total == 0 {
        guard buffer.prefix(Int(count)).starts(with: Array("SQLite format 3\0".utf8)) else { throw Damage(path: path) }
      }
      total += Int(count)
      guard total <= limit else { throw Damage(path: path) }
      guard buffer.withUnsafeBytes({ write(target, $0.baseAddress, Int(count)) }) == Int(count) else { throw failure(path) }
    }
    // A truncated stream ends without an error, and then fails to close (zlib, `gzread`).
    var code: Int32 = Z_OK
    gzerror(stream, &code)
    guard total > 0, code == Z_OK || code == Z_STREAM_END else { throw Damage(path: path) }
  }

  private static func digest(_ path: String) throws -> [UInt8] {
    let file = try openRegular(path)
    defer { close(file) }
    return try digest(file, path)
  }

  private static func digest(_ file: Int32, _ path: String) throws -> [UInt8] {
    let hash = StreamedHash()
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = read(file, &buffer, buffer.count)
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return hash.digest() }
      buffer.withUnsafeBytes { hash.add(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  private static func failure(_ path: String) -> DatabaseError {
    switch errno {
    case ENOSPC, EDQUOT: .full(path: path)
    case EROFS: .readOnly(path: path)
    case EEXIST: .insecure(path: path, why: "already exists", remedy: "choose another file")
    case EIO: .inputOutput(path: path, code: EIO)
    default: .cannotOpen(path: path)
    }
  }
}
