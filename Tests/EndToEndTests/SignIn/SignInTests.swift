import Foundation
import TestSupport
import Testing
import VaultModel

/// IAM Identity Center, by the real programs against the strict simulator.
@Suite(.endToEnd) struct SignInTests {
  static let config = """
    [sso-session corp]
    sso_start_url = \(STSWorld.center.startURL)
    sso_region = us-east-1
    sso_registration_scopes = sso:account:access

    [profile developer]
    sso_session = corp
    sso_account_id = \(STSWorld.ssoAccount)
    sso_role_name = Developer
    region = eu-west-1

    [profile older]
    sso_start_url = \(STSWorld.center.startURL)
    sso_region = us-east-1
    sso_account_id = \(STSWorld.ssoAccount)
    sso_role_name = Developer

    [profile app]
    role_arn = \(STSWorld.ssoRole)
    source_profile = developer
    duration_seconds = 7200

    """

  static func vault(_ simulator: STSSimulatorProcess, environment: [String: String] = [:]) async throws -> TestVault {
    let vault = TestVault(environment: simulator.environment.merging(environment) { _, new in new })
    vault.config(config)
    try await vault.mustRun("import")
    return vault
  }

  /// A browser that goes where it is sent, and says what it saw.
  private static func browser(_ vault: TestVault) throws -> [String: String] {
    let python = try Programs.python
    let program = """
      #!/bin/sh
      exec \(python) -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$1"

      """
    let path = vault.folder.write(program, to: "browser")
    chmod(path, 0o700)
    return ["BROWSER": path]
  }

  private func actions(_ simulator: STSSimulatorProcess) async throws -> [String] {
    try await simulator.report().requests.map(\.action)
  }

  @Test("after a sign-in by device code, a role behind a permission set is reached, and both sessions are kept")
  func device() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    let needed = try await vault.run("exec", "app", "--", "true")
    #expect(needed.end == .exit(77))
    #expect(needed.errors.contains("you are not signed in to corp") && needed.errors.contains("vault login corp"))
    #expect(try await vault.rows("list").first { $0["profile"] as? String == "app" }?["state"] == nil)
    #expect(try await vault.mustRun("list").contains("app\tassume-role\tneeds-login"))

