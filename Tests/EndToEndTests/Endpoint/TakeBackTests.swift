import Foundation
import Glibc
import TestSupport
import Testing

/// What `forget`, `logout`, `remove` and `lock` take back, by the real programs: from programs that are served, from files, from what is under way.
@Suite(.endToEnd) struct TakeBackTests {
  @Test("a forgotten session is served to nobody and stands in no file; who asks gets another", arguments: ["app-dev", "--all"])
  func forget(what: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let served = try await ServedProgram(vault)
    let key = try #require(try await served.key())
    #expect(try vault.credentialsFile().contains(key))

    try await vault.mustRun("forget", what)
    #expect(try vault.credentialsFile() == before)
    let next = try #require(try await served.nextKey())
    #expect(next != key)
    // The link stands: the session that the program has brought is the file's, too.
    let deadline = Date().addingTimeInterval(20)
    while try !vault.credentialsFile().contains(next), Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try vault.credentialsFile().contains(next))
    try await served.end()
  }

  @Test("a forgotten session that nothing is served is renewed no more, and nothing new is made unasked")
  func unasked() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await TestVault(unasked: simulator)
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    try await vault.mustRun("forget", "app-dev")
    let calls = try await simulator.requests("AssumeRole").count
    try await Task.sleep(for: .seconds(5))
    #expect(try await simulator.requests("AssumeRole").count == calls)
    #expect(try await vault.rows("sessions").contains { $0["profile"] as? String == "app-dev" } == false)
  }

  @Test("after a logout nothing that the sign-in brought is served or in a file, and a login brings it back")
  func logout() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(SignInTests.config)
    vault.credentials(
      "[mine]\naws_access_key_id = AKIAMINEMINEMINEMINE\naws_secret_access_key = \(String(repeating: "m", count: 40))\n")
    try await vault.mustRun("import")
    try await vault.mustRun("login", "--device", "developer")
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "developer")
    let served = try await ServedProgram(vault, profile: "developer")
    let key = try #require(try await served.key())
    #expect(try vault.credentialsFile().contains(key))

    try await vault.mustRun("logout")
    #expect(try vault.credentialsFile() == before)
    #expect(try await served.response().status == 503)
    try await vault.mustRun("login", "--device", "developer")
    #expect(try #require(try await served.nextKey()) != key)
    try await served.end()
  }

  @Test("a removed profile is served no more, and its link goes with it")
  func remove() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    try await vault.mustRun("add", "mine", "--role-arn", STSWorld.devRole, "--source", "alice")
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "mine")
    let served = try await ServedProgram(vault, profile: "mine")
    #expect(try await served.key() != nil)
    #expect(try vault.credentialsFile() != before)

    try await vault.mustRun("remove", "mine")
    #expect(try vault.credentialsFile() == before)
    #expect(try await served.response().status == 503)
    #expect(try await vault.run("unlink", "--credentials-file", "mine").end == .exit(66))
    try await served.end()
  }

  @Test("a session that AWS issues after its profile was forgotten is not kept, and nobody gets it")
  func underWay() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await simulator.queue(STSFault(.slow, action: "AssumeRole", delayMs: 3_000))
    async let late = vault.run("exec", "--refresh", "app-dev", "--", "true")
    let deadline = Date().addingTimeInterval(20)
    while try await simulator.requests("AssumeRole").count < 2, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    try await vault.mustRun("forget", "app-dev")
    let refused = try await late
    #expect(refused.end == .exit(75) && refused.errors.contains("was forgotten while"), "\(refused.end) \(refused.errors)")
    #expect(try await vault.rows("sessions").contains { $0["profile"] as? String == "app-dev" } == false)
    #expect(try await vault.rows("audit").contains { ($0["detail"] as? String)?.contains("forgotten meanwhile") == true })
    try await vault.mustRun("audit", "verify")
  }

  @Test("keys that a lock cannot take out of a file at once, since another program holds it, go as soon as they can")
  func heldFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(unasked: simulator)
    let before = try vault.credentialsFile()
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    let folder = open(vault.folder.file("home/.aws"), O_RDONLY | O_DIRECTORY)
    try #require(flock(folder, LOCK_EX) == 0)
    vault.killAgent()
    try await vault.mustRun("lock")
    #expect(try vault.credentialsFile() != before)
    close(folder)
    let deadline = Date().addingTimeInterval(20)
    while try vault.credentialsFile() != before, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try vault.credentialsFile() == before)
  }
}
