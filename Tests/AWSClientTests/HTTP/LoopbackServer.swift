import Glibc
import Synchronization

/// A server on 127.0.0.1 that answers each request with what a closure makes of it: HTTP/1.1 with as little as the tests need.
final class LoopbackServer: Sendable {
  struct Request: Sendable {
    /// `POST /path HTTP/1.1`
    let line: String
    /// Names in lower case.
    let headers: [String: String]
    let body: String
    /// Which connection it came over, from 1.
    let connection: Int
  }

  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  let port: UInt16
  private let listener: Int32
  private let greeting: String?
  private let answer: @Sendable (Request) -> String?
  private let state = Mutex<(requests: [Request], connections: [Int32])>(([], []))

  /// - Parameters:
  ///   - greeting: sent before anything is asked.
  ///   - answer: the whole answer as it goes over the wire; nil to never answer.
  init(greeting: String? = nil, _ answer: @escaping @Sendable (Request) -> String?) throws {
    struct CannotListen: Error {}
    self.greeting = greeting
    self.answer = answer
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, address, &length) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard isBound else { throw CannotListen() }
    Self.thread { [self] in accept() }
  }

  var url: String { "http://127.0.0.1:\(port)/" }
  var requests: [Request] { state.withLock { $0.requests } }
  var connections: Int { state.withLock { $0.connections.count } }

  /// Ends the server and its connections; without it they live as long as the tests.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    for connection in state.withLock({ $0.connections }) { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  static func ok(_ body: String, headers: String = "") -> String {
    "HTTP/1.1 200 OK\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private static func thread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
        return nil
      }, work.toOpaque())
    pthread_detach(thread)
  }

  private func accept() {
    while true {
      let connection = Glibc.accept(listener, nil, nil)
      guard connection >= 0 else { return }
      let number = state.withLock { state in
        state.connections.append(connection)
        return state.connections.count
      }
      Self.thread { [self] in serve(connection, number) }
    }
  }

  private func serve(_ connection: Int32, _ number: Int) {
    defer { shutdown(connection, Int32(SHUT_RDWR)) }
    var pending: [UInt8] = []
    if let greeting, !write(greeting, to: connection) { return }
    while let request = read(connection, &pending, number) {
      state.withLock { $0.requests.append(request) }
      guard let text = answer(request) else {
        // Until the other side goes.
        var byte: UInt8 = 0
        _ = recv(connection, &byte, 1, 0)
        return
      }
      guard write(text, to: connection) else { return }
    }
  }

  private func write(_ text: String, to connection: Int32) -> Bool {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  private func read(_ connection: Int32, _ pending: inout [UInt8], _ number: Int) -> Request? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      if let request = parse(&pending, number) { return request }
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      pending += buffer[..<count]
    }
  }

  private func parse(_ pending: inout [UInt8], _ number: Int) -> Request? {
    let text = String(decoding: pending, as: UTF8.self)
    // A line break of HTTP is one Character in Swift.
    var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
    guard let end = lines.firstIndex(of: ""), end < lines.index(before: lines.endIndex) else { return nil }
    let body = lines[(end + 1)...].joined(separator: "\r\n")
    lines = lines[..<end]
    let line = lines.popFirst().map(String.init) ?? ""
    var headers: [String: String] = [:]
    for header in lines {
      guard let colon = header.firstIndex(of: ":") else { continue }
      headers[header[..<colon].lowercased()] = String(header[header.index(after: colon)...].drop { $0 == " " })
    }
    guard body.utf8.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0 else { return nil }
    pending.removeAll()
    return Request(line: line, headers: headers, body: body, connection: number)
  }
}
