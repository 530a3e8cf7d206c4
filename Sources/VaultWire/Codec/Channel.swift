import CSystem
import Glibc

/// The client's end of the agent's socket: one frame out, one frame in, each call blocking.
public final class Channel {
  private let descriptor: Int32

  /// - Parameter descriptor: a connected stream socket, which the channel now owns.
  public init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// How many seconds a connection may wait for its place in the agent's queue, and a message for buffer space.
  public static let timeouts: Int32 = 10

  /// The process at the other end when the connection was made; nil if the kernel does not report it.
  public var peer: Int32? {
    var (pid, uid, gid): (Int32, UInt32, UInt32) = (0, 0, 0)
    return sys_peer_credentials(descriptor, &pid, &uid, &gid) == 0 && pid > 0 ? pid : nil
  }

  /// Connects to the agent.
  ///
  /// - Returns: nil, with `errno` set, if nobody listens there; `EAGAIN` if the connection was not accepted in time.
  public static func connect(to path: String) -> Channel? {
    let descriptor = sys_unix_connect(path, timeouts)
    return descriptor < 0 ? nil : Channel(descriptor: descriptor)
  }

  public func send(_ frame: WireBuffer) throws(WireError) {
    var offset = 0
    while offset < frame.count {
      let sent = frame.withBytes {
        Glibc.send(descriptor, $0.baseAddress! + offset, $0.count - offset, Int32(MSG_NOSIGNAL))
      }
      if sent > 0 {
        offset += sent
      } else if errno == EAGAIN {
        throw .timedOut
      } else if errno != EINTR {
        throw errno == EPIPE || errno == ECONNRESET ? .closed : .system(operation: "write to", code: errno)
      }
    }
  }

  /// The next message.
  ///
  /// - Parameter milliseconds: how long to wait for its first byte; nil for no limit.
  /// - Returns: nil on a timeout.
  public func receive(within milliseconds: Int32? = nil) throws(WireError) -> Message? {
    if let milliseconds {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&waiting, 1, milliseconds)
      if ready == 0 || (ready < 0 && errno == EINTR) { return nil }
    }
    let header = WireBuffer(capacity: 16)
    try read(4, into: header)
    let length = header.length
    guard length >= 4, length <= maxPayloadBytes else { throw .malformed }
    let payload = WireBuffer(capacity: length)
    try read(length, into: payload)
    guard let message = Message(payload) else { throw .malformed }
    return message
  }

  private func read(_ length: Int, into buffer: WireBuffer) throws(WireError) {
    while buffer.count < length {
      let got = buffer.fill(length - buffer.count) { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if got == 0 { throw .closed }
      if got < 0, errno != EINTR { throw errno == ECONNRESET ? .closed : .system(operation: "read from", code: errno) }
    }
  }
}
