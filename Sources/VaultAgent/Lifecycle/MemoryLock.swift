import Glibc

/// Whether secrets can be kept out of the swap file.
///
/// libsodium locks its memory if it may, and continues without the lock if it may not (`RLIMIT_MEMLOCK`, mlock(2)); so this is
/// tested and reported.
enum MemoryLock {
  /// Enough for the secrets of hundreds of sessions.
  private static let length = 256 << 10

  /// Why memory cannot be locked; nil if it can.
  static let fault: String? = {
    guard let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory != MAP_FAILED else {
      return "no memory to try it with"
    }
    defer { munmap(memory, length) }
    if mlock(memory, length) == 0 { return nil }
    let code = errno
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return String(cString: strerror(code)) }
    return "the limit is \(limit.rlim_cur >> 10) KiB"
  }()
}
