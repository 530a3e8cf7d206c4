import Foundation
import TestSupport
import Testing

/// `vault access-key rotate`, by the real programs against the strict simulator.
@Suite(.endToEnd) struct KeyRotationTests {
  private func actions(_ simulator: STSSimulatorProcess) async throws -> [String] {
    try await simulator.report().requests.map(\.action)
  }

  @Test("an access key gets a successor, which works, and the old one is gone")
  func rotate() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    try await vault.mustRun(
      "access-key", "add", "alice", input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n")
    try await vault.mustRun("add", "app", "--role-arn", STSWorld.devRole, "--source", "alice", "--region", "us-east-1")
    let rotated = try await vault.run("access-key", "rotate", "alice")
    #expect(rotated.succeeded && rotated.errors.contains("\(STSWorld.aliceAccessKeyId) is deleted"), "\(rotated.errors)")
    #expect(
      try await actions(simulator) == [
        "ListAccessKeys", "GetCallerIdentity", "CreateAccessKey", "GetCallerIdentity", "DeleteAccessKey", "GetCallerIdentity",
      ])
    try await vault.mustRun("exec", "app", "--", "true")
    let key = try #require(try await vault.rows("access-key", "list").first?["accessKeyId"] as? String)
    #expect(key != STSWorld.aliceAccessKeyId)
    #expect(try await simulator.requests("AssumeRole").first?.accessKeyId == key)
    // Where the last step fails, the next rotate makes up for it.
    try await simulator.queue(.http500, count: 3, action: "DeleteAccessKey")
    #expect(try await vault.run("access-key", "rotate", "alice").end == .exit(69))
    try await vault.mustRun("exec", "--refresh", "app", "--", "true")
    try await vault.mustRun("access-key", "rotate", "alice")
    try await vault.mustRun("exec", "--refresh", "app", "--", "true")
    // A new key that does not work is taken back.
    try await simulator.queue(.accessDenied, action: "GetCallerIdentity")
    #expect(try await vault.run("access-key", "rotate", "alice").end == .exit(77))
    try await vault.mustRun("access-key", "rotate", "alice")
    try await vault.mustRun("exec", "--refresh", "app", "--", "true")
  }

  @Test("an agent that is killed at any step of a key's rotation leaves a key that works", .tags(.slow))
  func rotationKilled() async throws {
    var ends: Set<Bool> = []
    for milliseconds in stride(from: 20, through: 720, by: 100) {
      let simulator = try await STSSimulatorProcess()
      let vault = TestVault(environment: simulator.environment)
      try await vault.mustRun(
        "access-key", "add", "alice", input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n")
      try await vault.mustRun("add", "app", "--role-arn", STSWorld.devRole, "--source", "alice", "--region", "us-east-1")
      try await simulator.set(STSSettings(latencyMs: 150))
      async let rotation = vault.run("access-key", "rotate", "alice")
      try await Task.sleep(for: .milliseconds(milliseconds))
      vault.killAgent()
      // The client asks a new agent, which goes on or says what stands in the way.
      ends.insert(try await rotation.succeeded)
      try await simulator.set(STSSettings(latencyMs: 0))
      let works = try await vault.run("exec", "--refresh", "app", "--", "true")
      #expect(works.succeeded, "after \(milliseconds) ms: \(works.errors)")
      #expect(try await vault.run("audit", "verify").succeeded)
    }
    #expect(ends.contains(true))
  }

  @Test("a key that still stands in a followed file is not rotated behind its back")
  func rotateFollowed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: simulator.environment)
    let refused = try await vault.run("access-key", "rotate", "alice")
    #expect(refused.end == .exit(78) && refused.errors.contains(".aws/credentials"), "\(refused.errors)")
    vault.credentials("")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let rotated = try await vault.run("access-key", "rotate", "alice")
    #expect(rotated.succeeded, "\(rotated.errors)")
    try await vault.mustRun("exec", "--refresh", "app-dev", "--", "true")
  }

  @Test("a key with an MFA device is rotated with one code, from the person or from the secret that the vault holds")
  func rotateWithDevice() async throws {
    for isHeld in [false, true] {
      let simulator = try await STSSimulatorProcess()
      let vault = TestVault(environment: simulator.environment)
      let lines = "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n\(STSWorld.aliceTOTPSecret)\n"
      try await vault.mustRun(
        "access-key", "add", "alice", "--mfa-serial", STSWorld.aliceMFASerial, isHeld ? "--totp" : "--replace", input: lines)
      let code = isHeld ? [] : ["--mfa-code", STSWorld.aliceMFACodes[0]]
      let rotated = try await vault.run(words: ["access-key", "rotate", "alice"] + code)
      #expect(rotated.succeeded && rotated.errors.contains("\(STSWorld.aliceAccessKeyId) is deleted"), "\(rotated.errors)")
      #expect(
        try await actions(simulator) == [
          "GetSessionToken", "ListAccessKeys", "GetCallerIdentity", "CreateAccessKey", "GetCallerIdentity", "DeleteAccessKey",
          "GetCallerIdentity",
        ])
    }
  }
}
