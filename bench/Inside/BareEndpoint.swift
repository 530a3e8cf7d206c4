import CMicrohttpd
import Glibc

/// What the vault's endpoint is held against: libmicrohttpd with the same settings, which gives everybody the same answer unseen.
///
/// Prints its address, and ends with its standard input.
func serveBare() {
  let text = String(repeating: "x", count: 1_100)
  let answer = text.withCString {
    MHD_create_response_from_buffer(1_100, UnsafeMutableRawPointer(mutating: $0), .RESPMEM_MUST_COPY)
  }
  let server = vault_http_start(
    vault_http_limits(connections: 512, idle: 10, memory: 16 * 1_024), 0, { _, _, _ in .YES },
    { context, connection, _, _, _, _, _, state in
      guard let state, state.pointee != nil else {
        state?.pointee = context
        return .YES
      }
      return MHD_queue_response(connection, 200, OpaquePointer(context))
    }, { _, _, _, _ in }, UnsafeMutableRawPointer(answer))
  guard let server else { exit(70) }
  print("http://127.0.0.1:\(vault_http_port(server))/")
  fflush(nil)
  while readLine() != nil {}
  MHD_stop_daemon(server)
}
