import Glibc
import VaultSecrets

/// Whether this process can keep memory from being swapped out.
public enum ProcessMemory {
  /// Whether guarded memory is locked. `sodium_malloc` continues silently if the kernel refuses (RLIMIT_MEMLOCK), so this allocates
  /// a secret and reads how much memory the kernel reports as locked. Call it once, at start, before there are many threads.
  public static func locksSecrets() -> Bool {
    guard let before = lockedBytes() else { return false }
    let secret = SecretBytes(count: 1) { _ in }
    return withExtendedLifetime(secret) { (lockedBytes() ?? 0) > before }
  }

  /// The locked bytes of this process (`VmLck`, proc(5)); nil if /proc does not report them.
  public static func lockedBytes() -> Int? {
    let descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text = [UInt8](repeating: 0, count: 16_384)
    let count = Glibc.read(descriptor, &text, text.count)
    guard count > 0 else { return nil }
    for line in text[..<count].split(separator: UInt8(ascii: "\n")) where line.starts(with: "VmLck:".utf8) {
      let digits = line.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      return Int(String(decoding: digits, as: UTF8.self)).map { $0 * 1_024 }
    }
    return nil
  }
}
