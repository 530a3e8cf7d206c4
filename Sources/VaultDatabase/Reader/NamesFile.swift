import Glibc
import VaultBytes

/// The profile names in a plain file beside the database, for completion: opening SQLite took half of its time.
///
/// The agent removes the file before it changes a name, and writes it again after the commit. So an existing file is correct; if it
/// is missing or damaged, the database is read.
public enum NamesFile {
  private static let suffix = ".names"
  private static let beginning = "vault-names-1 "
  /// The maximum number of bytes read: the names of a hundred thousand profiles.
  private static let maximum = 16 << 20

  /// Removes the file. Must be called before a change of names becomes visible.
  public static func remove(beside database: String) { unlink(database + suffix) }

  /// Writes the file atomically; if the disk accepts nothing, there is no file.
  ///
  /// - Parameter lines: each name with a line break after it.
  public static func write(_ lines: [UInt8], beside database: String) {
    let path = database + suffix, draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    // The length reveals a file that a power cut left incomplete.
    let all = Array("\(beginning)\(lines.count)\n".utf8) + lines
    let isWritten = writeAll(all.span.bytes, to: file)
    close(file)
    if !isWritten || rename(draft, path) != 0 { unlink(draft) }
  }

  /// The lines, for completion.
  ///
  /// - Returns: nil if the database has to be read: the file is missing, incomplete, or not a regular file that belongs to this
  ///   user alone.
  /// - Throws: refused, if others can enter the folder.
  public static func read(beside database: String) throws -> ArraySlice<UInt8>? {
    let folder = database[..<(database.lastIndex(of: "/") ?? database.startIndex)]
    guard try PrivateDirectory.check(String(folder)), access(database, F_OK) == 0 else { return nil }
    let file = open(database + suffix, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_nlink == 1,
      status.st_mode & 0o077 == 0, (1...maximum).contains(Int(status.st_size))
    else { return nil }
    let size = Int(status.st_size)
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = max(0, Glibc.read(file, buffer.baseAddress, size))
    }
    guard let end = bytes.firstIndex(of: 10), bytes.count == size else { return nil }
    let lines = bytes[(end + 1)...]
    guard bytes[..<end].elementsEqual("\(beginning)\(lines.count)".utf8), lines.last ?? 10 == 10, !lines.contains(0) else {
      return nil
    }
    return lines
  }
}
