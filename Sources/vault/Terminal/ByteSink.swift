import Glibc
import VaultBytes
import VaultModel

/// Bytes on their way to a file, for what is written by the million: put together in memory, and written in large pieces.
struct ByteSink: ~Copyable {
  /// How much is written at once.
  static let piece = 1 << 18
  private let descriptor: Int32
  var bytes = ByteBuffer(capacity: piece + piece / 16)

  /// - Parameter descriptor: stays the caller's to close.
  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Writes what is there, where it is more than `limit`.
  mutating func flush(above limit: Int = 0) throws(Failure) {
    guard bytes.count > limit else { return }
    guard bytes.withBytes({ writeAll($0.bytes, to: descriptor) }) else {
      // A reader that has gone away (`| head`) ends us quietly, as SIGPIPE would.
      if errno == EPIPE { exit(0) }
      throw Failure("cannot write the export (\(String(cString: strerror(errno))))", exitStatus: .inputOutput)
    }
    bytes.removeAll()
  }
}
