import Foundation
import TestSupport
import Testing
import VaultModel

/// `vault import --from leapp`: a workspace encrypted as Leapp does, and its keys in a real gnome-keyring.
@Suite(.endToEnd) struct LeappTests {
  /// As class-transformer writes a workspace of version 7.
  private static let workspace = """
    {"_sessions":[
      {"sessionName":"alice","region":"eu-west-1","sessionId":"s-1","status":0,"type":"awsIamUser","profileId":"p-1","mfaDevice":""},
      {"sessionName":"app","region":"us-east-1","sessionId":"s-2","status":0,"type":"awsIamRoleChained","profileId":"p-1",
       "roleArn":"\(STSWorld.devRole)","parentSessionId":"s-1","roleSessionName":"assumed-from-leapp"},
      {"sessionName":"Development","region":"eu-west-1","sessionId":"s-3","status":0,"type":"awsSsoRole","profileId":"p-1",
       "email":"a@example.com","roleArn":"arn:aws:iam::\(STSWorld.ssoAccount)/Developer","awsSsoConfigurationId":"i-1"},
      {"sessionName":"Development","region":"eu-west-1","sessionId":"s-4","status":0,"type":"awsSsoRole","profileId":"p-1",
       "email":"a@example.com","roleArn":"arn:aws:iam::\(STSWorld.ssoAccount)/ReadOnly","awsSsoConfigurationId":"i-1"},
      {"sessionName":"federated","region":"eu-west-1","sessionId":"s-5","status":0,"type":"awsIamRoleFederated","profileId":"p-1",
       "idpUrlId":"u-1","idpArn":"arn:aws:iam::123456789012:saml-provider/idp","roleArn":"arn:aws:iam::123456789012:role/fed"},
      {"sessionName":"cloud","region":"westeurope","sessionId":"s-6","status":0,"type":"azure"},
      {"sessionName":"keyless","region":"eu-west-1","sessionId":"s-7","status":0,"type":"awsIamUser","profileId":"p-1"}],
     "_awsSsoIntegrations":[{"id":"i-1","alias":"corp","type":"AWS-SSO","isOnline":false,"portalUrl":"\(STSWorld.center.startURL)",
       "region":"us-east-1","browserOpening":"In-browser","accessTokenExpiration":null}],
     "_profiles":[{"id":"p-1","name":"default"}],"_idpUrls":[{"id":"u-1","url":"https://idp.example/"}],"_workspaceVersion":7}
    """

  @Test("its users' keys, chained roles, permission sets and federated roles are taken, and it stays as it is")
  func workspace() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment.merging(["DBUS_SESSION_BUS_ADDRESS": keyring.busAddress]) { $1 })
    let stage = TakeOverStage(vault: vault)
    try await stage.script("leapp_lock.py", [vault.home + "/.Leapp/Leapp-lock.json"], input: Self.workspace)
    stage.age(".Leapp")
    let before = stage.snapshot(".Leapp")
    // As keytar stores a password.
    for (name, secret) in [("access-key-id", STSWorld.aliceAccessKeyId), ("secret-access-key", STSWorld.aliceSecretAccessKey)] {
      let account = "s-1-iam-user-aws-session-\(name)"
      _ = try keyring.run(
        "secret-tool", ["store", "--label", "Leapp/\(account)", "service", "Leapp", "account", account], input: secret)
    }
    #expect(try await stage.take("leapp", "--dry-run")["access key alice"]?.result == "taken")
    #expect(try await vault.rows("list").isEmpty)

    let items = try await stage.take("leapp")
    for name in [
      "access key alice", "profile app", "sso-session corp", "profile Development-Developer", "profile Development-ReadOnly",
      "profile federated",
    ] {
      #expect(items[name]?.result == "taken", "\(name): \(items[name] as Any)")
    }
    #expect(items["profile cloud"]?.detail == "it is no session at AWS (azure)")
    #expect(items["access key keyless"]?.detail == "the keyring has no key for it")
    try await vault.mustRun("exec", "app", "--", "true")
    try await vault.mustRun("login", "--device", "corp")
    try await vault.mustRun("exec", "Development-Developer", "--", "true")
    #expect(stage.snapshot(".Leapp") == before)
    #expect(try keyring.items("service", "Leapp").count == 2)
    #expect(!(try await stage.take("leapp")).values.contains { $0.result == "taken" })
  }

  @Test("a workspace of another machine, or of no kind that it knows, is refused", arguments: [true, false])
  func foreign(isElsewhere: Bool) async throws {
    let vault = TestVault()
    let stage = TakeOverStage(vault: vault)
    try await stage.script(
      "leapp_lock.py", [vault.home + "/.Leapp/Leapp-lock.json"] + (isElsewhere ? ["another machine"] : []),
      input: isElsewhere ? Self.workspace : "[1]")
    let result = try await vault.run("import", "--from", "leapp")
    #expect(result.end == .exit(65) && result.errors.contains("~/.Leapp/Leapp-lock.json: it does not open"), "\(result.errors)")
  }
}
