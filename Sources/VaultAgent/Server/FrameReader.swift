import Glibc
import VaultWire

/// Assembles frames from the pieces that arrive.
struct FrameReader {
  private var header = WireBuffer(capacity: 16)
  private var payload: WireBuffer?
  private var length = 0

  /// A frame has begun and is not complete.
  var isHalfway: Bool { header.count > 0 }

  enum Result {
    case message(Message)
    /// Nothing more to read for now.
    case later
    /// The peer has gone, or sent something that is not a frame.
    case over
  }

  /// Reads from `connection` until a message is complete.
  mutating func next(from connection: ClientConnection) -> Result {
    while true {
      let buffer = payload ?? header
      let wanted = payload == nil ? 4 : length
      let got = connection.read(into: buffer, atMost: wanted - buffer.count)
      if got == 0 { return .over }
      if got < 0 { return errno == EAGAIN || errno == EWOULDBLOCK ? .later : errno == EINTR ? .later : .over }
      guard buffer.count == wanted else { continue }
      if payload == nil {
        length = header.length
        guard length >= 4, length <= maxPayloadBytes else { return .over }
        payload = WireBuffer(capacity: length)
      } else {
        payload = nil
        header = WireBuffer(capacity: 16)
        guard let message = Message(buffer) else { return .over }
        return .message(message)
      }
    }
  }
}
