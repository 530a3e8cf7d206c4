import Testing
import VaultSecrets

@testable import AWSClient

/// What libcurl says when things go wrong, for real.
struct CurlFaultTests {
  @Test("an answer has 256 KiB at most, announced or not")
  func tooLarge() async throws {
    let maximum = 256 << 10
    let server = try LoopbackServer { request in
      let body = String(repeating: "x", count: request.body == "most" ? maximum : maximum + 1)
      return request.body == "chunked" ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body : LoopbackServer.ok(body)
    }
    defer { server.stop() }
    #expect(try await CurlTransport().send(request(server.url, body: "most")).body.count == maximum)
    #expect(await failure(request(server.url, body: "more")) == .tooLarge(host: "127.0.0.1"))
  }

  @Test("endless headers are cut off")
  func headers() async throws {
    let server = try LoopbackServer { _ in
      LoopbackServer.ok("x", headers: (0..<2_000).map { "X-Filler-\($0): \(String(repeating: "y", count: 50))\r\n" }.joined())
    }
    defer { server.stop() }
    #expect(await failure(request(server.url)) == .tooLarge(host: "127.0.0.1"))
  }

  @Test("a server that never answers is given up")
  func timeout() async throws {
    let server = try LoopbackServer { _ in nil }
    defer { server.stop() }
    let transport = CurlTransport(limits: .init(connect: 100, total: 200))
    #expect(await failure(request(server.url), by: transport) == .timedOut(host: "127.0.0.1"))
  }

  @Test("a cancelled task does not wait for the answer", .timeLimit(.minutes(1)))
  func cancellation() async throws {
    let server = try LoopbackServer { _ in nil }
    defer { server.stop() }
    let transport = CurlTransport(limits: .init(connect: 50_000, total: 50_000))
    let request = AWSClientTests.request(server.url)
    let task = Task { await failure(request, by: transport) }
    while server.requests.isEmpty { await Task.yield() }
    let begin = ContinuousClock.now
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(ContinuousClock.now - begin < .seconds(5))
  }

  @Test("a task that is cancelled already sends nothing")
  func cancelledBefore() async throws {
    let server = try LoopbackServer { _ in LoopbackServer.ok("x") }
    defer { server.stop() }
    let request = AWSClientTests.request(server.url)
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return await failure(request)
    }
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(server.requests.isEmpty)
  }

  @Test("nobody listening, no such name, no TLS there, and a connection that breaks are told apart")
  func failures() async throws {
    let server = try LoopbackServer { _ in "no HTTP\r\n\r\n" }
    let plain = try LoopbackServer(greeting: "220 mail.test ready for you\r\n") { _ in nil }
    defer { [server, plain].forEach { $0.stop() } }
    guard case .cut(host: "127.0.0.1", _) = await failure(request(server.url)) else {
      Issue.record("what is no HTTP was taken for it")
      return
    }
    #expect(await failure(request("http://127.0.0.1:1/")) == .connect(host: "127.0.0.1"))
    #expect(await failure(request("https://nothing.invalid/")) == .resolve(host: "nothing.invalid"))
    guard case .tls(host: "127.0.0.1", _) = await failure(request("https://127.0.0.1:\(plain.port)/")) else {
      Issue.record("plain text was taken for TLS")
      return
    }
  }

  @Test("plain HTTP to another machine and what is no URL are refused before anything is sent")
  func refused() async {
    #expect(await failure(request("http://10.255.255.1/")) == .insecure(host: "10.255.255.1"))
    #expect(await failure(request("ftp://127.0.0.1/")) == .badURL("ftp://127.0.0.1/"))
  }

  @Test("a header cannot begin another one", arguments: ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\u{0}b"])
  func injection(_ value: String) async throws {
    let server = try LoopbackServer { _ in LoopbackServer.ok("x") }
    defer { server.stop() }
    var request = AWSClientTests.request(server.url)
    request.headers.append(("X-Amz-Security-Token", value))
    #expect(await failure(request) == .badRequest(host: "127.0.0.1"))
    #expect(server.requests.isEmpty)
  }
}
