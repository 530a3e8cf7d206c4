import Glibc

/// A TCP connection. It is closed with its last reference.
final class Socket: Sendable {
  private let descriptor: Int32

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    // A caller that goes silent in the middle of a request, or never reads its answer, does not keep a thread for ever.
    var limit = timeval(tv_sec: 300, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// What has come, at least a byte; nil at the end, on an error, or when nothing came for long.
  func receive() -> [UInt8]? {
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count > 0 { return Array(chunk[..<count]) }
      if count == 0 || errno != EINTR { return nil }
    }
  }

  /// False when the caller is gone.
  func send(_ bytes: some Collection<UInt8>) -> Bool {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }

  /// Makes the coming `close` a reset: the caller gets ECONNRESET (socket(7), SO_LINGER).
  func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// Blocks until the caller is gone, or the time is up.
  func waitForHangup(milliseconds: Int) {
    // POLLRDHUP, which Swift's Glibc does not show without _GNU_SOURCE (poll(2)).
    let peerClosed: Int16 = 0x2000
    var polled = pollfd(fd: descriptor, events: peerClosed, revents: 0)
    _ = poll(&polled, 1, Int32(clamping: milliseconds))
  }

  /// A socket that listens on a port of 127.0.0.1 only, and the port; nil with errno set.
  static func listen(port: UInt16) -> (descriptor: Int32, port: UInt16)? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let ready = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, length) == 0 && Glibc.listen(descriptor, 1_024) == 0
          && getsockname(descriptor, pointer, &length) == 0
      }
    }
    return ready ? (descriptor, UInt16(bigEndian: address.sin_port)) : nil
  }

  /// The next connection; nil when there can be none.
  static func accept(_ listener: Int32) -> Socket? {
    while true {
      let descriptor = Glibc.accept(listener, nil, nil)
      if descriptor >= 0 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return Socket(descriptor)
      }
      // A caller that gave up in the queue is no error of ours (accept(2)).
      if errno != EINTR, errno != ECONNABORTED { return nil }
    }
  }
}
