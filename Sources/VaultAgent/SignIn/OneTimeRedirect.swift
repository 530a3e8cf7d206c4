import Synchronization
import VaultModel
import VaultSecrets

/// Opens a secret URL in the person's browser without putting it on a command line, which every user of the machine can read: the
/// browser gets a loopback address that redirects only this user's programs, and for a limited time.
final class OneTimeRedirect: Sendable {
  /// Seconds.
  static let timeouts: Int64 = 60

  private let clock: any WallClock
  private let rejections: RejectionMonitor
  private let servers = Mutex<[String: LoopbackServer]>([:])

  /// - Parameter rejections: records other users' connections.
  init(clock: any WallClock, rejections: RejectionMonitor) {
    self.clock = clock
    self.rejections = rejections
  }

  /// - Parameters:
  ///   - once: whether the address stops working after the first visit.
  ///   - seconds: how long the address works.
  ///   - isAllowed: asked when the browser comes: what was taken back meanwhile opens nothing.
  /// - Returns: the address for the browser.
  func open(
    _ url: SecretBytes, once: Bool = true, for seconds: Int64 = timeouts, isAllowed: @escaping @Sendable () -> Bool = { true }
  ) throws
    -> String
  {
    let path = SecretBytes.random(count: 32).withBytes { Base64.urlEncoded($0) }.withBytes {
      "/" + String(decoding: $0, as: UTF8.self)
    }
    let destination = Destination(url, once: once)
    let server = try LoopbackServer(
      turnedAway: { [rejections] in rejections.record($0, at: "the browser's redirect") },
      answer: { request, port in
        guard request.method == "GET", request.path == path, request.values(of: "host") == ["127.0.0.1:\(port)"],
          isAllowed(), let url = destination.consume()
        else { return LoopbackServer.Response(status: 404, body: SecretBytes("Not found.\n")) }
        let location = url.withBytes { String(decoding: $0, as: UTF8.self) }
        return LoopbackServer.Response(
          status: 302, body: SecretBytes(""), headers: [("Location", location), ("Referrer-Policy", "no-referrer")])
      })
    let address = "http://127.0.0.1:\(server.port)\(path)"
    servers.withLock { $0[address] = server }
    // Ends by itself after the timeout; nobody waits for it.
    Task(executorPreference: AgentExecutor.current) { [weak self, clock] in
      try? await clock.sleep(until: clock.now().adding(seconds: seconds))
      self?.close(address)
    }
    return address
  }

  /// The address stops working.
  func close(_ address: String) {
    let over = servers.withLock { $0.removeValue(forKey: address) }
    // Releasing the last reference waits for the server's thread.
    _ = over
  }

  private final class Destination: Sendable {
    private let value: Mutex<SecretBytes?>
    private let once: Bool

    init(_ value: SecretBytes, once: Bool) {
      self.value = Mutex(value)
      self.once = once
    }

    func consume() -> SecretBytes? {
      value.withLock { value in
        defer { if once { value = nil } }
        return value
      }
    }
  }
}
