import CMicrohttpd
import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultSecrets

// The only file that calls libmicrohttpd.

/// A small HTTP server on 127.0.0.1, on its own thread.
///
/// It takes requests without a body only. A request is answered at once, or waits without blocking others.
final class LoopbackServer: Sendable {
  /// A request as received, not validated. Usable until it is answered.
  struct Request {
    fileprivate let connection: OpaquePointer
    fileprivate let serverPort: Int
    let method: String
    let path: String

    /// The caller's socket; nil if no process has it any more.
    var callerSocket: CallerSocket? {
      var (address, port, number): (UInt32, UInt16, UInt32) = (0, 0, 0)
      guard vault_http_peer(connection, &address, &port) == 0 else { return nil }
      let owner = sys_tcp_owner(address, port, UInt16(truncatingIfNeeded: serverPort), &number)
      return UInt32(exactly: owner).map { CallerSocket(port: port, number: number, owner: $0) }
    }

    /// Passes each header to `body`, without a copy.
    func forEachHeader(_ body: @escaping (_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) -> Void) {
      LoopbackServer.forEach(MHD_ValueKind.HEADER_KIND, of: connection, body)
    }

    /// Every value of a header.
    func values(of header: String) -> [String] {
      var values: [String] = []
      forEachHeader { name, value in if strcasecmp(name, header) == 0 { values.append(String(cString: value)) } }
      return values
    }

    /// The single value of a query parameter, decoded; nil if there is none, or more than one.
    func only(_ name: String) -> String? {
      var values: [String] = []
      LoopbackServer.forEach(MHD_ValueKind.GET_ARGUMENT_KIND, of: connection) { key, value in
        if strcmp(key, name) == 0 { values.append(String(cString: value)) }
      }
      return values.count == 1 ? values[0] : nil
    }

    var hasQuery: Bool {
      var has = false
      LoopbackServer.forEach(MHD_ValueKind.GET_ARGUMENT_KIND, of: connection) { _, _ in has = true }
      return has
    }
  }

  /// A response, built once and usable for any number of requests.
  final class Response: Sendable {
    let status: UInt32
    /// Safe to share: libmicrohttpd counts its references, and never changes it once it is built.
    fileprivate nonisolated(unsafe) let form: OpaquePointer?

