import Testing
import VaultModel
import VaultSecrets

@testable import AWSClient

/// What a request may say beyond its URL and body, over libcurl for real.
struct CurlRequestTests {
  @Test("what stands behind the question mark arrives as it was, and no error shows it")
  func query() async throws {
    let server = try LoopbackServer { _ in LoopbackServer.ok("x") }
    defer { server.stop() }
    var asked = request(server.url + "path", method: "GET", body: "")
    asked.query = SecretBytes("Action=login&Session=%7B%22a%22%3A%22b%2B%22%7D&x=~")
    _ = try await CurlTransport().send(asked)
    #expect(server.requests[0].line == "GET /path?Action=login&Session=%7B%22a%22%3A%22b%2B%22%7D&x=~ HTTP/1.1")
    asked.url = "http://127.0.0.1:1/"
    let error = await failure(asked)
    #expect(error == .connect(host: "127.0.0.1") && error?.message.contains("Session") == false)
  }

  @Test("a query that would end the line, or the query, is not sent", arguments: ["a b", "a\r\nX: y", "a\u{0}", "a#b", "\u{E9}"])
  func badQuery(_ query: String) async {
    var asked = request("http://127.0.0.1:1/", method: "GET", body: "")
    asked.query = SecretBytes(query)
    #expect(await failure(asked) == .badRequest(host: "127.0.0.1"))
  }

  @Test("a request's own time counts before the transport's")
  func timeout() async throws {
    let server = try LoopbackServer { _ in nil }
    defer { server.stop() }
    var asked = request(server.url)
    asked.timeout = 100
    // An hour against a tenth of a second: however busy the machine is, only one of them can have counted.
    let patient = CurlTransport(limits: CurlTransport.Limits(connect: 3_600_000, total: 3_600_000))
    await #expect(throws: TransportError.timedOut(host: "127.0.0.1")) { try await patient.send(asked) }
  }

  @Test("without TLS another machine is asked only where the request says that it may be")
  func plain() async {
    var asked = request("http://192.0.2.1:9/", method: "GET", body: "")
    asked.timeout = 50
    #expect(await failure(asked) == .insecure(host: "192.0.2.1"))
    asked.isPlainAllowed = true
    let error = await failure(asked)
    // TEST-NET-1 (RFC 5737) belongs to nobody: whatever comes of it, it was tried.
    #expect(error != nil && error != .insecure(host: "192.0.2.1"))
  }
}
