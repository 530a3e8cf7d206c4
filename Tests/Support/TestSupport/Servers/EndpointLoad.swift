import Foundation
import Glibc
import Synchronization

/// Programs that ask the credential endpoint as fast as it answers, over connections that they keep open, and note when each request
/// went out and what came back.
public final class EndpointLoad: Sendable {
  /// One request, by the monotonic clock, in nanoseconds.
  public struct Sample: Sendable {
    public let sent: UInt64
    public let received: UInt64
    public let status: Int
    /// Whether the answer has the key that was being served when the load began.
    public let isFirstKey: Bool
  }

  private struct State {
    var samples: [Sample] = []
    var running: Int
  }
  private let state: Mutex<State>
  private let isOver = Atomic(false)

  public static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// - Parameter key: the access key ID that is served now.
  public init(port: UInt16, token: String, key: String, connections: Int = 4) {
    state = Mutex(State(running: connections))
    let head = Array("GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAuthorization: \(token)\r\n\r\n".utf8)
    for _ in 0..<connections {
      Thread { [self] in
        var samples: [Sample] = []
        var socket: Int32 = -1
        while !isOver.load(ordering: .relaxed) {
          if socket < 0 { socket = Self.connect(port) }
          let sent = Self.now
          guard let answer = Self.ask(socket, head) else {
            close(socket)
            socket = -1
            continue
          }
          samples.append(
            Sample(sent: sent, received: Self.now, status: answer.status, isFirstKey: answer.text.contains(key)))
        }
        close(socket)
        state.withLock { state in
          state.samples += samples
          state.running -= 1
        }
      }.start()
    }
  }

  /// Ends the load.
  public func end() async throws -> [Sample] {
    isOver.store(true, ordering: .relaxed)
    while state.withLock({ $0.running }) > 0 { try await Task.sleep(for: .milliseconds(2)) }
    return state.withLock { $0.samples }
  }

  private static func connect(_ port: UInt16) -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return socket
  }

  /// - Returns: nil where the connection has ended.
  private static func ask(_ socket: Int32, _ head: [UInt8]) -> (status: Int, text: String)? {
    guard socket >= 0, head.withUnsafeBytes({ send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }) == head.count else {
      return nil
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = recv(socket, &chunk, chunk.count, 0)
      guard count > 0 else { return nil }
      bytes += chunk[..<count]
      guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { continue }
      let text = String(decoding: bytes, as: UTF8.self)
      guard let name = text.range(of: "Content-Length: "), let length = Int(text[name.upperBound...].prefix { $0.isNumber }),
        bytes.count >= end.upperBound + length, let status = Int(text.dropFirst(9).prefix(3))
      else { continue }
      return (status, text)
    }
  }
}
