import Foundation
import TestSupport
import Testing

/// Requests that no program of ours makes, byte for byte, at the endpoint of `vault exec --server`.
@Suite(.endToEnd) struct AbuseTests {
  /// What is sent, with HOST, TOKEN and PORT in their places and `|` for the end of a line, and the statuses that may be answered; 0 is no answer.
  private struct Case {
    let request: String
    let statuses: Set<Int>
    init(_ request: String, _ statuses: Int...) {
      self.request = request
      self.statuses = Set(statuses)
    }
  }

  private static let host = "Host: 127.0.0.1:PORT|"
  private static let token = "Authorization: TOKEN|"
  private static let end = "Connection: close||"

  /// A request that is good but for one line more, or one part that is another.
  private static func get(
    _ path: String = "/credentials", method: String = "GET", version: String = "HTTP/1.1", host: String = host,
    token: String = token, with more: String = "", end: String = end
  ) -> String { "\(method) \(path) \(version)|" + host + token + more + end }

  private static let hosts: [Case] =
    [
      "127.0.0.1", "127.0.0.1.evil.example:PORT", "localhost.:PORT", "LOCALHOST:PORT", "0.0.0.0:PORT", "127.1:PORT",
      "2130706433:PORT", "[::1]:PORT", "[::ffff:127.0.0.1]:PORT", "a@127.0.0.1:PORT", "127.0.0.1:PORT, evil.example",
      "127.0.0.1:0PORT", "127.0.0.1:1", "127.0.0.1:PORT:PORT", "http://127.0.0.1:PORT", "evil.example", "evil.example:PORT", "",
    ].map { Case(get(host: "Host: \($0)|"), 403) } + [
      Case(get(host: host + host), 403), Case(get(host: host + "Host: evil.example|"), 403), Case(get(host: ""), 400),
      Case(get(version: "HTTP/1.0", host: ""), 403), Case(get(host: "Host: 127.0.0.1:PORT| .evil.example|"), 400),
      Case(get("http://evil.example/credentials"), 404), Case(get("http://127.0.0.1:PORT/credentials"), 404),
    ]

  private static let browsers: [Case] = [
    "Origin: https://evil.example|", "Origin: null|", "Origin:|", "Referer: http://127.0.0.1:PORT/|", "Sec-Fetch-Site: none|",
    "Sec-Fetch-Mode: no-cors|", "sec-fetch-dest: empty|", "Access-Control-Request-Method: GET|",
    "Access-Control-Request-Private-Network: true|", "Access-Control-Request-Headers: authorization|",
  ].map { Case(get(with: $0), 403) }

  private static let methods: [Case] =
    ["POST", "PUT", "DELETE", "HEAD", "TRACE", "PATCH", "OPTIONS", "get", "GETX"].map { Case(get(method: $0), 405) } + [
      Case(get("127.0.0.1:PORT", method: "CONNECT"), 404), Case(get(version: "HTTP/2.0"), 505, 400),
      Case("PRI * HTTP/2.0||SM||", 505, 400), Case("GET /credentials||", 400, 0),
      Case("OPTIONS /credentials HTTP/1.1|" + host + "Origin: https://evil.example|" + end, 405),
    ]

  private static let tokens: [Case] =
    [
      "SWAPPED", "SHORTER", "TOKENx", "xTOKEN", "TOKEN TOKEN", "TOKEN, TOKEN", "Bearer TOKEN", "Basic TOKEN", "",
      String(repeating: "x", count: 15_000),
    ].map { Case(get(token: "Authorization: \($0)|"), 403) } + [
      Case(get(token: ""), 401), Case(get(token: token + token), 401), Case(get(token: token + "Authorization: x|"), 401),
      Case(get(token: "X-Aws-Ec2-Metadata-Token: TOKEN|"), 401), Case(get(token: "Proxy-Authorization: TOKEN|"), 401),
      Case(get(token: "Cookie: Authorization=TOKEN|"), 401), Case(get(token: "Authorization : TOKEN|"), 401, 400),
      Case(get(token: "Authorization:| TOKEN|"), 401, 400), Case(get("/credentials?token=TOKEN", token: ""), 404),
      Case(get(token: "Authorization: " + String(repeating: "x", count: 1 << 20) + "|"), 431, 0),
    ]

  private static let paths: [Case] =
    [
      "/", "/Credentials", "/credentials/", "//credentials", "/../credentials", "/x/../credentials", "/%2e%2e/credentials",
      "/credentials%00", "/credentials%00x", "/credentials?x=y", "/credentials;x", "/credentials#x", "/credentials/app-prod", "*",
      "/latest/meta-data/iam/security-credentials/", "/" + String(repeating: "c", count: 15_000),
    ].map { Case(get($0), 404) }

  private static let bodies: [Case] = [
    Case(get(with: "Content-Length: 4|Transfer-Encoding: chunked|", end: "Connection: close||0||"), 400),
    Case(get(with: "Content-Length: 0|Content-Length: 5|"), 400),
    Case(get(with: "Content-Length: 5|", end: "Connection: close||abcde"), 400),
    Case(get(with: "Content-Length: -1|"), 400), Case(get(with: "Content-Length: 99999999999999999999|"), 413, 400),
    Case(get(with: "Transfer-Encoding: chunked|", end: "Connection: close||5|abcde|0||"), 400),
    Case(get(with: "X: " + String(repeating: "y", count: 17_000) + "|"), 431),
    Case(get(with: (0..<2_000).map { "X-\($0): y|" }.joined()), 431), Case(get(with: "no colon|"), 400),
    Case(get(host: " " + host), 400), Case("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}||", 400, 0),
  ]

