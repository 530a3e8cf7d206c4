import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

@Suite struct CertificateBundleTests {
  private let folder = TemporaryDirectory()

  /// A certificate of 127.0.0.1 that vouches for itself, and its key.
  private func certificate(_ name: String) async throws -> String {
    let path = folder.file(name + ".pem")
    let made = try await Subprocess.run(
      "/usr/bin/openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
        "-addext",
        "subjectAltName=IP:127.0.0.1", "-keyout", folder.file(name + ".key"), "-out", path,
      ], environment: ["PATH": "/usr/bin:/bin"])
    try #require(made.succeeded, "\(made.errors)")
    return path
  }

  private func server(_ name: String) async throws -> (RunningProgram, port: String) {
    let script = """
      import http.server, ssl, sys
      class Handler(http.server.BaseHTTPRequestHandler):
          def do_POST(self):
              self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
          def log_message(self, *words): pass
      server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(sys.argv[1], sys.argv[2])
      server.socket = context.wrap_socket(server.socket, server_side=True)
      print(server.server_address[1], flush=True)
      server.serve_forever()
      """
    let program = try RunningProgram(
      "/usr/bin/python3", ["-c", script, folder.file(name + ".pem"), folder.file(name + ".key")],
      environment: ["PATH": "/usr/bin"])
    return (program, try await program.readLine())
  }

  private func status(_ url: String, _ bundle: String?) async -> Result<Int, TransportError> {
    var request = request(url)
    do throws(CertificateBundle.Problem) {
      guard let address = WebAddress(url) else { return .failure(.badURL(url)) }
      let certificates: CertificateBundle? = if let bundle { try CertificateBundle(reading: bundle) } else { nil }
      request.route = NetworkSettings(to: address, proxies: .none, certificates: certificates)
    } catch {
      return .failure(.certificates(error))
    }
    do { return .success(try await CurlTransport().send(request).status) } catch { return .failure(error) }
  }

  @Test("a server is believed by the bytes of the bundle, and by no other")
  func bundle() async throws {
    let own = try await certificate("own")
    let other = try await certificate("other")
    let (program, port) = try await server("own")
    let url = "https://127.0.0.1:\(port)/"
    #expect(await status(url, own) == .success(200))
    for wrong in [nil, other] {
      guard case .failure(.tls(host: "127.0.0.1", _)) = await status(url, wrong) else {
        Issue.record("believed by \(wrong ?? "the system")")
        continue
      }
    }
    // Two certificates in one file, and comments around them, as bundles have them.
    let both = try ["# comment\n", String(contentsOfFile: other, encoding: .utf8), String(contentsOfFile: own, encoding: .utf8)]
      .joined()
    #expect(await status(url, folder.write(both, to: "both.pem")) == .success(200))
    program.kill()
  }

  @Test("a bundle's digest is the SHA-256 of the bytes that were read, whatever stands in the file by then")
  func digest() throws {
    let path = folder.write("-----BEGIN CERTIFICATE-----\n", to: "a.pem")
    symlink(path, folder.file("link"))
    let bundle = try CertificateBundle(reading: folder.file("link"))
    folder.write("-----BEGIN CERTIFICATE-----\nother", to: "a.pem")
    #expect(bundle.bytes == Array("-----BEGIN CERTIFICATE-----\n".utf8))
    // printf '%s\n' '-----BEGIN CERTIFICATE-----' | sha256sum
    #expect(bundle.digest == "b93f51c3ac1bdd90edcce2019d2452a328cbf97443f3744cc7ec63033a5b2c16")
    #expect(try CertificateBundle(reading: path).digest != bundle.digest)
  }

  @Test(
    "a bundle that is a fifo, a folder, a device, missing, relative, too large or no certificate is told at once, and nothing is sent"
  )
  func bad() async throws {
    let listener = try LoopbackListener()
    let url = "https://127.0.0.1:\(listener.port)/"
    let fifo = folder.file("fifo")
    mkfifo(fifo, 0o600)
    let large = folder.write("-----BEGIN CERTIFICATE-----\n", to: "large")
    truncate(large, off_t(CertificateBundle.maxBytes) + 1)
    let empty = folder.write("nothing of the kind", to: "empty")
    let cases: [(String, CertificateBundle.Problem)] = [
      (fifo, .notAFile(path: fifo)), (folder.path, .notAFile(path: folder.path)), ("/dev/zero", .notAFile(path: "/dev/zero")),
      ("/nowhere/ca.pem", .cannotRead(path: "/nowhere/ca.pem", why: "No such file or directory")),
      ("ca.pem", .relative(path: "ca.pem")),
      (large, .tooLarge(path: large)), (empty, .notCertificates(path: empty)),
    ]
    for (path, problem) in cases { #expect(await status(url, path) == .failure(.certificates(problem))) }
    var waiting = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 0) == 0)
  }
}
