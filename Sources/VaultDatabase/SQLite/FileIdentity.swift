import Glibc

/// Tells whether a file is still the one that was read, with one `stat(2)`.
public struct FileIdentity: Sendable, Hashable {
  public var device: Int64
  public var inode: Int64
  public var size: Int64
  /// Nanoseconds since 1970.
  public var mtime: Int64

  public init(device: Int64, inode: Int64, size: Int64, mtime: Int64) {
    self.device = device
    self.inode = inode
    self.size = size
    self.mtime = mtime
  }

  /// The file as it is now; all zero if it does not exist.
  public init(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      self.init(device: 0, inode: 0, size: 0, mtime: 0)
      return
    }
    self.init(
      device: Int64(bitPattern: UInt64(status.st_dev)), inode: Int64(bitPattern: UInt64(status.st_ino)),
      size: Int64(status.st_size),
      mtime: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec))
  }
}
