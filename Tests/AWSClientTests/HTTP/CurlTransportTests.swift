import Glibc
import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// libcurl for real, against a server on this machine.
struct CurlTransportTests {
  @Test("a request arrives whole and its answer comes back")
  func roundTrip() async throws {
    let server = try LoopbackServer { _ in LoopbackServer.ok("hello", headers: "X-Amzn-RequestId:  req-7 \r\n") }
    defer { server.stop() }
    let response = try await CurlTransport().send(request(server.url + "path"))
    #expect(response.status == 200 && response["x-amzn-requestid"] == "req-7")
    #expect(response.body.equals(SecretBytes("hello")))
    let seen = server.requests[0]
    #expect(seen.line == "POST /path HTTP/1.1" && seen.body == "a=b" && seen.headers["x-test"] == "one")
    #expect(seen.headers["user-agent"] == "vault/\(vaultVersion)" && seen.headers["expect"] == nil)
  }

  @Test("a body of any bytes and none at all are sent", arguments: ["", "\u{0}\u{1}", String(repeating: "x", count: 20_000)])
  func bodies(_ body: String) async throws {
    let server = try LoopbackServer { LoopbackServer.ok("\($0.body.utf8.count)") }
    defer { server.stop() }
    let response = try await CurlTransport().send(request(server.url, body: body))
    #expect(response.body.equals(SecretBytes("\(body.utf8.count)")))
  }

  @Test("a second request goes over the same connection")
  func keepAlive() async throws {
    let server = try LoopbackServer { _ in LoopbackServer.ok("x") }
    defer { server.stop() }
    let transport = CurlTransport()
    for method in ["POST", "GET", "PUT", "POST"] { _ = try await transport.send(request(server.url, method: method)) }
    #expect(server.requests.map(\.connection) == [1, 1, 1, 1])
    #expect(server.requests.map { String($0.line.prefix(3)) } == ["POS", "GET", "PUT", "POS"])
  }

  @Test("forty requests at once all come back, over eight connections at most")
  func parallel() async throws {
    let server = try LoopbackServer {
      usleep(5_000)
      return LoopbackServer.ok($0.body)
    }
    defer { server.stop() }
    let transport = CurlTransport()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<40 {
        let request = AWSClientTests.request(server.url, body: "number \(index)")
        group.addTask { try await transport.send(request).body.equals(SecretBytes("number \(index)")) }
      }
      for try await isRight in group { #expect(isRight) }
    }
    #expect(server.connections <= 8)
  }

  @Test("a redirect is an answer, not a way")
  func redirect() async throws {
    let server = try LoopbackServer { _ in "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n" }
    defer { server.stop() }
    #expect(try await CurlTransport().send(request(server.url)).status == 302)
    #expect(server.requests.count == 1)
  }

  @Test("https goes through the proxy that is passed, by a tunnel, and plain http on this machine never does")
  func proxy() async throws {
    let proxy = try LoopbackServer { _ in "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" }
    let server = try LoopbackServer { _ in LoopbackServer.ok("from the server") }
    defer { [proxy, server].forEach { $0.stop() } }
    guard
      case .refusedByProxy(_, host: "sts.example.test", status: 403) = await failure(
        request("https://sts.example.test", proxy: proxy.url))
    else {
      Issue.record("the proxy's refusal was not seen")
      return
    }
    #expect(proxy.requests.map(\.line) == ["CONNECT sts.example.test:443 HTTP/1.1"])
    let direct = try await CurlTransport().send(request(server.url, proxy: proxy.url))
    #expect(direct.body.equals(SecretBytes("from the server")) && proxy.requests.count == 1)
  }

  @Test("a request keeps to the place of its route")
  func place() async throws {
    let server = try LoopbackServer { _ in LoopbackServer.ok("from the server") }
    defer { server.stop() }
    var astray = request(server.url)
    astray.route = testRoute("https://sts.eu-west-1.amazonaws.com")
    #expect(await failure(astray) == .badURL(server.url.hasSuffix("/") ? String(server.url.dropLast()) : server.url))
    #expect(server.requests.isEmpty)
  }
}
