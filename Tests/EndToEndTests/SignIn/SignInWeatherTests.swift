import Foundation
import TestSupport
import Testing

/// IAM Identity Center where its region is away, or the clock is off.
@Suite(.endToEnd) struct SignInWeatherTests {
  /// Two organizations, each in a region of its own, which two simulators play.
  private static func config(_ near: STSSimulatorProcess, _ far: STSSimulatorProcess) -> String {
    func part(_ name: String, _ region: String, _ url: String) -> String {
      """
      [services \(name)]
      sso =
        endpoint_url = \(url)
      sso_oidc =
        endpoint_url = \(url)
      sts =
        endpoint_url = \(url)
      [sso-session \(name)]
      sso_start_url = \(STSWorld.center.startURL)
      sso_region = \(region)
      sso_registration_scopes = sso:account:access
      [profile \(name)-developer]
      sso_session = \(name)
      sso_account_id = \(STSWorld.ssoAccount)
      sso_role_name = Developer
      region = \(region)
      services = \(name)
      [profile \(name)-app]
      role_arn = \(STSWorld.ssoRole)
      source_profile = \(name)-developer
      region = \(region)
      services = \(name)

      """
    }
    return part("near", "us-east-1", near.url) + part("far", "eu-west-1", far.url)
  }

  @Test("an outage of one region is told as that, stops nobody whose sign-in is in another, and is no reason to sign in again")
  func regionDown() async throws {
    let near = try await STSSimulatorProcess()
    let far = try await STSSimulatorProcess()
    let vault = TestVault()
    vault.config(Self.config(near, far))
    try await vault.mustRun("import")
    for name in ["near", "far"] { try await vault.mustRun("login", "--device", "\(name)-developer") }
    try await vault.mustRun("exec", "far-app", "--", "true")
    for fault in ["GetRoleCredentials", "CreateToken", "RegisterClient", "StartDeviceAuthorization"] {
      try await far.queue(.http503, count: 1_000, action: fault)
    }
    // What lives is served; what would need the region is told so, and ends in time.
    try await vault.mustRun("exec", "far-app", "--", "true")
    let away = try await vault.run("exec", "far-developer", "--refresh", "--", "true")
    #expect(away.end == .exit(69) && away.errors.contains("ServiceUnavailable"), "\(away.end) \(away.errors)")
    #expect(!away.errors.contains("vault login"), "\(away.errors)")
    try await vault.mustRun("exec", "near-app", "--", "true")
    let list = try await vault.mustRun("list")
    #expect(!list.contains("needs-login"), "\(list)")
    let login = try await vault.run("login", "--device", "far-developer")
    #expect(login.end == .exit(69), "\(login.end) \(login.errors)")
    // Back again: without a person.
    try await far.reset()
    try await vault.mustRun("exec", "far-developer", "--refresh", "--", "true")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a token near its end is used while the region that would renew it is away")
  func tokenNearItsEnd() async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.tokenSeconds = 600
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.queue(.http503, count: 1_000, action: "CreateToken")
    let run = try await vault.run("exec", "developer", "--", "true")
    #expect(run.succeeded, "\(run.end) \(run.errors)")
  }

  @Test("with a clock that is ten minutes off, a sign-in works, and a session ends when AWS ends it", arguments: [600, -600])
  func clockOff(seconds: Int) async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 1_800, clockOffsetSeconds: seconds))
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await vault.mustRun("exec", "app", "--", "true")
    try await vault.mustRun("exec", "developer", "--", "true")
    // By this machine's clock, which is what the vault and an SDK compare with.
    for profile in ["app", "developer"] {
      let session = try await vault.rows("list").first { $0["profile"] as? String == profile }?["session"] as? [String: Any]
      let remaining = try #require(session?["remainingSeconds"] as? Int)
      #expect((1_700...1_800).contains(remaining), "\(profile): \(remaining)")
    }
    let shown = try await vault.mustRun("exec", "developer", "--", "printenv", "AWS_CREDENTIAL_EXPIRATION")
    let end = try #require(ISO8601DateFormatter().date(from: shown.trimmingCharacters(in: .whitespacesAndNewlines)))
    #expect((1_690...1_800).contains(Int(end.timeIntervalSinceNow)), "\(shown)")
  }

  @Test("a renewal that brings no other refresh token leaves the one that there was")
  func keptRefreshToken() async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.tokenSeconds = 600
    center.keepsRefreshTokens = true
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await SignInTests.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    for _ in 0..<3 { try await vault.mustRun("exec", "--refresh", "developer", "--", "true") }
    #expect(try await simulator.requests("CreateToken").map(\.outcome) == Array(repeating: .success, count: 4))
  }
}
