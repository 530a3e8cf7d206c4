import Foundation
import TestSupport
import Testing

/// Another user of the machine at each port that is opened on loopback.
@Suite(.endToEnd, .enabled(if: geteuid() == 0, "only root can be another user")) struct StrangerTests {
  /// Asks by HTTP from a source address of its choice: "own" is the server's own port there. Says the status, or "refused".
  private static let asking = """
    import socket, sys
    port, path, header = int(sys.argv[1]), sys.argv[2], sys.stdin.readline().strip()
    request = f"GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n{header}Connection: close\\r\\n\\r\\n".encode()
    for source in sys.argv[3:]:
        address, _, own = source.partition(":")
        s = socket.socket()
        s.settimeout(10)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port if own else 0))
        s.connect(("127.0.0.1", port))
        try:
            s.sendall(request)
            answer = s.recv(65536)
        except ConnectionError:
            answer = b""
        print(answer.split()[1].decode() if answer else "refused")
    """
  /// Asks, and lets the connection go at once: what has no process any more is root's, by the kernel's tables.
  private static let leaving = """
    import socket, sys
    port, path = int(sys.argv[1]), sys.argv[2]
    request = f"GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n".encode()
    for _ in range(300):
        s = socket.socket()
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(request)
        except ConnectionError:
            pass
        s.close()
    """

  private static func run(_ script: String, as user: Int, _ words: [String], header: String = "") async throws -> String {
    let result = try await Subprocess.run(
      "/usr/bin/setpriv", ["--reuid", "\(user)", "--clear-groups", "/usr/bin/python3", "-I", "-c", script] + words,
      environment: ["PATH": "/usr/bin:/bin"], input: Array("\(header)\n".utf8))
    return result.output + result.errors
  }

  /// The refusals that the log tells of, once there are so many: their rows are written after the connection is closed.
  private static func refusals(_ vault: TestVault, atLeast count: Int = 1) async throws -> [String] {
    var refusals: [String] = []
    for _ in 0..<200 {
      refusals = try await vault.rows("audit", "--action", "EndpointRefused").compactMap { $0["detail"] as? String }
      if refusals.count >= count { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    return refusals
  }

  /// What is in a file, once a program has written a line there.
  private static func line(_ path: String) async throws -> String {
    for _ in 0..<3_000 {
      if let text = try? String(contentsOfFile: path, encoding: .utf8), text.hasSuffix("\n") { return String(text.dropLast()) }
      try await Task.sleep(for: .milliseconds(10))
    }
    return try #require(nil as String?, "no line in \(path)")
  }

  /// The address of the sign-in's page, which is shown after the browser was started.
  private static func page(_ login: RunningProgram) async throws -> String {
    for _ in 0..<3_000 {
      let words = login.errors.split(omittingEmptySubsequences: false, whereSeparator: \.isWhitespace)
      // The last word may be a part of one.
      if let page = words.dropLast().first(where: { $0.contains("redirect_uri=") }) { return String(page) }
      try await Task.sleep(for: .milliseconds(10))
    }
    return try #require(nil as String?, "no page in \(login.errors)")
  }

  /// A browser that only says what it was started with.
  private static func browser(_ vault: TestVault) -> (program: String, seen: String) {
    let seen = vault.folder.file("seen")
    let program = vault.folder.write("#!/bin/sh\necho \"$1\" > \(seen).new && mv \(seen).new \(seen)\n", to: "browser")
    chmod(program, 0o700)
    return (program, seen)
  }

  @Test("from 127.0.0.2 with the server's own port, another user gets no credentials for the right token")
  func endpoint() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let words = ["\(served.port)", "/credentials", "127.0.0.2:own", "127.0.0.2", "127.0.0.1", "127.255.255.254:own"]
    let header = "Authorization: \(served.token)"
    let stranger = try await Self.run(
      Self.asking.replacing("{header}", with: "{header}\\r\\n"), as: 65_534, words, header: header)
    #expect(stranger == "refused\nrefused\nrefused\nrefused\n")
    #expect(try await Self.refusals(vault) == ["a connection of user 65534 from 127.0.0.2 was refused"])
    // Nor does one's own program, which has no reason to come from there; from 127.0.0.1 it does.
    let own = try await Self.run(Self.asking.replacing("{header}", with: "{header}\\r\\n"), as: 0, words, header: header)
    #expect(own == "refused\nrefused\n200\nrefused\n")
    #expect(try await Self.refusals(vault, atLeast: 2).contains("a connection of user 0 from 127.0.0.2 was refused"))
    try await served.end()
  }

  @Test("the address that the browser is started with leads nobody else to the console, and nobody else can use it up")
  func console() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: simulator.environment)
    let (browser, seen) = Self.browser(vault)
    try await vault.mustRun("console", "app-dev", environment: ["BROWSER": browser])
    let address = try #require(URL(string: try await Self.line(seen)))
    let port = "\(address.port ?? 0)"
    #expect(
      try await Self.run(Self.asking, as: 65_534, [port, address.path, "127.0.0.1", "127.0.0.2:own", "127.0.0.2"])
        == "refused\nrefused\nrefused\n")
    #expect(try await Self.run(Self.leaving, as: 65_534, [port, address.path]) == "")
    #expect(try await Self.refusals(vault) == ["a connection of user 65534 was refused at the browser's redirect"])
    // The person's own, once.
    #expect(try await Self.run(Self.asking, as: 0, [port, address.path, "127.0.0.1", "127.0.0.1"]) == "302\n404\n")
  }

  @Test("another user can neither finish nor refuse a sign-in, though the state is known; nor can who does not know it")
  func signIn() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(SignInTests.config)
    try await vault.mustRun("import")
    let (browser, seen) = Self.browser(vault)
    let login = try RunningProgram(
      Programs.vault, ["login", "corp"], environment: vault.environment.merging(["BROWSER": browser]) { $1 })
    // The command line that everybody can read has neither the state nor the way back.
    let address = try await Self.line(seen)
    #expect(address.hasPrefix("http://127.0.0.1:") && !address.contains("state") && !address.contains("redirect"))
    // The terminal shows the page itself: this is more than another user can know.
    let page = try await Self.page(login)
    let query = try #require(URLComponents(string: page)?.queryItems)
    let back = try #require(URL(string: query.first { $0.name == "redirect_uri" }?.value ?? ""))
    let state = query.first { $0.name == "state" }?.value ?? ""
    #expect(!state.isEmpty)
    let port = "\(back.port ?? 0)"
    for bad in ["error=access_denied&state=\(state)", "code=of-my-own&state=\(state)"] {
      #expect(
        try await Self.run(Self.asking, as: 65_534, [port, "\(back.path)?\(bad)", "127.0.0.1", "127.0.0.2:own"])
          == "refused\nrefused\n")
      #expect(try await Self.run(Self.leaving, as: 65_534, [port, "\(back.path)?\(bad)"]) == "")
    }
    for bad in ["error=access_denied", "error=access_denied&state=x", "code=of-my-own&state=\(state.dropLast())"] {
      #expect(try await Self.run(Self.asking, as: 0, [port, "\(back.path)?\(bad)", "127.0.0.1"]) == "400\n")
    }
    // Nor does the browser's own address lead another user to the page.
    let door = try #require(URL(string: address))
    #expect(try await Self.run(Self.asking, as: 65_534, ["\(door.port ?? 0)", door.path, "127.0.0.1"]) == "refused\n")
    #expect(login.isRunning)
    let person = try await Subprocess.run(
      try Programs.python, ["-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()", address],
      environment: [:])
    #expect(person.succeeded, "\(person.errors)")
    #expect(try await login.wait(timeout: 30).succeeded, "\(login.errors)")
    #expect(
      Set(try await Self.refusals(vault, atLeast: 2)) == [
        "a connection of user 65534 was refused at the sign-in's callback",
        "a connection of user 65534 was refused at the browser's redirect",
      ])
    try await vault.mustRun("exec", "developer", "--", "true")
  }
}