    /// - Parameter headers: in addition to those of every response.
    init(
      status: UInt32, type: String = "text/plain; charset=utf-8", body: SecretBytes, headers: [(name: String, value: String)] = []
    ) {
      self.status = status
      form = body.withBytes { bytes in
        MHD_create_response_from_buffer(bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
      }
      guard let form else { return }
      let common = [("Content-Type", type), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
      for header in common + headers { MHD_add_response_header(form, header.0, header.1) }
    }

    deinit { if let form { MHD_destroy_response(form) } }
  }

  /// How a request is answered.
  enum Answer {
    case now(Response)
    /// The handler is called again at the end of the wait, and answers then.
    case later(Wait)
  }

  /// A request's wait for its response. Nothing blocks meanwhile.
  final class Wait: Sendable {
    /// The connection's address; nil before the wait starts and after it ends.
    private let state = Mutex<(connection: UInt?, isOver: Bool)>((nil, false))

    /// Ends the wait, from any thread. Further calls do nothing.
    func end() {
      state.withLock { state in
        state.isOver = true
        // The connection exists until it is resumed: libmicrohttpd does not even poll a suspended one.
        if let connection = state.connection { MHD_resume_connection(OpaquePointer(bitPattern: connection)) }
        state.connection = nil
      }
    }

    fileprivate func begin(_ connection: OpaquePointer) {
      state.withLock { state in
        MHD_suspend_connection(connection)
        if state.isOver { MHD_resume_connection(connection) } else { state.connection = UInt(bitPattern: connection) }
      }
    }
  }

  /// Limits on the server's resources.
  struct Limits: Sendable {
    /// In the last quarter of these, the oldest connection is closed for each new one, so that idle connections cannot block
    /// others.
    var connections: UInt32 = 16
    /// Idle timeout in seconds.
    var idle: UInt32 = 10
    /// Bytes for the headers of one request.
    var memory = 16 * 1_024
  }

  /// The connections, in the order in which they arrived.
  private struct Guests {
    var sockets: [Int: Int32] = [:]
    var latest = 0
  }

  private final class Handler: Sendable {
    /// The last argument: whether the request has waited, and must be answered now.
    let answer: @Sendable (Request, Int, Bool) -> Answer
    private let rootToo: Bool
    private let turnedAway: @Sendable (LoopbackPeer) -> Void
    private let crowd: UInt32
    private let guests = Mutex(Guests())
    private let boundPort = Atomic(0)
    /// Keyed by the connection's address; nil once the server ends.
    private let waits = Mutex<[UInt: Wait]?>([:])

    init(
      limits: Limits, rootToo: Bool, _ turnedAway: @escaping @Sendable (LoopbackPeer) -> Void,
      _ answer: @escaping @Sendable (Request, Int, Bool) -> Answer
    ) {
      self.turnedAway = turnedAway
      crowd = limits.connections - limits.connections / 4
      self.rootToo = rootToo
      self.answer = answer
    }

    func came(_ socket: Int32) -> Int {
      guests.withLock { guests in
        if guests.sockets.count >= crowd, let oldest = guests.sockets.min(by: { $0.key < $1.key }) {
          guests.sockets[oldest.key] = nil
          // The server notices the end, and closes it.
          sys_end_connection(oldest.value)
        }
        guests.latest += 1
        guests.sockets[guests.latest] = socket
        return guests.latest
      }
    }

    func left(_ number: Int) { guests.withLock { $0.sockets[number] = nil } }

    func begin(_ wait: Wait, of connection: OpaquePointer) {
      let isOpen = waits.withLock { waits in
        waits?[UInt(bitPattern: connection)] = wait
        return waits != nil
      }
      if !isOpen { wait.end() }
      wait.begin(connection)
    }

    /// - Returns: whether it has waited.
    func endWait(of connection: OpaquePointer) -> Bool {
      waits.withLock { waits in
        guard waits?.isEmpty == false else { return waits == nil }
        return waits?.removeValue(forKey: UInt(bitPattern: connection)) != nil
      }
    }

    /// The server ends: all waits end.
    func endWaits() {
      let last = waits.withLock { waits in
        defer { waits = nil }
        return waits
      }
      for wait in (last ?? [:]).values { wait.end() }
    }

    var port: Int {
      get { boundPort.load(ordering: .relaxed) }
      set { boundPort.store(newValue, ordering: .relaxed) }
    }

    func accepts(_ peer: LoopbackPeer) -> Bool {
      if peer.isOwn(rootToo: rootToo) { return true }
      turnedAway(peer)
      return false
    }
  }

  /// Safe to share: libmicrohttpd's functions lock, and it is stopped once, in `deinit`.
  private nonisolated(unsafe) let server: OpaquePointer
  private let handler: Handler
  let port: Int

  /// - Parameters:
  ///   - port: 0 to let the kernel choose one.
  ///   - rootToo: accepts root's connections as well as the agent's own user's; all others are closed without a response.
  ///   - turnedAway: called for each connection that is closed.
  ///   - answer: called on the server's thread, with the port and whether the request has waited; a request that has waited must be
  ///     answered now.
  init(
    limits: Limits = Limits(), port: Int = 0, rootToo: Bool = false, turnedAway: @escaping @Sendable (LoopbackPeer) -> Void,
    answer: @escaping @Sendable (Request, Int, Bool) -> Answer
  ) throws(AgentError) {
    handler = Handler(limits: limits, rootToo: rootToo, turnedAway, answer)
    let started = vault_http_start(
      vault_http_limits(connections: limits.connections, idle: limits.idle, memory: limits.memory),
      UInt16(truncatingIfNeeded: port),
      { context, address, length in
        guard let context, let address else { return .NO }
        let handler = Unmanaged<Handler>.fromOpaque(context).takeUnretainedValue()
        var (source, port): (UInt32, UInt16) = (0, 0)
        guard vault_http_source(address, length, &source, &port) == 0 else { return .NO }
        return handler.accepts(LoopbackPeer(address: source, port: port, serverPort: handler.port)) ? .YES : .NO
      },
      { context, connection, url, method, _, _, size, state in
        LoopbackServer.handle(context, connection, url, method, size, state)
      },
      { context, connection, number, what in
        guard let context, let connection, let number else { return }
        let handler = Unmanaged<Handler>.fromOpaque(context).takeUnretainedValue()
        if what == .CONNECTION_NOTIFY_STARTED {
          number.pointee = UnsafeMutableRawPointer(bitPattern: handler.came(vault_http_socket(connection)))
        } else {
          handler.left(Int(bitPattern: number.pointee))
        }
      }, Unmanaged.passUnretained(handler).toOpaque())
    guard let started else { throw .system(what: port == 0 ? "listen on 127.0.0.1" : "listen on 127.0.0.1:\(port)", code: errno) }
    server = started
    self.port = Int(vault_http_port(started))
    handler.port = self.port
  }

  deinit {
    handler.endWaits()
    MHD_stop_daemon(server)
  }

  /// A server that answers every request at once.
  convenience init(
    turnedAway: @escaping @Sendable (LoopbackPeer) -> Void, answer: @escaping @Sendable (Request, Int) -> Response
  ) throws(AgentError) {
    try self.init(turnedAway: turnedAway) { request, port, _ in .now(answer(request, port)) }
  }

  private static func handle(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ size: UnsafeMutablePointer<Int>?, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> MHD_Result {
    guard let context, let connection, let url, let method, let size, let state else { return .NO }
    // The first call has the headers only; a response at this point would close the connection.
    if state.pointee == nil {
      state.pointee = context
      return .YES
    }
    // A body is discarded, piece by piece.
    if size.pointee > 0 {
      size.pointee = 0
      return .YES
    }
    let handler = Unmanaged<Handler>.fromOpaque(context).takeUnretainedValue()
    let request = Request(
      connection: connection, serverPort: handler.port, method: String(cString: method), path: String(cString: url))
    switch handler.answer(request, handler.port, handler.endWait(of: connection)) {
    case .now(let response):
      guard let form = response.form else { return .NO }
      return MHD_queue_response(connection, response.status, form)
    case .later(let wait):
      handler.begin(wait, of: connection)
      return .YES
    }
  }

  private struct Visit {
    let body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void
  }

  /// Escaping, although it does not: the check of withoutActuallyEscaping puts the length of this file's path into the program, which
  /// then is another one in each folder that it is built in.
  private static func forEach(
    _ kind: MHD_ValueKind, of connection: OpaquePointer,
    _ body: @escaping (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void
  ) {
    var visit = Visit(body: body)
    withUnsafeMutablePointer(to: &visit) { visit in
      _ = MHD_get_connection_values(
        connection, kind,
        { context, _, key, value in
          guard let context, let key else { return .YES }
          let visit = context.assumingMemoryBound(to: Visit.self)
          if let value { visit.pointee.body(key, value) } else { "".withCString { visit.pointee.body(key, $0) } }
          return .YES
        }, visit)
    }
  }
}
