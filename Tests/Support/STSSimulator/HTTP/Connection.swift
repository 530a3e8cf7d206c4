import Foundation
import SimulatorModel
import VaultModel

/// One connection: reads requests, has them answered, and lets the faults of the wire happen. It blocks its thread.
struct Connection {
  let socket: Socket
  let number: Int
  let simulator: Simulator
  private var received: [UInt8] = []

  init(socket: Socket, number: Int, simulator: Simulator) {
    self.socket = socket
    self.number = number
    self.simulator = simulator
  }

  /// Serves the connection until it ends.
  mutating func serve() {
    while true {
      do throws(HTTPRequest.Malformed) {
        guard let request = try nextRequest(), answer(request) else { return }
      } catch {
        let (status, word) =
          switch error {
          case .badRequest: (400, "bad request")
          case .headTooLarge: (431, "head too large")
          case .bodyTooLarge: (413, "body too large")
          case .lengthRequired: (411, "length required")
          case .methodNotAllowed: (405, "method not allowed")
          }
        let response = HTTPResponse(status: status, contentType: "text/plain", body: word + "\n")
        _ = socket.send(response.bytes(date: SystemClock().now(), keepAlive: false))
        return
      }
    }
  }

  /// The next request whole; nil at the end of the connection.
  private mutating func nextRequest() throws(HTTPRequest.Malformed) -> HTTPRequest? {
    let blank = Array("\r\n\r\n".utf8)
    var searched = 0
    var end = received.firstRange(of: blank)
    while end == nil {
      guard received.count <= HTTPRequest.headLimit else { throw .headTooLarge }
      searched = max(0, received.count - 3)
      guard let more = socket.receive() else { return nil }
      received += more
      end = received[searched...].firstRange(of: blank)
    }
    guard let end, end.lowerBound <= HTTPRequest.headLimit else { throw .headTooLarge }
    var request = try HTTPRequest(head: received[..<end.lowerBound])
    let length = try request.bodyLength()
    if request["expect"]?.lowercased() == "100-continue", received.count < end.upperBound + length {
      guard socket.send("HTTP/1.1 100 Continue\r\n\r\n".utf8) else { return nil }
    }
    while received.count < end.upperBound + length {
      guard let more = socket.receive() else { return nil }
      received += more
    }
    request.body = Array(received[end.upperBound..<(end.upperBound + length)])
    received.removeFirst(end.upperBound + length)
    return request
  }

  /// Answers one request; false when the connection is to end.
  private func answer(_ request: HTTPRequest) -> Bool {
    let stays = request["connection"]?.lowercased() != "close"
    if request.path.hasPrefix("/_sim/") {
      let response = Control(simulator: simulator).answer(request)
      return socket.send(response.bytes(date: SystemClock().now(), keepAlive: stays)) && stays
    }
    let reply = simulator.answer(request, connection: number)
    let keepAlive = reply.keepAlive && stays
    let bytes = reply.response?.bytes(date: reply.date, keepAlive: keepAlive) ?? []
    switch reply.fault?.kind {
    case .reset, .dropAnswer:
      socket.resetOnClose()
      return false
    case .close:
      return false
    case .stall:
      socket.waitForHangup(milliseconds: reply.fault?.delayMs ?? 120_000)
      return false
    case .notHTTP:
      _ = socket.send((reply.fault?.text ?? "\u{15}\u{3}\u{1} this is no HTTP\r\n\r\n").utf8)
      return false
    case .truncate:
      _ = socket.send(bytes.prefix(bytes.count - (reply.response?.body.count ?? 0) / 2))
      return false
    case .slow:
      let step = max(1, (reply.fault?.delayMs ?? 1_000) / max(1, bytes.count))
      for byte in bytes {
        guard socket.send(CollectionOfOne(byte)) else { return false }
        Thread.sleep(forTimeInterval: Double(step) / 1_000)
      }
      return keepAlive
    default:
      return socket.send(bytes) && keepAlive
    }
  }
}
