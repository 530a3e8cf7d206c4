import Glibc
import VaultBytes
import VaultSecrets

/// A file that nobody else can have read or changed. Only this type in the module opens files.
final class PrivateFile {
  private let descriptor: Int32
  private let name: String
  private let isOwned: Bool

  /// Borrows a descriptor without checking or closing it.
  init(borrowing descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
    isOwned = false
  }

  private init(owning descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
    isOwned = true
  }

  deinit {
    if isOwned { close(descriptor) }
  }

  /// Opens a file for reading; refuses it unless it is a regular file of this user (or of root, who can read everything anyway) and
  /// closed to others. The checks use the open descriptor, so the file cannot be swapped in between.
  ///
  /// - Parameters:
  ///   - followingLinks: if false, symbolic and hard links are refused.
  ///   - user: the permitted owner.
  static func open(_ path: String, followingLinks: Bool, user: uid_t = geteuid()) throws(KeyStoreError) -> PrivateFile {
    // Non-blocking, so that a pipe without a writer is refused instead of waited for.
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followingLinks ? 0 : O_NOFOLLOW)
    let descriptor = Glibc.open(path, flags)
    if descriptor < 0, errno == ELOOP, !followingLinks { throw .unsafeFile(path: path, reason: "is a symbolic link") }
    guard descriptor >= 0 else { throw failure(path) }
    let file = PrivateFile(owning: descriptor, name: path)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .unsafeFile(path: path, reason: "is not a regular file") }
    guard status.st_uid == user || (status.st_uid == 0 && followingLinks) else {
      throw .unsafeFile(path: path, reason: "belongs to another user (uid \(status.st_uid))")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw .unsafeFile(path: path, reason: "can be read or changed by others (mode \(octal(status.st_mode)))")
    }
    guard followingLinks || status.st_nlink == 1 else {
      throw .unsafeFile(path: path, reason: "has more than one hard link")
    }
    return file
  }

  /// Refuses a folder in which another user could create files.
  static func checkFolder(_ path: String, user: uid_t = geteuid()) throws(KeyStoreError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw failure(path) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .unsafeFile(path: path, reason: "is not a folder") }
    guard status.st_uid == user else {
      throw .unsafeFile(path: path, reason: "belongs to another user (uid \(status.st_uid))")
    }
    guard status.st_mode & 0o022 == 0 else {
      throw .unsafeFile(path: path, reason: "can be changed by others (mode \(octal(status.st_mode)))")
    }
  }

  /// Lends the content, from guarded memory. Reads at most `limit` bytes; to detect a longer file, pass one more.
  func read<Result>(
    limit: Int, _ body: (UnsafeRawBufferPointer) throws(KeyStoreError) -> Result
  ) throws(KeyStoreError) -> Result {
    var count = 0
    var error: KeyStoreError?
    let bytes = SecretBytes(count: limit) { buffer in
      while count < limit {
        let got = Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), limit - count)
        if got < 0, errno == EINTR { continue }
        if got < 0 { error = Self.failure(name) }
        guard got > 0 else { return }
        count += got
      }
    }
    if let error { throw error }
    let result = bytes.withBytes { all -> Swift.Result<Result, KeyStoreError> in
      do throws(KeyStoreError) {
        return .success(try body(UnsafeRawBufferPointer(rebasing: all[..<count])))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Creates a file atomically; it is on disk when this returns. An existing file is replaced only if `replacing` is set.
  ///
  /// The file is written as `temporary` in the same folder and then renamed. The next call discards what a crash leaves under that
  /// name.
  ///
  /// - Returns: false if there already is a file of that name.
  static func create(folder: String, name: String, temporary: String, replacing: Bool = false, _ bytes: [UInt8])
    throws(KeyStoreError) -> Bool
  {
    let directory = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure(folder) }
    defer { close(directory) }
    let path = folder + "/" + temporary
    // rename(2) would replace the file. Checking first is enough: only the agent, under its lock, writes here.
    if !replacing, try exists(folder + "/" + name) { return false }
    if unlinkat(directory, temporary, 0) != 0, errno != ENOENT { throw failure(path) }
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let descriptor = openat(directory, temporary, flags, 0o600)
    guard descriptor >= 0 else { throw failure(path) }
    do throws(KeyStoreError) {
      defer { close(descriptor) }
      // Restores mode bits that the umask removed.
      guard fchmod(descriptor, 0o600) == 0 else { throw failure(path) }
      guard writeAll(bytes.span.bytes, to: descriptor), fsync(descriptor) == 0 else { throw failure(path) }
      guard renameat(directory, temporary, directory, name) == 0 else { throw failure(folder + "/" + name) }
    } catch {
      unlinkat(directory, temporary, 0)
      throw error
    }
    guard fsync(directory) == 0 else { throw failure(folder) }
    return true
  }

  /// Removes a file from a folder; a missing file is not an error. The removal is on disk when this returns.
  static func remove(folder: String, name: String) throws(KeyStoreError) {
    let directory = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure(folder) }
    defer { close(directory) }
    if unlinkat(directory, name, 0) != 0, errno != ENOENT { throw failure(folder + "/" + name) }
    guard fsync(directory) == 0 else { throw failure(folder) }
  }

  /// Whether anything has this name, of whatever type.
  static func exists(_ path: String) throws(KeyStoreError) -> Bool {
    var status = stat()
    if lstat(path, &status) == 0 { return true }
    guard errno == ENOENT else { throw failure(path) }
    return false
  }

  /// The names in a folder.
  static func names(in folder: String) throws(KeyStoreError) -> [String] {
    guard let directory = opendir(folder) else { throw failure(folder) }
    defer { closedir(directory) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
      errno = 0
    }
    guard errno == 0 else { throw failure(folder) }
    return names.sorted()
  }

  private static func failure(_ path: String) -> KeyStoreError {
    .inputOutput(path: path, reason: String(cString: strerror(errno)))
  }

  private static func octal(_ mode: mode_t) -> String { String(mode & 0o7777, radix: 8) }
}
