import Foundation
import Glibc

/// One request over one connection to a server on this machine: the plainest client there is, so that it adds nothing of its own.
public enum LoopbackHTTP {
  public struct Response: Sendable {
    public let status: Int
    /// Names in lower case.
    public let headers: [String: String]
    public let body: [UInt8]
    public var text: String { String(decoding: body, as: UTF8.self) }
  }

  public enum Failure: Error {
    case cannotConnect(errno: Int32)
    case broken(errno: Int32)
    /// What came was not an answer, or not all of one.
    case notHTTP(String)
  }

  /// Sends a request and reads the answer until the server closes.
  public static func send(
    _ method: String, _ target: String, port: UInt16, headers: [String: String] = [:], body: [UInt8] = [],
    timeout seconds: Int = 30
  ) async throws -> Response {
    try await onOwnThread {
      var fields = ["Host": "127.0.0.1:\(port)", "Connection": "close", "Content-Length": "\(body.count)"]
      fields.merge(headers) { $1 }
      let head = "\(method) \(target) HTTP/1.1\r\n" + fields.map { "\($0.key): \($0.value)\r\n" }.sorted().joined() + "\r\n"
      return try parse(exchange(Array(head.utf8) + body, port: port, timeout: seconds))
    }
  }

  /// Sends a head as it is, but for a wish to end the connection, and gives back the answer's status.
  public static func raw(_ head: String, port: UInt16, timeout seconds: Int = 30) async throws -> Int {
    try await onOwnThread {
      let closing = head.replacingOccurrences(of: "\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
      return try parse(exchange(Array(closing.utf8), port: port, timeout: seconds)).status
    }
  }

  /// Sends bytes as they are and gives back all that comes until the end of the connection. Blocks.
  public static func exchange(_ bytes: [UInt8], port: UInt16, timeout seconds: Int = 30) throws -> [UInt8] {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw Failure.cannotConnect(errno: errno) }
    defer { close(socket) }
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    guard connected == 0 else { throw Failure.cannotConnect(errno: errno) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { throw Failure.broken(errno: errno) }
      rest = rest.dropFirst(count)
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(socket, &chunk, chunk.count, 0)
      if count == 0 { return answer }
      guard count > 0 else { throw Failure.broken(errno: errno) }
      answer += chunk[..<count]
    }
  }

  static func parse(_ bytes: [UInt8]) throws -> Response {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw Failure.notHTTP(text) }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { throw Failure.notHTTP(text) }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { throw Failure.notHTTP(text) }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    let body = Array(bytes[end.upperBound...])
    if let length = headers["content-length"], Int(length) != body.count { throw Failure.notHTTP(text) }
    return Response(status: status, headers: headers, body: body)
  }
}
