import Foundation
import Glibc
import TestSupport
import Testing

/// `vault revoke`, by the real programs: what was handed out comes to nothing here, and a program has to be started again.
@Suite(.endToEnd) struct RevokeTests {
  private func text(_ row: [String: Any], _ name: String) -> String { row[name] as? String ?? "" }

  @Test(
    "a revoked profile is served to no program, stands in no file, and comes back only by a new command",
    arguments: ["app-dev", "--all"])
  func profile(what: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let served = try await ServedProgram(vault)
    let key = try #require(try await served.key())
    #expect(try vault.credentialsFile().contains(key))

    let result = try await vault.run("revoke", what, "--reason", "laptop lost")
    #expect(result.succeeded && result.errors.contains("1 program served no more"), "\(result.errors)")
    #expect(result.errors.contains("emptied and unlinked: ["), "\(result.errors)")
    #expect(try vault.credentialsFile() == before)
    let answer = try await served.response()
    #expect(answer.status == 403 && answer.text.contains("was revoked"), "\(answer.status) \(answer.text)")

    // Nothing brings it back unasked: no question of the program's, no other agent, no unlock.
    let calls = try await simulator.requests("AssumeRole").count
    for _ in 0..<20 { #expect(try await served.response().status == 403) }
    vault.killAgent()
    try await vault.mustRun("lock")
    try await vault.mustRun("unlock")
    #expect(try await simulator.requests("AssumeRole").count == calls)
    #expect(try vault.credentialsFile() == before)

    // A person's new command gets a new session.
    let next = try await vault.mustRun("exec", "app-dev", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID")
    #expect(next.hasPrefix("ASIA") && !next.contains(key))
    #expect(try vault.credentialsFile() == before)

    let rows = try await vault.rows("audit", "--action", "Revoked")
    #expect(rows.contains { text($0, "accessKeyId") == key && text($0, "reason") == "laptop lost" }, "\(rows)")
    #expect(rows.allSatisfy { ($0["requester"] as? [String: Any])?["uid"] as? Int == Int(getuid()) })
    let ended = try await vault.rows("sessions", "--all").first { text($0, "accessKeyId") == key }
    #expect(ended.map { text($0, "endReason") } == "revoked")
    #expect(try await vault.rows("audit", "--action", "LeaseEnded").contains { text($0, "detail").hasPrefix("revoked after") })
    try await vault.mustRun("audit", "verify")
    try await served.end()
  }

  @Test("one session, by its ID or its key's, and what one process was given; others get another")
  func one() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let (mine, other) = (try await ServedProgram(vault), try await ServedProgram(vault))
    let key = try #require(try await mine.key())
    #expect(try await other.key() == key)
    // Both have the same session: the other program's is another one from then on.
    try await vault.mustRun("revoke", "--process", "\(mine.program.pid)")
    #expect(try await mine.response().status == 403)
    let next = try #require(try await other.nextKey())
    #expect(next != key)

    try await vault.mustRun("revoke", "--session", next)
    #expect(try await other.response().status == 403)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let id = try #require(try await vault.rows("sessions").first { text($0, "profile") == "app-dev" }.map { text($0, "id") })
    try await vault.mustRun("revoke", "--session", id)
    #expect(try await vault.rows("sessions").contains { text($0, "profile") == "app-dev" } == false)
    try await mine.end()
    try await other.end()
  }

  @Test("what there is nothing of, or is not one thing, is refused")
  func nothing() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    for words in [
      ["nobody"], ["--session", "ses_nothing"], ["--session", "ASIAIOSFODNN7EXAMPLE"], ["--automation", "nightly"],
      ["--process", "\(getpid())"],
    ] {
      let result = try await vault.run(words: ["revoke"] + words)
      #expect(result.end == .exit(66), "\(words): \(result.end) \(result.errors)")
    }
    for words in [
      [], ["app-dev", "--all"], ["--process", "0"], ["--process", "x"], ["--process", "99999999999"],
      ["--session", "a", "--all"], ["a", "b"],
    ] {
      let result = try await vault.run(words: ["revoke"] + words)
      #expect(result.end == .exit(64), "\(words): \(result.end) \(result.errors)")
    }
    // A profile of which there is nothing is revoked all the same: its calls under way count.
    #expect(try await vault.run("revoke", "app-dev").succeeded)
    #expect(try await vault.rows("audit", "--action", "Revoked").map { text($0, "profile") } == ["app-dev"])
  }

