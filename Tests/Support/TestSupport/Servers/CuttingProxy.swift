import Foundation
import Glibc
import Synchronization

/// Stands before a server and cuts each connection after so many bytes in one direction or the other: in the middle of a row, or when the
/// server has committed and its answer is on the way.
public final class CuttingProxy: Sendable {
  private let listener: LoopbackListener
  private let target: String
  private let random: Mutex<SeededGenerator>
  private let counts = Mutex<(connections: Int, cuts: Int)>((0, 0))
  /// The most bytes of a connection, from the client and from the server.
  private let most: (sent: Int, answered: Int)

  public var port: UInt16 { listener.port }
  public var connections: Int { counts.withLock { $0.connections } }
  public var cuts: Int { counts.withLock { $0.cuts } }

  /// - Parameter target: the path of the server's Unix socket.
  public init(to target: String, seed: UInt64, most: (sent: Int, answered: Int)) throws {
    listener = try LoopbackListener()
    self.target = target
    self.most = most
    random = Mutex(SeededGenerator(seed: seed))
    let descriptor = listener.descriptor
    Thread.detachNewThread { [weak self] in
      while true {
        let client = accept(descriptor, nil, nil)
        guard client >= 0 else { return }
        guard let self else {
          close(client)
          return
        }
        self.serve(client)
      }
    }
  }

  // Wakes the thread that accepts; `close` alone would not.
  deinit { shutdown(listener.descriptor, Int32(SHUT_RDWR)) }

  private func serve(_ client: Int32) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: target.utf8.prefix(107)) }
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(server, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard connected == 0 else {
      close(client)
      close(server)
      return
    }
    let (sent, answered) = random.withLock { random in
      (Int.random(in: 0...most.sent, using: &random), Int.random(in: 0...most.answered, using: &random))
    }
    counts.withLock { $0.connections += 1 }
    let pair = Pair(client: client, server: server)
    Thread.detachNewThread { self.pump(from: client, to: server, most: sent, pair) }
    Thread.detachNewThread { self.pump(from: server, to: client, most: answered, pair) }
  }

  /// Both ends, closed when neither thread needs them any more.
  private final class Pair: Sendable {
    let client: Int32
    let server: Int32

    init(client: Int32, server: Int32) {
      self.client = client
      self.server = server
    }

    func cut() {
      shutdown(client, Int32(SHUT_RDWR))
      shutdown(server, Int32(SHUT_RDWR))
    }

    deinit {
      close(client)
      close(server)
    }
  }

  private func pump(from source: Int32, to exporter: Int32, most: Int, _ pair: Pair) {
    var left = most
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = recv(source, &buffer, buffer.count, 0)
      guard count > 0 else { return pair.cut() }
      var start = 0
      while start < min(count, left) {
        let written = buffer.withUnsafeBytes {
          send(exporter, $0.baseAddress! + start, min(count, left) - start, Int32(MSG_NOSIGNAL))
        }
        guard written > 0 else { return pair.cut() }
        start += written
      }
      left -= count
      if left < 0 {
        counts.withLock { $0.cuts += 1 }
        return pair.cut()
      }
    }
  }
}
