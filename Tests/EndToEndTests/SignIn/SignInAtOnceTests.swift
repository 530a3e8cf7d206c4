import Foundation
import TestSupport
import Testing

/// Sign-ins that others cross: from another terminal, by strangers on this machine, or by AWS in the middle of things.
@Suite(.endToEnd) struct SignInAtOnceTests {
  /// A browser that only says where it was sent.
  private func browser(_ vault: TestVault) -> [String: String] {
    let file = vault.folder.file("page")
    let path = vault.folder.write("#!/bin/sh\nprintf %s \"$1\" > '\(file).new'; mv '\(file).new' '\(file)'\n", to: "browser")
    chmod(path, 0o700)
    return ["BROWSER": path]
  }

  /// The page to which the browser was led, once it was.
  private func page(_ vault: TestVault) async throws -> URLComponents {
    while true {
      if let text = try? String(contentsOfFile: vault.folder.file("page"), encoding: .utf8) {
        let address = try #require(URLComponents(string: text))
        let answer = try await LoopbackHTTP.send("GET", address.path, port: UInt16(try #require(address.port)))
        return try #require(answer.headers["location"].flatMap { URLComponents(string: $0) })
      }
      await Task.yield()
    }
  }

  private func value(_ name: String, _ page: URLComponents) throws -> String {
    try #require(page.queryItems?.first { $0.name == name }?.value)
  }

  /// The port to which the browser is to come back.
  private func port(_ page: URLComponents) throws -> UInt16 {
    UInt16(try #require(URLComponents(string: try value("redirect_uri", page))?.port))
  }

  /// What the browser is sent back to by the page.
  private func target(_ page: URLComponents, _ simulator: STSSimulatorProcess) async throws -> String {
    let answer = try await LoopbackHTTP.send("GET", "/authorize?\(page.percentEncodedQuery ?? "")", port: simulator.port)
    let location = try #require(answer.headers["location"].flatMap { URLComponents(string: $0) })
    return "\(location.path)?\(location.percentEncodedQuery ?? "")"
  }

  @Test("what strangers send to the address of the browser's return is refused, and the sign-in goes on")
  func strangers() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    async let login = vault.run("login", "corp", environment: browser(vault))
    let page = try await page(vault)
    let (port, state) = (try port(page), try value("state", page))
    let good = "/oauth/callback?code=x&state=\(state)"
    for (method, target, headers, status) in [
      ("GET", "/oauth/callback?code=x&state=other", [:], 400), ("GET", "/oauth/callback?code=x", [:], 400),
      ("GET", "\(good)&state=\(state)", [:], 400), ("GET", "\(good)&code=y", [:], 400),
      ("GET", "/oauth/callback?state=\(state)", [:], 400), ("GET", "/oauth/callback?error=access_denied", [:], 400),
      ("GET", "/?code=x&state=\(state)", [:], 404), ("POST", good, [:], 405), ("DELETE", good, [:], 405),
      ("GET", good, ["Host": "evil.example:\(port)"], 400), ("GET", good, ["Host": "localhost:\(port)"], 400),
    ] as [(String, String, [String: String], Int)] {
      let answer = try await LoopbackHTTP.send(method, target, port: port, headers: headers)
      #expect(answer.status == status, "\(method) \(target) \(headers)")
    }
    #expect(try await simulator.requests("CreateToken").isEmpty)
    let back = try await LoopbackHTTP.send("GET", try await target(page, simulator), port: port)
    #expect(back.status == 200 && back.text.contains("You are signed in"))
    #expect(try await login.succeeded)
    // Nobody listens once it is over.
    await #expect(throws: LoopbackHTTP.Failure.self) { try await LoopbackHTTP.send("GET", good, port: port) }
  }

  @Test("two who sign in by the browser at once are sent to one page, and one return serves both")
  func twoBrowsers() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    let environment = browser(vault)
    async let first = vault.run("login", "corp", environment: environment)
    let page = try await page(vault)
    try FileManager.default.removeItem(atPath: vault.folder.file("page"))
    async let second = vault.run("login", "corp", environment: environment)
    #expect(try await self.page(vault) == page)
    _ = try await LoopbackHTTP.send("GET", try await target(page, simulator), port: try port(page))
    #expect(try await first.succeeded)
    #expect(try await second.succeeded)
    #expect(try await simulator.requests("CreateToken").count == 1)
  }

  @Test("a sign-in that nobody waits for any more is over, and is in the way of no other", arguments: [[], ["--device"]])
  func abandoned(options: [String]) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    let environment = vault.environment.merging(browser(vault)) { $1 }
    let left = try RunningProgram(Programs.vault, ["login", "corp"], environment: environment)
    let page = try await page(vault)
    let port = try port(page)
    #expect(try await LoopbackHTTP.send("GET", "/", port: port).status == 404)
    left.terminate()
    try await left.wait(timeout: 10)
    try FileManager.default.removeItem(atPath: vault.folder.file("page"))
    async let login = vault.run(words: ["login", "corp"] + options, environment: environment)
    if options.isEmpty {
      let page = try await self.page(vault)
      _ = try await LoopbackHTTP.send("GET", try await target(page, simulator), port: try self.port(page))
    }
    #expect(try await login.succeeded)
    while (try? await LoopbackHTTP.send("GET", "/", port: port)) != nil { await Task.yield() }
  }