    let login = try await vault.run("login", "--device", "app")
    #expect(login.succeeded)
    #expect(login.errors.contains("/device?user_code=") && login.errors.contains("signed in to corp"))
    let first = try await vault.run("exec", "app", "--", "true")
    #expect(first.succeeded)
    // The role credentials of Identity Center count as a role themselves.
    #expect(first.errors.contains("at most one hour"))
    try await vault.mustRun("exec", "developer", "--", "true")
    try await vault.mustRun("exec", "app", "--", "true")
    #expect(
      try await actions(simulator) == [
        "RegisterClient", "StartDeviceAuthorization", "CreateToken", "GetRoleCredentials", "AssumeRole",
      ])
    let rows = try await vault.rows("audit", "--reverse")
    let minted = rows.reversed().compactMap { $0["action"] as? String }.filter { !["Deliver", "ProfilesImported"].contains($0) }
    #expect(minted.suffix(4) == ["RegisterClient", "CreateToken", "GetRoleCredentials", "AssumeRole"])
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a sign-in by the browser comes back to this machine, with PKCE, and is renewed without a person")
  func browser() async throws {
    let simulator = try await STSSimulatorProcess()
    // Ten minutes are less than what a token must have left to be used as it is.
    var center = STSWorld.center
    center.tokenSeconds = 600
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await Self.vault(simulator)
    let login = try await vault.run("login", "developer", environment: try Self.browser(vault))
    #expect(login.succeeded, "\(login.errors)")
    try await vault.mustRun("exec", "developer", "--", "true")
    let calls = try await simulator.requests("CreateToken")
    #expect(calls.map { $0.parameters["grantType"] } == ["authorization_code", "refresh_token"])
    #expect(try await simulator.requests("RegisterClient").count == 1)
    // A second sign-in uses the registration that is kept.
    try await vault.mustRun("login", "corp", environment: try Self.browser(vault))
    #expect(try await simulator.requests("RegisterClient").count == 1)
  }

  @Test("the older form of configuration signs in by its start URL, with a device code")
  func older() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "older", environment: try Self.browser(vault))
    try await vault.mustRun("exec", "older", "--", "true")
    #expect(try await actions(simulator).contains("StartDeviceAuthorization"))
    // Another sign-in than the session's: it was registered without scopes.
    #expect(try await vault.run("exec", "developer", "--", "true").end == .exit(77))
  }

  @Test("a revoked sign-in is said once and marked, others go on, and a new login mends it")
  func revoked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await vault.mustRun("exec", "app", "--", "true")
    try await simulator.signIn(.revoke)
    let refused = try await vault.run("exec", "--refresh", "developer", "--", "true")
    #expect(refused.end == .exit(77))
    #expect(refused.errors.contains("vault login corp"))
    // The role's own session is not touched by that.
    try await vault.mustRun("exec", "app", "--", "true")
    let ended = try await vault.rows("audit", "--action", "SignInEnded")
    #expect(ended.count == 1)
    try await vault.mustRun("login", "--device", "corp")
    try await vault.mustRun("exec", "--refresh", "developer", "--", "true")
    #expect(!(try await vault.mustRun("list").contains("needs-login")))
  }

  @Test("an access token that ended too early is renewed by the refresh token")
  func expired() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.signIn(.expire)
    try await vault.mustRun("exec", "developer", "--", "true")
    #expect(
      try await simulator.requests("CreateToken").map { $0.parameters["grantType"] } == [
        "urn:ietf:params:oauth:grant-type:device_code", "refresh_token",
      ])
  }

  @Test("twenty programs that wait for one sign-in's renewal make one call")
  func once() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await simulator.signIn(.expire)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<20 { group.addTask { try await vault.mustRun("exec", "app", "--", "true") } }
      try await group.waitForAll()
    }
    #expect(try await simulator.requests("CreateToken").count == 2)
    #expect(try await simulator.requests("AssumeRole").count == 1)
  }

  @Test("a sign-in that the person refuses ends with 77")
  func denied() async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.approves = false
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await Self.vault(simulator)
    async let login = vault.run("login", "--device", "corp")
    while try await simulator.requests("CreateToken").isEmpty { await Task.yield() }
    try await simulator.signIn(.deny)
    let result = try await login
    #expect(result.end == .exit(77) && result.errors.contains("refused"))
    try await simulator.signIn(.deny)
    let browser = try await vault.run("login", "corp", environment: try Self.browser(vault))
    #expect(browser.end == .exit(77) && browser.errors.contains("refused"), "\(browser.errors)")
  }

  @Test("a permission set that the sign-in has not is AWS's refusal, and not a reason to sign in again")
  func forbidden() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(Self.config + "[profile other]\nsso_session=corp\nsso_account_id=999999999999\nsso_role_name=Developer\n")
    try await vault.mustRun("import")
    try await vault.mustRun("login", "--device", "corp")
    let result = try await vault.run("exec", "other", "--", "true")
    #expect(
      result.end == .exit(77) && result.errors.contains("you are not assigned Developer in 999999999999")
        && result.errors.contains("--discover"))
    try await vault.mustRun("exec", "developer", "--", "true")
  }

  @Test("signing out ends the tokens on the server and here, and the sessions that they brought")
  func logout() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await vault.mustRun("exec", "app", "--", "true")
    #expect(try await vault.run("logout").errors.contains("signed out"))
    #expect(try await actions(simulator).last == "Logout")
    #expect(try await vault.rows("sessions").isEmpty)
    #expect(try await vault.run("exec", "app", "--", "true").end == .exit(77))
    #expect(try await vault.run("logout").errors.contains("not signed in"))
    #expect(try await vault.rows("audit", "--action", "SignedOut").count == 1)
  }

  @Test("what a sign-in leads to is listed, and profiles are made of it that work")
  func discover() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    let list = try await vault.run("login", "corp", "--discover", "--device", "--format", "csv")
    #expect(list.succeeded, "\(list.errors)")
    #expect(
      list.output.split(separator: "\n").map { String($0.split(separator: ",").last ?? "") } == [
        "profile", "Development-Developer", "Development-ReadOnly", "Production-ReadOnly",
      ])
    let made = try await vault.run(
      "login", "corp", "--discover", "--all", "--template", "{account-id}.{role}", "--region", "eu-west-1")
    #expect(made.errors.contains("3 profiles created"), "\(made.errors)")
    try await vault.mustRun("exec", "210987654321.ReadOnly", "--", "true")
    let again = try await vault.run("login", "corp", "--discover", "--all", "--template", "{account-id}.{role}")
    #expect(again.errors.contains("0 profiles created, 3 already existed"))
  }

  @Test("permission sets whose names are alike as profiles' names are told apart")
  func alike() async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.accounts = [STSWorld.IdentityCenter.Account(id: STSWorld.ssoAccount, name: "Dev", roles: ["R=1", "R,1", "R-1"])]
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await Self.vault(simulator)
    let made = try await vault.run("login", "corp", "--discover", "--device", "--all")
    #expect(made.succeeded && made.errors.contains("3 profiles created"), "\(made.errors)")
    #expect(made.errors.contains("3 permission sets in 1 account\n"), "\(made.errors)")
    let again = try await vault.run("login", "corp", "--discover", "--all")
    #expect(again.errors.contains("0 profiles created, 3 already existed"), "\(again.errors)")
  }

  @Test("hundreds of accounts are discovered although the portal asks to slow down")
  func manyAccounts() async throws {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    center.accounts = (0..<150).map {
      STSWorld.IdentityCenter.Account(id: String(100_000_000_000 + $0), name: "Account \($0)", roles: ["A", "B", "C", "D"])
    }
    center.mostPerSecond = 60
    try await simulator.change(IdentityChange(identityCenter: center))
    let vault = try await Self.vault(simulator)
    let list = try await vault.run("login", "corp", "--discover", "--device", "--format", "json")
    #expect(list.succeeded, "\(list.errors)")
    let rows = try JSONSerialization.jsonObject(with: Data(list.outputBytes)) as? [[String: Any]] ?? []
    #expect(rows.count == 600)
    #expect(Set(rows.compactMap { $0["profile"] as? String }).count == 600)
  }

  @Test("no token of a sign-in lies in the clear in any file of the vault")
  func sealed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "--device", "corp")
    try await vault.mustRun("exec", "app", "--", "true")
    for name in try FileManager.default.contentsOfDirectory(atPath: vault.vaultHome) {
      guard let bytes = FileManager.default.contents(atPath: vault.vaultHome + "/" + name) else { continue }
      // Every access and refresh token of the simulator begins like this.
      for start in ["aoaAAAAA", "aorAAAAA"] { #expect(bytes.range(of: Data(start.utf8)) == nil, "\(name)") }
    }
  }

  @Test("a sign-in is shared with the AWS CLI, and one of the AWS CLI's is taken over")
  func shared() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await Self.vault(simulator)
    try await vault.mustRun("login", "--device", "--share-token", "corp")
    let environment = vault.environment.merging(["AWS_PROFILE": "developer"]) { $1 }
    let aws = try await Subprocess.run(try Programs.aws, ["sts", "get-caller-identity"], environment: environment)
    #expect(aws.output.contains("AWSReservedSSO_Developer"), "\(aws.errors)")
    let folder = vault.home + "/.aws/sso/cache"
    let name = try #require(FileManager.default.contentsOfDirectory(atPath: folder).first { $0.count == 45 })
    var status = stat()
    #expect(stat(folder + "/" + name, &status) == 0 && status.st_mode & 0o777 == 0o600)

    // Another vault of the same person takes it over.
    let token = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
    let other = try await Self.vault(simulator)
    try FileManager.default.createDirectory(atPath: other.home + "/.aws/sso/cache", withIntermediateDirectories: true)
    #expect(try await other.run("login", "--adopt", "corp").end == .exit(66))
    try token.write(toFile: other.home + "/.aws/sso/cache/" + name, atomically: true, encoding: .utf8)
    try await other.mustRun("login", "--adopt", "corp")
    try await other.mustRun("exec", "developer", "--", "true")
    try token.replacing("corp.awsapps.com", with: "evil.example").write(
      toFile: other.home + "/.aws/sso/cache/" + name, atomically: true, encoding: .utf8)
    #expect(try await other.run("login", "--adopt", "corp").end == .exit(77))

    try token.replacing(/"expiresAt":"\d{4}/, with: "\"expiresAt\":\"9999").write(
      toFile: other.home + "/.aws/sso/cache/" + name, atomically: true, encoding: .utf8)
    #expect(try await other.run("login", "--adopt", "corp").end == .exit(77))

    try await vault.mustRun("logout")
    #expect(!FileManager.default.fileExists(atPath: folder + "/" + name))
  }
}
