import Foundation
import Glibc
import TestSupport
import Testing

/// Programs that are served outlive their agent, and a lock of the vault.
@Suite(.endToEnd) struct ResumeTests {
  private func rows(_ vault: TestVault, _ action: String, atLeast count: Int = 1) async throws -> [[String: Any]] {
    let deadline = Date().addingTimeInterval(20)
    while true {
      let rows = try await vault.rows("audit", "--action", action)
      if rows.count >= count || Date() > deadline { return rows }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test(
    "a program is served by the next agent at the same address, by the same token, however the one before it ended",
    arguments: ["kill", "stop"], ["--server", "--token-file"])
  func nextAgent(end: String, option: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault, option: option)
    let first = try #require(try await served.key())
    if end == "kill" {
      vault.killAgent()
    } else {
      let stopped = try await vault.run("agent", "stop")
      #expect(stopped.errors.contains("1 running program gets no credentials until the next agent starts: vault unlock"))
    }
    await #expect(throws: (any Error).self) { try await served.key() }
    try await vault.mustRun("agent", "start")
    #expect(try await served.nextKey() == first)
    if option == "--token-file" { #expect(access(served.tokenFile, R_OK) == 0) }
    // It is renewed as before, and its end is seen as before.
    try await vault.mustRun("rotate", "app-dev")
    let second = try await served.key()
    #expect(second != nil && second != first)
    #expect(try await rows(vault, "Deliver").filter { $0["trigger"] as? String == "server" }.count == 3)
    try await served.end()
    #expect(try await rows(vault, "LeaseEnded").count == 1)
    await #expect(throws: (any Error).self) { try await served.key() }
    if option == "--token-file" { #expect(access(served.tokenFile, F_OK) != 0) }
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("of many programs none is ever told that its token is unknown, while one agent ends and the next begins")
  func many() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    var served: [ServedProgram] = []
    for _ in 0..<12 { served.append(try await ServedProgram(vault)) }
    let programs = served
    for _ in 0..<3 {
      vault.killAgent()
      async let start = vault.mustRun("agent", "start")
      var waiting = programs
      let deadline = Date().addingTimeInterval(30)
      while !waiting.isEmpty, Date() < deadline {
        for (index, program) in waiting.enumerated().reversed() {
          guard let status = try? await program.response().status else { continue }
          #expect(status == 200 || status == 503)
          if status == 200 { waiting.remove(at: index) }
        }
      }
      #expect(waiting.isEmpty)
      _ = try await start
    }
    for program in programs { try await program.end() }
    #expect(try await rows(vault, "LeaseEnded", atLeast: 12).count == 12)
  }

  @Test("a program that runs past several sessions and the death of its agent sees new keys on both sides of it")
  func renewed() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    var seen: Set<String> = []
    let deadline = Date().addingTimeInterval(90)
    while seen.count < 2, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    vault.killAgent()
    try await vault.mustRun("agent", "start")
    while seen.count < 5, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    #expect(seen.count >= 5)
    try await served.end()
  }

  @Test("a program that ended while no agent ran has its row; a process that has got its number is not taken for it")
  func ended() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let gone = try await ServedProgram(vault)
    let other = try await ServedProgram(vault)
    vault.killAgent()
    try await gone.end()
    // As if the number of the second one were a younger process's.
    let changed = try await Subprocess.run(
      try Programs.onPath("sqlite3"), [vault.database, "UPDATE lease SET started = started + 1"], environment: [:])
    #expect(changed.succeeded, "\(changed.errors)")
    try await vault.mustRun("agent", "start")
    let rows = try await rows(vault, "LeaseEnded", atLeast: 2)
    #expect(rows.count == 2 && rows.allSatisfy { $0["detail"] as? String == "ended while no agent ran" }, "\(rows)")
    let third = try await ServedProgram(vault)
    let answer = try await LoopbackHTTP.send(
      "GET", "/credentials", port: third.port, headers: ["Authorization": other.token], timeout: 10)
    #expect(answer.status == 403)
    try await third.end()
    try await other.end()
  }

  @Test("a locked vault serves nothing, and the same programs again once it is unlocked")
  func locked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    let first = try await served.key()
    try await vault.mustRun("lock")
    let answer = try await served.response()
    #expect(answer.status == 503 && answer.text.contains("locked") && !answer.text.contains("Secret"), "\(answer.text)")
    // Also by an agent that starts anew, which does not unlock what a person has locked.
    vault.killAgent()
    try await vault.mustRun("agent", "start")
    while (try? await served.response())?.status != 503 { try await Task.sleep(for: .milliseconds(20)) }
    try await vault.mustRun("unlock")
    // By its first question, whatever it was told before.
    #expect(try await served.key() == first)
    // A program may end while the vault is locked.
    try await vault.mustRun("lock")
    try await served.end()
    #expect(try await rows(vault, "LeaseEnded").count == 1)
    try await vault.mustRun("unlock")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("where another has the port meanwhile, others are served at a new one, and the program again once it is free")
  func portTaken() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault)
    vault.killAgent()
    let squatter = try RunningProgram(
      try Programs.python,
      [
        "-c",
        "import socket, sys; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', \(served.port))); s.listen(); print('up', flush=True); sys.stdin.read()",
      ], environment: [:])
    #expect(try await squatter.readLine() == "up")
    try await vault.mustRun("agent", "start")
    let other = try await ServedProgram(vault)
    #expect(try await other.key() != nil && other.port != served.port)
    squatter.terminate()
    try await squatter.wait(timeout: 10)
    #expect(try await served.nextKey() != nil)
    try await served.end()
    #expect(try await other.key() != nil)
    try await other.end()
  }

  @Test(
    "a program that is started while AWS is away is served all the same, with the session in hand and then with fresh ones",
    .tags(.slow))
  func startedOffline() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 20))
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await simulator.queue(.http503, count: 1_000)
    // Until it is due: a session of twenty seconds after ten at the latest.
    let due = Date().addingTimeInterval(10.5)
    while Date() < due { try await Task.sleep(for: .milliseconds(100)) }
    let served = try await ServedProgram(vault)
    let first = try await served.key()
    #expect(first != nil)
    try await simulator.reset()
    let deadline = Date().addingTimeInterval(60)
    var latest = first
    while latest == first || latest == nil, Date() < deadline { latest = try await served.nextKey() }
    #expect(latest != nil && latest != first)
    try await served.end()
  }

  @Test("what a program leaves running in the background is served no longer than the program itself")
  func grandchild() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let keeper = try await ServedProgram(vault)
    let output = vault.folder.file("token")
    try await vault.mustRun(
      "exec", "--server", "app-dev", "--", "sh", "-c",
      "(printf %s \"$AWS_CONTAINER_AUTHORIZATION_TOKEN\" > '\(output)'; sleep 20) >/dev/null 2>&1 & sleep 0.2")
    _ = try await rows(vault, "LeaseEnded")
    let token = try String(contentsOfFile: output, encoding: .utf8)
    let answer = try await LoopbackHTTP.send(
      "GET", "/credentials", port: keeper.port, headers: ["Authorization": token], timeout: 10)
    #expect(token.count == 43 && answer.status == 403)
    try await keeper.end()
  }
}
