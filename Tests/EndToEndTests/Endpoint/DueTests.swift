import Foundation
import Glibc
import TestSupport
import Testing

/// Programs that are served, and ask when their session is due: after an outage or a suspend the schedule needs a while for all of them.
@Suite(.endToEnd, .tags(.slow)) struct DueTests {
  /// A served program whose session is due and could not be renewed.
  private func overdue(_ simulator: STSSimulatorProcess, _ vault: TestVault) async throws -> (ServedProgram, first: String) {
    try await simulator.set(STSSettings(lifetimeSeconds: 24))
    let served = try await ServedProgram(vault)
    let first = try #require(try await served.key())
    try await simulator.queue(.http503, count: 1_000)
    while (try await vault.rows("list").first { $0["profile"] as? String == "app-dev" }?["session"] as? [String: Any])?["state"]
      as? String != "due"
    { try await Task.sleep(for: .milliseconds(100)) }
    // The schedule has tried, and pauses.
    while try await simulator.requests("AssumeRole").count < 3 { try await Task.sleep(for: .milliseconds(50)) }
    return (served, first)
  }

  @Test("when AWS is back, the first question of a served program brings it a new key, with one call however many ask")
  func recovered() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let (served, first) = try await overdue(simulator, vault)
    try await simulator.reset()
    try await simulator.set(STSSettings(latencyMs: 200, lifetimeSeconds: 3_600))
    let keys = try await withThrowingTaskGroup(of: String?.self) { group in
      for _ in 0..<8 { group.addTask { try await served.key() } }
      return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
    }
    #expect(keys.count == 1 && keys.first != .some(nil) && keys.first != first, "\(keys)")
    #expect(try await simulator.requests("AssumeRole").count == 1)
    // No key without its row.
    #expect(try await vault.rows("audit", "--action", "Deliver").contains { $0["accessKeyId"] as? String == keys.first })
    try await served.end()
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test(
    "a served program does not wait for an AWS that is silent: it is soon given the session in hand, and is not held up again")
  func silent() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let (served, first) = try await overdue(simulator, vault)
    try await simulator.reset()
    try await simulator.set(STSSettings(latencyMs: 6_000, lifetimeSeconds: 3_600))
    // However long a busy machine takes: less than the call.
    for _ in 0..<3 {
      let began = Date()
      #expect(try await served.key() == first)
      #expect(Date().timeIntervalSince(began) < 5)
    }
    // What it has begun goes on, and is there when it is.
    var latest: String? = first
    let deadline = Date().addingTimeInterval(60)
    while latest == first || latest == nil, Date() < deadline { latest = try await served.nextKey() }
    #expect(latest != nil && latest != first)
    try await served.end()
  }

  @Test("after a login, the first question of a served program brings it a new key, however often it has asked in vain")
  func login() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 6))
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    let served = try await ServedProgram(vault, profile: "developer")
    let first = try await served.key()
    #expect(first != nil)
    try await simulator.signIn(.revoke)
    while try await served.response().status == 200 { try await Task.sleep(for: .milliseconds(50)) }
    // So that the schedule, which goes on by itself after a login, is not there first.
    try await simulator.set(STSSettings(latencyMs: 200, lifetimeSeconds: 3_600))
    try await vault.mustRun("login", "--device", "corp")
    let next = try await served.key()
    #expect(next != nil && next != first)
    try await served.end()
  }

  @Test("a session of a length of the program's own is renewed as that")
  func ownDuration() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await TestVault(simulator)
    let served = try await ServedProgram(vault, "--duration", "20m")
    var seen: Set<String> = []
    let deadline = Date().addingTimeInterval(90)
    while seen.count < 4, Date() < deadline { if let key = try await served.nextKey() { seen.insert(key) } }
    #expect(seen.count >= 4)
    #expect(Set(try await simulator.requests("AssumeRole").map { $0.parameters["DurationSeconds"] }) == ["1200"])
    try await served.end()
  }
}
