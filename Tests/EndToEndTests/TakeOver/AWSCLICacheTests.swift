import Foundation
import TestSupport
import Testing
import VaultModel

/// `vault import --from aws-cli-cache`: a sign-in that boto3 made.
@Suite(.endToEnd) struct AWSCLICacheTests {
  private func stage(_ simulator: STSSimulatorProcess) async throws -> TakeOverStage {
    let vault = TestVault(environment: simulator.environment)
    vault.config(SignInTests.config)
    let stage = TakeOverStage(vault: vault)
    try await stage.script(
      "sso_cache.py",
      [simulator.url, STSWorld.center.startURL, "us-east-1", "corp", vault.home + "/.aws/sso/cache"], input: "")
    stage.write("{}", to: ".aws/cli/cache/0123.json")
    stage.write("{}", to: ".aws/login/cache/4567.json")
    stage.write("[", to: ".aws/sso/cache/torn.json")
    stage.age(".aws/sso")
    return stage
  }

  @Test("a sign-in goes on without a person, is renewed by the vault, and its file keeps its bytes and times")
  func renewed() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    let before = stage.snapshot(".aws/sso")
    let dry = try await stage.take("aws-cli-cache", "--dry-run")
    #expect(dry["sign-in corp"]?.result == "taken", "\(dry)")
    #expect(try await stage.vault.rows("list").isEmpty)

    let items = try await stage.take("aws-cli-cache")
    #expect(items["sign-in corp"]?.result == "taken", "\(items)")
    #expect(items["sign-in corp"]?.detail?.contains("renewed by the vault") == true)
    #expect(items["sign-in torn"]?.detail == "the file is not JSON")
    #expect(items["session 0123"]?.result == "not taken" && items["session 4567"]?.result == "not taken")
    #expect(items.count == 4, "a registration is nothing to take over: \(items)")
    try await stage.vault.mustRun("exec", "developer", "--", "true")
    try await simulator.signIn(.expire)
    try await stage.vault.mustRun("exec", "--refresh", "developer", "--", "true")
    #expect(try await simulator.report().requests.map(\.action).filter { $0 == "CreateToken" }.count == 2)
    #expect(stage.snapshot(".aws/sso") == before)
    #expect(try await stage.take("aws-cli-cache")["sign-in corp"]?.result == "known")
  }

  @Test("a file that is long without end is cut where it is told, and the others are taken")
  func long() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    let url = "https://" + String(repeating: "a\\u0301", count: 60_000)
    stage.write(
      #"{"startUrl":"\#(url)","region":"us-east-1","accessToken":"x","expiresAt":"2099-01-01T00:00:00Z"}"#,
      to: ".aws/sso/cache/long.json")
    let items = try await stage.take("aws-cli-cache")
    #expect(items["sign-in corp"]?.result == "taken", "\(items.keys)")
    #expect(items.values.first { $0.from.hasSuffix("long.json") }?.name.unicodeScalars.count == 1_000)
  }

  @Test("a token for another start URL than the section of its name has is not sent there")
  func otherURL() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    stage.vault.config(SignInTests.config.replacingOccurrences(of: STSWorld.center.startURL, with: "https://evil.example/start"))
    let items = try await stage.take("aws-cli-cache")
    #expect(items["sign-in corp"]?.detail?.contains("not for https://evil.example/start") == true, "\(items)")
    #expect(try await stage.vault.run("exec", "developer", "--", "true").end == .exit(77))
  }
}
