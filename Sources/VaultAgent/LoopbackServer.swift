import CMicrohttpd
import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultSecrets

// The one file that calls libmicrohttpd.

/// A small HTTP server on 127.0.0.1, at a port that the kernel chooses, on a thread of its own.
///
/// Requests without a body only; what is asked is answered at once.
final class LoopbackServer: Sendable {
  /// A request as it came; nothing in it has been believed yet.
  struct Request: Sendable {
    let method: String
    let path: String
    /// Every value of a header, by its name in lower case.
    let headers: [String: [String]]
    /// Every value of a query's name, decoded.
    let query: [String: [String]]

    /// The one value of a query's name; nil where there is none, or more.
    func only(_ name: String) -> String? { query[name].flatMap { $0.count == 1 ? $0[0] : nil } }
  }

  struct Response: Sendable {
    var status: UInt32
    var type = "text/plain; charset=utf-8"
    var body: SecretBytes
    /// Beside those that every answer has.
    var headers: [(name: String, value: String)] = []
  }

  /// What the server may cost.
  struct Limits: Sendable {
    var connections: UInt32 = 16
    /// Seconds without a byte.
    var idle: UInt32 = 10
    /// Bytes for the headers of one request.
    var memory = 16 * 1_024
  }

  private final class Handler: Sendable {
    let answer: @Sendable (Request, Int) -> Response
    let ownUserOnly: Bool
    private let boundPort = Atomic(0)

    init(ownUserOnly: Bool, _ answer: @escaping @Sendable (Request, Int) -> Response) {
      self.ownUserOnly = ownUserOnly
      self.answer = answer
    }

    var port: Int {
      get { boundPort.load(ordering: .relaxed) }
      set { boundPort.store(newValue, ordering: .relaxed) }
    }

    /// Whether a connection from that port of this machine is our own user's, by the kernel's word.
    func accepts(_ clientPort: UInt32) -> Bool {
      guard ownUserOnly else { return true }
      return sys_tcp_owner(UInt16(truncatingIfNeeded: clientPort), UInt16(truncatingIfNeeded: port)) == Int64(geteuid())
    }
  }

  /// Sound to share: libmicrohttpd's own functions lock, and it is stopped once, in `deinit`.
  private nonisolated(unsafe) let server: OpaquePointer
  private let handler: Handler
  let port: Int

  /// - Parameters:
  ///   - ownUserOnly: turns away connections of other users of this machine.
  ///   - answer: called on the server's thread, with the port.
  init(limits: Limits = Limits(), ownUserOnly: Bool = false, answer: @escaping @Sendable (Request, Int) -> Response)
    throws(AgentError)
  {
    handler = Handler(ownUserOnly: ownUserOnly, answer)
    let started = vault_http_start(
      vault_http_limits(connections: limits.connections, idle: limits.idle, memory: limits.memory),
      { context, address, length in
        guard let context, let address else { return .NO }
        let handler = Unmanaged<Handler>.fromOpaque(context).takeUnretainedValue()
        return handler.accepts(vault_http_address_port(address, length)) ? .YES : .NO
      },
      { context, connection, url, method, _, _, size, state in
        LoopbackServer.handle(context, connection, url, method, size, state)
      }, Unmanaged.passUnretained(handler).toOpaque())
    guard let started else { throw .system(what: "listen on 127.0.0.1", code: errno) }
    server = started
    port = Int(vault_http_port(started))
    handler.port = port
  }

  deinit { MHD_stop_daemon(server) }

  private static func handle(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ size: UnsafeMutablePointer<Int>?, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> MHD_Result {
    guard let context, let connection, let url, let method, let size, let state else { return .NO }
    // Called first with the headers alone; to answer then would close the connection.
    if state.pointee == nil {
      state.pointee = context
      return .YES
    }
    // A body is passed over, piece by piece.
    if size.pointee > 0 {
      size.pointee = 0
      return .YES
    }
    let request = Request(
      method: String(cString: method), path: String(cString: url),
      headers: values(of: connection, .HEADER_KIND) { $0.lowercased() },
      query: values(of: connection, .GET_ARGUMENT_KIND) { $0 })
    let handler = Unmanaged<Handler>.fromOpaque(context).takeUnretainedValue()
    return send(handler.answer(request, handler.port), to: connection)
  }

  private final class Pairs {
    var values: [String: [String]] = [:]
    let name: (String) -> String
    init(_ name: @escaping (String) -> String) { self.name = name }
  }

  private static func values(of connection: OpaquePointer, _ kind: MHD_ValueKind, _ name: @escaping (String) -> String)
    -> [String: [String]]
  {
    let pairs = Pairs(name)
    MHD_get_connection_values(
      connection, kind,
      { context, _, key, value in
        guard let context, let key else { return .YES }
        let pairs = Unmanaged<Pairs>.fromOpaque(context).takeUnretainedValue()
        pairs.values[pairs.name(String(cString: key)), default: []].append(value.map { String(cString: $0) } ?? "")
        return .YES
      }, Unmanaged.passUnretained(pairs).toOpaque())
    return pairs.values
  }

  private static func send(_ response: Response, to connection: OpaquePointer) -> MHD_Result {
    let form = response.body.withBytes { bytes in
      MHD_create_response_from_buffer(
        bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let form else { return .NO }
    defer { MHD_destroy_response(form) }
    let headers =
      [
        ("Content-Type", response.type), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
      ] + response.headers
    for header in headers { MHD_add_response_header(form, header.0, header.1) }
    return MHD_queue_response(connection, response.status, form)
  }
}