  @Test("a renewal that AWS refuses late does not end the sign-in that a person has begun meanwhile")
  func lateRefusal() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.signIn(.revoke)
    try await simulator.queue(STSFault(.stall, action: "CreateToken", delayMs: 4_000))
    async let waiting = vault.run("exec", "--refresh", "developer", "--", "true")
    while try await simulator.requests("CreateToken").count < 2 { await Task.yield() }
    try await vault.mustRun("login", "--device", "corp")
    // Who waited is served by the new one.
    let waited = try await waiting
    #expect(waited.succeeded, "\(waited.errors)")
    try await vault.mustRun("exec", "--refresh", "developer", "--", "true")
    #expect(!(try await vault.mustRun("list").contains("needs-login")))
  }

  @Test("a renewal that comes back after the person has signed out leaves nobody signed in")
  func lateRenewal() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.signIn(.expire)
    try await simulator.queue(STSFault(.slow, action: "CreateToken", delayMs: 4_000))
    async let waiting = vault.run("exec", "--refresh", "developer", "--", "true")
    while try await simulator.requests("CreateToken").count < 2 { await Task.yield() }
    try await vault.mustRun("logout")
    #expect(try await waiting.end == .exit(77))
    #expect(try await vault.run("logout").errors.contains("not signed in"))
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("where AWS takes the token no longer and cannot be asked for another, that is an outage and no reason to sign in again")
  func revokedInAnOutage() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.signIn(.expire)
    try await simulator.queue(.http503, count: 1_000, action: "CreateToken")
    let run = try await vault.run("exec", "developer", "--", "true")
    #expect(run.end == .exit(69) && !run.errors.contains("vault login"), "\(run.end) \(run.errors)")
    try await simulator.reset()
    try await vault.mustRun("exec", "developer", "--", "true")
    #expect(try await vault.rows("audit", "--action", "SignInEnded").count == 1)
  }

  @Test("fifty profiles that all find the token gone make one renewal")
  func oneRenewal() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let more = (0..<50).map {
      "[profile p\($0)]\nsso_session = corp\nsso_account_id = \(STSWorld.ssoAccount)\nsso_role_name = Developer\n"
    }
    vault.config(SignInTests.config + more.joined())
    try await vault.mustRun("import")
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.signIn(.expire)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<50 { group.addTask { try await vault.mustRun("exec", "p\(index)", "--", "true") } }
      try await group.waitForAll()
    }
    let grants = try await simulator.requests("CreateToken").map { $0.parameters["grantType"] }
    #expect(grants.filter { $0 == "refresh_token" }.count == 1)
  }

  @Test("a discovery renews a token that is over before its time, or has the person sign in again")
  func discovery() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    for act in [SignInControl.Act.expire, .revoke] {
      try await simulator.signIn(act)
      let list = try await vault.run("login", "corp", "--discover", "--device", "--format", "csv")
      #expect(list.succeeded && list.output.split(separator: "\n").count == 4, "\(act): \(list.errors)")
    }
    #expect(try await simulator.requests("StartDeviceAuthorization").count == 2)
  }
}
