import Glibc
import VaultBytes
import VaultModel

/// Buffered output to a file, for millions of rows: collected in memory and written in large pieces.
struct ByteSink: ~Copyable {
  /// How much is written at once.
  static let piece = 1 << 18
  private let descriptor: Int32
  var bytes = ByteBuffer(capacity: piece + piece / 16)

  /// - Parameter descriptor: remains the caller's to close.
  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Writes the buffer if it holds more than `limit` bytes.
  mutating func flush(above limit: Int = 0) throws(Failure) {
    guard bytes.count > limit else { return }
    guard bytes.withBytes({ writeAll($0.bytes, to: descriptor) }) else {
      // If the reader has gone away (`| head`), exit silently, as with SIGPIPE.
      if errno == EPIPE { exit(0) }
      throw Failure("cannot write the export (\(String(cString: strerror(errno))))", exitStatus: .inputOutput)
    }
    bytes.removeAll()
  }
}
