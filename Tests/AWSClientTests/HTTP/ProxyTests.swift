import Foundation
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// Calls through real proxies: one of HTTP and SOCKS that tells whom it was asked for, and a server with TLS behind it.
@Suite struct ProxyTests {
  private let folder = TemporaryDirectory()

  /// A proxy that connects every name to PORT of this machine, and a server there whose certificate is for sts.test.
  private func behindProxy() async throws -> (
    proxy: RunningProgram, port: String, target: String, certificates: CertificateBundle
  ) {
    let pem = folder.file("sts.pem")
    let made = try await Subprocess.run(
      "/usr/bin/openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=sts",
        "-addext", "subjectAltName=DNS:sts.test", "-keyout", folder.file("sts.key"), "-out", pem,
      ], environment: ["PATH": "/usr/bin:/bin"])
    try #require(made.succeeded, "\(made.errors)")
    let script = """
      import base64, http.server, socket, ssl, sys, threading
      class Handler(http.server.BaseHTTPRequestHandler):
          def do_POST(self):
              self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
          def log_message(self, *words): pass
      server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(sys.argv[1], sys.argv[2])
      server.socket = context.wrap_socket(server.socket, server_side=True)
      threading.Thread(target=server.serve_forever, daemon=True).start()
      def pump(a, b):
          try:
              while data := a.recv(65536): b.sendall(data)
              b.shutdown(socket.SHUT_WR)
          except OSError: pass
      def socks(c):
          methods, who = c.recv(c.recv(2)[1]), b""
          c.sendall(b"\\x05\\x02" if 2 in methods else b"\\x05\\x00")
          if 2 in methods:
              who = c.recv(c.recv(2)[1]) + b":" + c.recv(c.recv(1)[0])
              c.sendall(b"\\x01\\x00")
          host = c.recv(c.recv(1)[0]) if c.recv(4)[3] == 3 else b"(an address)" + c.recv(4)[:0]
          c.recv(2)
          c.sendall(b"\\x05\\x00\\x00\\x01" + bytes(6))
          return "socks " + host.decode() + " " + who.decode()
      def connect(c):
          head = b""
          while b"\\r\\n\\r\\n" not in head: head += c.recv(1)
          lines = head.decode().split("\\r\\n")
          who = [l.split()[2] for l in lines if l.lower().startswith("proxy-authorization: basic ")]
          c.sendall(b"HTTP/1.1 200 Connected\\r\\n\\r\\n")
          return "connect " + lines[0].split()[1].rsplit(":", 1)[0] + " " + (base64.b64decode(who[0]).decode() if who else "")
      def serve(c):
          said = socks(c) if c.recv(1, socket.MSG_PEEK) == b"\\x05" else connect(c)
          print(said, flush=True)
          s = socket.create_connection(server.server_address)
          threading.Thread(target=pump, args=(s, c), daemon=True).start()
          pump(c, s)
      proxy = socket.create_server(("127.0.0.1", 0))
      print(proxy.getsockname()[1], server.server_address[1], flush=True)
      while True: threading.Thread(target=serve, args=(proxy.accept()[0],), daemon=True).start()
      """
    let program = try RunningProgram(
      "/usr/bin/python3", ["-c", script, pem, folder.file("sts.key")], environment: ["PATH": "/usr/bin"])
    let ports = try await program.readLine().split(separator: " ").map(String.init)
    return (program, ports[0], ports[1], try CertificateBundle(reading: pem))
  }

  private static func routed(
    _ url: String, _ environment: [String: String], certificates: CertificateBundle? = nil
  ) throws -> HTTPRequest {
    var request = request(url)
    request.route = NetworkSettings(
      to: try #require(WebAddress(url)), proxies: ProxySettings { environment[$0] }, certificates: certificates)
    return request
  }

  @Test(
    "a call reaches its server through a proxy of HTTP or SOCKS, by name and with the user's name and password",
    arguments: [
      ("HTTPS_PROXY", "http://me:p%40ss@127.0.0.1:", "connect sts.test me:p@ss"),
      ("https_proxy", "127.0.0.1:", "connect sts.test "),
      ("ALL_PROXY", "socks5h://me:p%40ss@127.0.0.1:", "socks sts.test me:p@ss"),
      ("all_proxy", "socks5h://127.0.0.1:", "socks sts.test "),
    ])
  func through(_ variable: String, _ proxy: String, _ asked: String) async throws {
    let (program, port, target, certificates) = try await behindProxy()
    let url = "https://sts.test:\(target)/"
    let request = try Self.routed(url, [variable: proxy + port], certificates: certificates)
    let response = try await CurlTransport().send(request)
    #expect(response.status == 200 && response.body.equals(SecretBytes("ok")))
    #expect(try await program.readLine() == asked)
    #expect(request.route?.detail?.contains("ss@") == false && request.route?.detail?.contains("127.0.0.1:\(port)") == true)
  }

  @Test(
    "NO_PROXY names hosts, domains and networks as curl's does",
    arguments: [
      ("https://sts.test:1/", "sts.test", true), ("https://sts.test:1/", ".test", true), ("https://sts.test:1/", "test", true),
      ("https://sts.test:1/", "STS.TEST", true), ("https://sts.test:1/", "other.test, sts.test", true),
      ("https://sts.test:1/", "*", true), ("https://sts.test:1/", "ts.test", false), ("https://sts.test:1/", "evil.test", false),
      ("https://192.0.2.1:1/", "192.0.2.0/24", true), ("https://192.0.2.1:1/", "10.0.0.0/8, 192.0.2.1", true),
      ("https://192.0.2.1:1/", "192.0.3.0/24", false), ("https://[2001:db8::1]:1/", "2001:db8::1", true),
      ("https://[2001:db8::1]:1/", "2001:db9::/32", false),
    ])
  func exceptions(_ url: String, _ exceptions: String, _ isDirect: Bool) async throws {
    let proxy = try LoopbackServer { _ in "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" }
    defer { proxy.stop() }
    let transport = CurlTransport(limits: CurlTransport.Limits(connect: 500, total: 2_000))
    let error = await failure(
      try Self.routed(url, ["HTTPS_PROXY": proxy.url, "NO_PROXY": exceptions]), by: transport)
    #expect(proxy.requests.count == (isDirect ? 0 : 1), "\(String(describing: error))")
    if case .refusedByProxy = error { #expect(!isDirect) } else { #expect(isDirect) }
  }

  @Test("a proxy that wants a password, or refuses, is named without one; only its own faults are tried again")
  func refusals() async throws {
    for (status, exit) in [(407, ExitStatus.configuration), (403, .unavailable), (503, .unavailable)] {
      let proxy = try LoopbackServer { _ in "HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n" }
      defer { proxy.stop() }
      let text = "http://me:secret@127.0.0.1:\(proxy.port)"
      let error = try #require(await failure(try Self.routed("https://sts.test/", ["HTTPS_PROXY": text])))
      let place = "http://127.0.0.1:\(proxy.port)"
      #expect(error == .refusedByProxy(place, host: "sts.test", status: status))
      for said in [error.message, error.hint ?? ""] { #expect(!said.contains("secret")) }
      #expect(error.exitStatus == exit)
      #expect(error.isTransient == (status == 503))
    }
  }

  @Test(
    "a text that libcurl takes for no proxy ends the call before anything is sent, and is not shown",
    arguments: [
      "file:///me:secret", "ftp://me:secret@p:1", "http://me:secret@", "http://me:secret@p:99999", "http://me:sec ret@p:1",
      "http://me:secret@p:1\n", "gopher://secret", "http://[secret", "telnet://secret:23",
    ])
  func invalid(_ text: String) async throws {
    let request = try Self.routed("https://sts.test/", ["HTTPS_PROXY": text])
    let error = try #require(await failure(request))
    #expect(error == .badProxy && error.exitStatus == .configuration)
    for said in [error.message, error.hint ?? "", request.route?.detail ?? ""] { #expect(!said.contains("secret")) }
  }
}