  private static let good: [Case] = [
    Case(get(), 200), Case(get(with: "Content-Length: 0|"), 200),
    Case(get(with: "X-Forwarded-For: 192.0.2.1|Forwarded: for=192.0.2.1|"), 200),
    Case(get(with: (0..<100).map { "X-\($0): y|" }.joined()), 200), Case(get(version: "HTTP/1.0"), 200),
  ]

  private static func bytes(_ request: String, _ served: ServedProgram) -> [UInt8] {
    let token = served.token
    let swapped = String(token.map { $0.isUppercase ? Character($0.lowercased()) : Character($0.uppercased()) })
    return Array(
      request.replacing("|", with: "\r\n").replacing("SWAPPED", with: swapped).replacing(
        "SHORTER", with: String(token.dropLast())
      )
      .replacing("TOKEN", with: token).replacing("PORT", with: "\(served.port)").utf8)
  }

  /// The status that is answered; 0 where the connection was closed without a word.
  private static func status(_ answer: [UInt8]) -> Int {
    let words = String(decoding: answer.prefix(64), as: UTF8.self).split(separator: " ")
    return words.count > 1 && words[0].hasPrefix("HTTP/1.") ? Int(words[1]) ?? 0 : 0
  }

  @Test("of a hundred ways to ask, only the program's own is answered with credentials")
  func table() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let cases =
      Self.hosts + Self.browsers + Self.methods + Self.tokens + Self.paths + Self.bodies + Self.good
    #expect(cases.count >= 100)
    for one in cases {
      let bytes = Self.bytes(one.request, served)
      // A refusal may come, and the connection end, before all was sent.
      let answer = (try? LoopbackHTTP.exchange(bytes, port: served.port, timeout: 20)) ?? []
      let status = Self.status(answer)
      let text = String(decoding: answer, as: UTF8.self)
      let shown = one.request.prefix(120)
      #expect(one.statuses.contains(status), "\(shown): \(status)")
      #expect(text.contains("SecretAccessKey") == (status == 200), "\(shown): \(text)")
      #expect(!text.contains(served.token) && !text.lowercased().contains("access-control-allow"), "\(shown): \(text)")
    }
    // What was refused so often stands in the log, once, and hides nothing of what is good.
    let rows = try await vault.rows("audit", "--action", "EndpointRefused")
    #expect(!rows.isEmpty && rows.count < 4, "\(rows)")
    #expect(
      rows.allSatisfy { $0["outcome"] as? String == "refused" && ($0["detail"] as? String)?.contains("16 requests") == true })
    #expect(try await served.key() != nil)
    try await served.end()
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a thousand wrong tokens open nothing, lock the program out of nothing, and make one row")
  func guesses() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let guess = Self.get(token: "Authorization: GUESS|", end: "|")
    let all = (0..<1_000).map { guess.replacing("GUESS", with: "guess\($0)") }.joined() + Self.get()
    let answers = String(
      decoding: try LoopbackHTTP.exchange(Self.bytes(all, served), port: served.port, timeout: 60), as: UTF8.self)
    #expect(answers.components(separatedBy: "HTTP/1.1 403").count == 1_001)
    #expect(answers.components(separatedBy: "SecretAccessKey").count == 2)
    let rows = try await vault.rows("audit", "--action", "EndpointRefused")
    #expect((1...2).contains(rows.count), "\(rows)")
    try await served.end()
  }

  @Test("requests that follow one another on one connection, half of one, and an end in the midst are borne", .tags(.slow))
  func connections() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let many = String(repeating: Self.get(end: "|"), count: 999) + Self.get()
    let answers = String(
      decoding: try LoopbackHTTP.exchange(Self.bytes(many, served), port: served.port, timeout: 60), as: UTF8.self)
    #expect(answers.components(separatedBy: "SecretAccessKey").count == 1_001)
    let script = """
      import socket, struct, sys
      port, token = int(sys.argv[1]), sys.stdin.readline().strip()
      request = f"GET /credentials HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nAuthorization: {token}\\r\\n\\r\\n".encode()
      for _ in range(100):
          s = socket.create_connection(("127.0.0.1", port))
          s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
          s.sendall(request * 20)
          s.close()
      for part in (request, request[:40]):
          s = socket.create_connection(("127.0.0.1", port), 20)
          s.sendall(request)
          s.recv(65536)
          s.sendall(part)
          s.shutdown(socket.SHUT_WR)
          print(b"SecretAccessKey" in s.recv(65536))
      for family, address in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.2")):
          try:
              socket.socket(family).connect((address, port))
              print("connected")
          except OSError:
              print("refused")
      """
    let run = try await Subprocess.run(
      try Programs.python, ["-c", script, "\(served.port)"], environment: [:], input: Array("\(served.token)\n".utf8))
    #expect(run.output == "True\nFalse\nrefused\nrefused\n", "\(run.output) \(run.errors)")
    #expect(try await served.key() != nil)
    try await served.end()
  }
}
