import CSystem
import Glibc
import VaultModel

/// A connection to a receiver of log messages. Its calls block for up to some seconds, so they need their own thread.
final class ExporterSocket: Sendable {
  /// Timeout in seconds for a connection or a message.
  static let timeouts = 5
  /// Seconds to wait for the other side to end a stream.
  private static let farewell = 2

  private enum Kind { case unixDatagram, datagram, stream }
  private let kind: Kind
  private let descriptor: Int32

  /// The receiver did not take the message. `isDoubtful`: messages sent shortly before may be lost, too.
  struct Broken: Error {
    let why: String
    var isDoubtful = false
  }

  init(datagramsTo path: String) throws(Broken) {
    kind = .unixDatagram
    descriptor = sys_unix_datagram_connect(path)
    guard descriptor >= 0 else { throw Self.broken(path, errno) }
    limitWaiting()
  }

  init(_ address: SyslogAddress) throws(Broken) {
    switch address {
    case .unix(let path):
      kind = .unixDatagram
      descriptor = sys_unix_datagram_connect(path)
      guard descriptor >= 0 else { throw Self.broken(path, errno) }
    case .udp(let host, let port):
      kind = .datagram
      descriptor = try Self.connect(host, port: port, type: Int32(SOCK_DGRAM.rawValue), for: address)
    case .tcp(let host, let port):
      kind = .stream
      descriptor = try Self.connect(host, port: port, type: Int32(SOCK_STREAM.rawValue), for: address)
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
    }
    limitWaiting()
  }

  deinit { close(descriptor) }

  /// The first address of the host that accepts the connection. The send timeout also limits `connect(2)` (socket(7)).
  private static func connect(_ host: String, port: UInt16, type: Int32, for address: SyslogAddress) throws(Broken) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = type
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &found)
    guard code == 0 else { throw Broken(why: "\(host): \(String(cString: gai_strerror(code)))") }
    defer { freeaddrinfo(found) }
    var reason = ENOENT
    var next = found
    while let entry = next?.pointee {
      next = entry.ai_next
      let descriptor = socket(entry.ai_family, type | Int32(SOCK_CLOEXEC.rawValue), 0)
      guard descriptor >= 0 else {
        reason = errno
        continue
      }
      Self.limitWaiting(descriptor)
      if Glibc.connect(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 { return descriptor }
      reason = errno
      close(descriptor)
    }
    throw broken(address.description, reason)
  }

  private func limitWaiting() { Self.limitWaiting(descriptor) }

  private static func limitWaiting(_ descriptor: Int32) {
    var limit = timeval(tv_sec: timeouts, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  private static func broken(_ what: String, _ code: Int32, isDoubtful: Bool = false) -> Broken {
    Broken(
      why: "\(what): \(code == EAGAIN || code == EINPROGRESS ? "accepts no data" : String(cString: strerror(code)))",
      isDoubtful: isDoubtful)
  }

  /// Sends a message: as a datagram, or as bytes of a stream.
  ///
  /// - Parameter inFile: whether a message that is too long for a datagram may be sent as a file in memory.
  func send(_ bytes: [UInt8], inFile: Bool = false) throws(Broken) {
    var offset = 0
    repeat {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + offset, $0.count - offset, Int32(MSG_NOSIGNAL))
      }
      if sent < 0 {
        let code = errno
        if code == EINTR { continue }
        if code == EMSGSIZE || code == ENOBUFS, inFile {
          if bytes.withUnsafeBytes({ sys_send_in_memory_file(descriptor, $0.baseAddress, $0.count) }) == 0 { return }
        }
        throw Self.broken("the receiver", code, isDoubtful: kind != .unixDatagram)
      }
      offset += sent
    } while kind == .stream && offset < bytes.count
  }

  /// Whether the other side has not ended the connection. A side that ends it without having read everything sends a reset (RFC
  /// 2525, 2.17).
  func isOpen() throws(Broken) -> Bool {
    guard kind == .stream else {
      try checkError()
      return true
    }
    var byte: UInt8 = 0
    let got = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    if got < 0, errno != EAGAIN, errno != EINTR { throw Self.broken("the receiver", errno, isDoubtful: true) }
    return got != 0
  }

  /// Ends a stream in good order, and waits for the other side to end it: it does so once it has read everything, or resets it if
  /// it goes away before (RFC 2525, 2.17).
  ///
  /// - Returns: nil if that is unknown, because the other side keeps the stream open.
  func end() throws(Broken) -> Bool? {
    guard kind == .stream else { return true }
    sys_end_sending(descriptor)
    var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var bytes = [UInt8](repeating: 0, count: 4_096)
    for _ in 0..<(Self.farewell * 10) {
      guard poll(&one, 1, 100) > 0 else { continue }
      let got = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      if got == 0 { return true }
      if got < 0, errno != EAGAIN, errno != EINTR { throw Self.broken("the receiver", errno, isDoubtful: true) }
    }
    return nil
  }

  /// Waits until the other side's kernel has everything that was sent.
  func resolve() throws(Broken) {
    guard kind == .stream else { return try checkError() }
    for _ in 0..<(Self.timeouts * 200) {
      var waiting: Int32 = 0
      // SIOCOUTQ (tcp(7)): bytes that were sent and not acknowledged.
      guard ioctl(descriptor, 0x5411, &waiting) == 0, waiting > 0 else { return try checkError() }
      try checkError()
      usleep(5_000)
    }
    throw Broken(why: "the receiver accepts no data", isDoubtful: true)
  }

  /// Throws the error that the network reported for an earlier message.
  private func checkError() throws(Broken) {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0, code != 0 else { return }
    throw Self.broken("the receiver", code, isDoubtful: true)
  }
}
