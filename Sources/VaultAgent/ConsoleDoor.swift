import Synchronization
import VaultModel
import VaultSecrets

/// Leads the person's browser to a URL that is a secret, without that URL on any command line: the browser is given an address on
/// loopback, which works once, for a minute, and for this user's programs alone.
final class ConsoleDoor: Sendable {
  /// Seconds.
  static let patience: Int64 = 60

  private let clock: any WallClock
  private let servers = Mutex<[String: LoopbackServer]>([:])

  init(clock: any WallClock) { self.clock = clock }

  /// - Returns: the address for the browser.
  func open(_ url: SecretBytes) throws -> String {
    let key = SecretBytes.random(count: 32).withBytes { base64URL($0) }.withBytes { String(decoding: $0, as: UTF8.self) }
    let path = "/" + key
    let once = Once(url)
    let server = try LoopbackServer(ownUserOnly: true) { request, port in
      guard request.method == "GET", request.path == path, request.values(of: "host") == ["127.0.0.1:\(port)"],
        let url = once.take()
      else { return LoopbackServer.Response(status: 404, body: SecretBytes("Nothing is here.\n")) }
      let location = url.withBytes { String(decoding: $0, as: UTF8.self) }
      return LoopbackServer.Response(
        status: 302, body: SecretBytes(""), headers: [("Location", location), ("Referrer-Policy", "no-referrer")])
    }
    servers.withLock { $0[key] = server }
    // Ends by itself after the minute; nobody waits for it.
    Task(executorPreference: AgentLane.current) { [weak self, clock] in
      try? await clock.sleep(until: clock.now().adding(seconds: Self.patience))
      let over = self?.servers.withLock { $0.removeValue(forKey: key) }
      _ = over
    }
    return "http://127.0.0.1:\(server.port)\(path)"
  }

  private final class Once: Sendable {
    private let value: Mutex<SecretBytes?>
    init(_ value: SecretBytes) { self.value = Mutex(value) }

    func take() -> SecretBytes? {
      value.withLock { value in
        defer { value = nil }
        return value
      }
    }
  }
}