  @Test(
    "a session that AWS issues after the revocation, asked for before, is not kept, and nobody gets it", arguments: [false, true])
  func underWay(asksAll: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await simulator.queue(STSFault(.slow, action: "AssumeRole", delayMs: 2_000))
    async let late = vault.run("exec", "--refresh", "app-dev", "--", "true")
    let deadline = Date().addingTimeInterval(20)
    while try await simulator.requests("AssumeRole").count < 2, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    try await vault.mustRun("revoke", asksAll ? "--all" : "app-dev")
    let refused = try await late
    #expect(refused.end == .exit(75), "\(refused.end) \(refused.errors)")
    #expect(try await vault.rows("sessions").contains { text($0, "profile") == "app-dev" } == false)
  }

  @Test("a profile that goes from its file is served no more, once the vault learns of it, and stands in no file")
  func removedFromFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let served = try await ServedProgram(vault)
    #expect(try await served.key() != nil)
    vault.config(TestVault.standardConfig.replacing("[profile app-dev]", with: "[profile another]"))
    try await vault.mustRun("import")
    #expect(try await served.response().status == 503)
    let deadline = Date().addingTimeInterval(10)
    while try vault.credentialsFile() != before, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try vault.credentialsFile() == before)
    try await served.end()
  }

  @Test("a locked vault revokes too, and without an agent one is started for it")
  func locked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let served = try await ServedProgram(vault)
    try await vault.mustRun("lock")
    vault.killAgent()
    let result = try await vault.run("revoke", "app-dev")
    #expect(result.succeeded && result.errors.contains("1 session, 1 program served no more"), "\(result.errors)")
    try await vault.mustRun("unlock")
    #expect((try? await served.key()) == nil)
    #expect(try await vault.rows("sessions").contains { text($0, "profile") == "app-dev" } == false)
    try await vault.mustRun("audit", "verify")
    try await served.end()
  }

  @Test("a changed profile reaches the program and the file that have its former session, once the vault learns of it")
  func changed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let served = try await ServedProgram(vault)
    let key = try #require(try await served.key())
    // Another profile changes, and nothing of this one does.
    vault.config(
      TestVault.standardConfig.replacing("[profile app-dev]", with: "[profile app-dev]\nendpoint_url = \(simulator.url)")
        + "\n[profile other]\nregion = eu-west-1\n")
    try await vault.mustRun("import")
    #expect(try await served.key() == key)
    vault.config(
      TestVault.standardConfig.replacing(
        "[profile app-dev]", with: "[profile app-dev]\nendpoint_url = \(simulator.url)\nduration_seconds = 900"))
    try await vault.mustRun("import")
    let next = try #require(try await served.nextKey())
    #expect(next != key)
    let deadline = Date().addingTimeInterval(20)
    while try !vault.credentialsFile().contains(next), Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try vault.credentialsFile().contains(next) && !vault.credentialsFile().contains(key))
    try await served.end()
  }

  @Test("a sign-out counts here before IAM Identity Center answers")
  func slowLogout() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(SignInTests.config)
    try await vault.mustRun("import")
    try await vault.mustRun("login", "--device", "developer")
    let served = try await ServedProgram(vault, profile: "developer")
    #expect(try await served.key() != nil)
    try await simulator.queue(STSFault(.slow, action: "Logout", delayMs: 5_000))
    async let out = vault.run("logout")
    let deadline = Date().addingTimeInterval(20)
    while try await simulator.requests("Logout").isEmpty, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try await served.response().status == 503)
    #expect(try await out.succeeded)
    try await served.end()
  }

  @Test("a run that acts by itself gets nothing more once its name is revoked, and cannot revoke anything")
  func automation() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let script = """
      "$VAULT" revoke --all; echo revoke $?; read next
      "$VAULT" credentials app-dev >/dev/null; echo credentials $?; read end
      """
    let run = try RunningProgram(
      Programs.vault, ["exec", "--automation", "nightly", "app-dev", "--", "sh", "-c", script],
      environment: vault.environment.merging(["VAULT": Programs.vault]) { $1 })
    #expect(try await run.readLine() == "revoke 77")
    let result = try await vault.run("revoke", "--automation", "nightly", "--reason", "went astray")
    #expect(result.succeeded && result.errors.contains("1 run"), "\(result.errors)")
    run.send("\n")
    #expect(try await run.readLine() == "credentials 77")
    #expect(try await vault.run("exec", "app-dev", "--", "true").succeeded)
    #expect(try await vault.rows("audit", "--action", "Revoked").contains { text($0, "detail") == "automation nightly" })
    run.send("\n")
    try await run.wait(timeout: 20)
  }

  enum Taking: String, CaseIterable {
    case revoke, forget, logout, remove, lock

    /// Whether a program that asks again may be served something else.
    var isFollowedByMore: Bool { self == .forget }
  }

  @Test(
    "an endpoint at full speed serves nothing that was taken back to any request after the answer", arguments: Taking.allCases)
  func underLoad(_ taking: Taking) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault: TestVault
    let profile: String
    var words = [taking.rawValue]
    switch taking {
    case .logout:
      vault = TestVault(environment: simulator.environment)
      vault.config(SignInTests.config)
      try await vault.mustRun("import")
      try await vault.mustRun("login", "--device", "developer")
      profile = "developer"
    case .remove:
      vault = try await TestVault(unasked: simulator)
      try await vault.mustRun("add", "mine", "--role-arn", STSWorld.devRole, "--source", "alice")
      profile = "mine"
      words.append(profile)
    case .revoke, .forget:
      vault = try await TestVault(unasked: simulator)
      profile = "app-dev"
      words.append(profile)
    case .lock:
      vault = try await TestVault(unasked: simulator)
      profile = "app-dev"
    }
    for round in 0..<3 {
      if taking == .lock { try await vault.mustRun("unlock") }
      if round > 0, taking == .logout { try await vault.mustRun("login", "--device", "developer") }
      if round > 0, taking == .remove {
        try await vault.mustRun("add", "mine", "--role-arn", STSWorld.devRole, "--source", "alice")
      }
      let served = try await ServedProgram(vault, profile: profile)
      let key = try #require(try await served.key())
      let wrk = try RunningProgram(
        "/usr/bin/wrk",
        ["-t1", "-c32", "-d20s", "-H", "Authorization: \(served.token)", "http://127.0.0.1:\(served.port)/credentials"],
        environment: vault.environment)
      let load = EndpointLoad(port: served.port, token: served.token, key: key)
      try await Task.sleep(for: .milliseconds(300))
      let result = try await vault.run(words: words)
      let answered = EndpointLoad.now
      #expect(result.succeeded, "\(result.errors)")
      try await Task.sleep(for: .milliseconds(300))
      let samples = try await load.end()
      wrk.terminate()

      let good = samples.filter { $0.status == 200 && $0.isFirstKey }
      #expect(good.count > 100, "\(taking): \(samples.count)")
      #expect(samples.contains { $0.sent > answered }, "\(taking)")
      let late = samples.filter { $0.sent > answered && $0.status == 200 && (!taking.isFollowedByMore || $0.isFirstKey) }
      #expect(late.isEmpty, "\(taking), round \(round): \(late.count) of \(samples.count)")
      let last = good.map(\.received).max() ?? 0
      #expect(last < answered + 100_000_000, "\(taking), round \(round): \(Int64(last) - Int64(answered)) ns after the answer")
      try await served.end()
    }
  }
}
