import TestSupport
import Testing

@Suite("The simulator's HTTP")
struct HTTPTests {
  @Test(
    "what is not a request of bounded size is refused, and the next caller is served",
    arguments: [
      ("nonsense\r\n\r\n", "400"), ("GET / HTTP/9.9\r\n\r\n", "400"), ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"),
      ("DELETE / HTTP/1.1\r\n\r\n", "405"), ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"),
      ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"), ("POST / HTTP/1.1\r\nContent-Length: 262145\r\n\r\n", "413"),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
      ("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 40_000) + "\r\n\r\n", "431"),
      ("GET /_sim/nothing HTTP/1.1\r\nConnection: close\r\n\r\n", "404"),
      ("POST /_sim/faults HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\n[", "400"),
      (
        "POST /_sim/settings HTTP/1.1\r\nConnection: close\r\nContent-Length: 37\r\n\r\n"
          + #"{"latencyMs":9223372036854775807    }"#,
        "400"
      ),
      ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "403"),
    ])
  func malformed(request: String, status: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try LoopbackHTTP.exchange(Array(request.utf8), port: simulator.port)
    let line = String(decoding: answer, as: UTF8.self).prefix { $0 != "\r\n" }
    #expect(line.hasPrefix("HTTP/1.1 \(status) "), "\(line)")
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity").succeeded)
  }

  @Test("a request through a proxy names the whole URL, and is taken as STS would take it")
  func absoluteForm() async throws {
    let simulator = try await STSSimulatorProcess()
    let signed = try #require(try await Boto3.shared.raw(simulator, ["bytes": true])["request"])
    let proxied = signed.replacing("POST / HTTP", with: "POST http://127.0.0.1:\(simulator.port)/ HTTP")
      .replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
    let answer = try LoopbackHTTP.exchange(Array(proxied.utf8), port: simulator.port)
    #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(try await simulator.requests().first?.target == "http://127.0.0.1:\(simulator.port)/")
  }

  @Test("a caller that asks before it sends its body is told to go on")
  func expectContinue() async throws {
    let simulator = try await STSSimulatorProcess()
    let head = "POST /_sim/reset HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    let answer = try LoopbackHTTP.exchange(Array((head + "{}").utf8), port: simulator.port)
    #expect(String(decoding: answer, as: UTF8.self).contains("HTTP/1.1 200 OK\r\n"))
  }
}
