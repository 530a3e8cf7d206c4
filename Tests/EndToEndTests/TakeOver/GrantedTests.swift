import Foundation
import TestSupport
import Testing
import VaultModel

/// `vault import --from granted`: profiles, settings and keys as Granted writes them.
@Suite(.endToEnd) struct GrantedTests {
  /// As `granted sso populate` generates profiles, and `granted credentials add` one for a key.
  private static let config = """
    [profile dev/Developer]
    granted_sso_start_url      = \(STSWorld.center.startURL)/
    granted_sso_region         = us-east-1
    granted_sso_account_id     = \(STSWorld.ssoAccount)
    granted_sso_role_name      = Developer
    common_fate_generated_from = aws-sso
    credential_process         = granted credential-process --profile dev/Developer
    region                     = eu-west-1

    [profile app]
    role_arn = \(STSWorld.ssoRole)
    source_profile = dev/Developer

    [profile alice]
    credential_process = granted credential-process --profile=alice

    [profile torn]
    granted_sso_account_id = \(STSWorld.ssoAccount)
    granted_sso_role_name = Developer
    credential_process = granted credential-process --profile torn

    """
  private static let settings = """
    DefaultBrowser = "FIREFOX"
    CustomBrowserPath = ""
    Ordering = "Frecency"
    ExportCredsToAWS = true

    [Keyring]
      Backend = "file"

    [ProfileRegistry]
      PrefixAllProfiles = false
      [[ProfileRegistry.Registries]]
        name = "team"
        url = "git@example.com:team/profiles.git"

    [SSO.corp]
      StartURL = "\(STSWorld.center.startURL)"
      SSORegion = "us-east-1"
      Prefix = ""
      NoCredentialProcess = false
      ProfileTemplate = ""

    """

  private func stage(_ simulator: STSSimulatorProcess) async throws -> TakeOverStage {
    let vault = TestVault(environment: simulator.environment)
    vault.config(Self.config)
    let stage = TakeOverStage(vault: vault)
    stage.write(Self.settings, to: ".granted/config")
    // Granted encrypts with an empty passphrase unless CF_KEYRING_FILE_PASSWORD is set.
    try await stage.script(
      "keyring_items.py", [vault.home + "/.granted/secure-storage-aws-iam-credentials", ""],
      input:
        #"[{"name":"alice","data":{"AccessKeyID":"\#(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\#(STSWorld.aliceSecretAccessKey)","SessionToken":"","CanExpire":false}}]"#
    )
    stage.age(".granted")
    return stage
  }

  @Test("its profiles become profiles of an sso-session, its key is sealed, and neither needs Granted any more")
  func profiles() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    let vault = stage.vault
    let before = stage.snapshot(".granted")
    let config = try String(contentsOfFile: vault.home + "/.aws/config", encoding: .utf8)
    let dry = try await stage.take("granted", "--dry-run")
    #expect(dry["profile dev/Developer"]?.result == "taken" && dry["access key alice"]?.result == "taken", "\(dry)")
    #expect(try await vault.rows("list").isEmpty)

    let items = try await stage.take("granted")
    #expect(items["sso-session corp"]?.result == "taken" && items["sso-session corp"]?.from == "~/.granted/config")
    #expect(items["profile dev/Developer"]?.result == "taken", "\(items)")
    #expect(items["profile dev/Developer"]?.from == "~/.aws/config:2")
    #expect(items["profile torn"]?.detail == "it has no granted_sso_start_url and granted_sso_region")
    #expect(items["access key alice"]?.result == "taken")
    try await vault.mustRun("login", "--device", "corp")
    #expect(try await vault.mustRun("exec", "dev/Developer", "--", "printenv", "AWS_REGION") == "eu-west-1\n")
    try await vault.mustRun("exec", "app", "--", "true")
    try await vault.mustRun("exec", "alice", "--", "true")
    #expect(stage.snapshot(".granted") == before)
    #expect(try String(contentsOfFile: vault.home + "/.aws/config", encoding: .utf8) == config)

    let listed = try await vault.mustRun("list")
    let again = try await stage.take("granted")
    #expect(!again.values.contains { $0.result == "taken" }, "\(again)")
    #expect(again["profile dev/Developer"]?.result == "known" && again["profile dev/Developer"]?.detail == nil)
    #expect(try await vault.mustRun("list") == listed)
  }

  @Test("a profile of its own hides the file's; removed, the file's is there again")
  func removed() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    _ = try await stage.take("granted")
    #expect(try await stage.vault.mustRun("doctor").contains("~/.aws/config:2"))
    try await stage.vault.mustRun("remove", "dev/Developer")
    let used = try await stage.vault.run("exec", "dev/Developer", "--", "true")
    #expect(!used.succeeded && used.errors.contains("granted"), "\(used.errors)")
  }

  @Test("each setting that the vault does not have is named, with what to do instead")
  func settings() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    let items = try await stage.take("granted", "--dry-run")
    #expect(items["setting DefaultBrowser"]?.detail?.contains("BROWSER") == true)
    #expect(items["setting ExportCredsToAWS"]?.detail?.contains("vault link") == true)
    #expect(items["setting ProfileRegistry"]?.detail?.contains("vault import FILE") == true)
    #expect(items["setting Ordering"]?.detail == "the vault has no such setting")
    #expect(items["setting CustomBrowserPath"] == nil && items["setting Keyring"] == nil)
  }

  @Test("a sign-in that cannot work is not taken, nor a profile that needs it, and each is named with the reason")
  func impossible() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    let places = [
      ("plain", "\"http://evil.example/x\"", "us-east-1"), ("file", "\"file:///etc/passwd\"", "us-east-1"),
      ("metadata", "\"http://169.254.169.254/\"", "us-east-1"), ("nowhere", "\"https://corp.awsapps.com/start\"", "nowhere"),
      ("number", "5", "us-east-1"),
    ]
    stage.write(
      places.map { "[SSO.\($0.0)]\nStartURL = \($0.1)\nSSORegion = \"\($0.2)\"\n" }.joined()
        + "[SSO.half]\nStartURL = \"https://corp.awsapps.com/start\"\n", to: ".granted/config")
    stage.vault.config(
      "[profile dev]\ngranted_sso_start_url = http://evil.example/x\ngranted_sso_region = us-east-1\n"
        + "granted_sso_account_id = \(STSWorld.ssoAccount)\ngranted_sso_role_name = Developer\n")
    for options in [["--dry-run"], []] {
      let items = try await options.isEmpty ? stage.take("granted") : stage.take("granted", "--dry-run")
      for (name, _, _) in places + [("half", "", "")] {
        let item = items["sso-session \(name)"]
        #expect(item?.result == "not taken" && item?.detail != nil, "\(name): \(items)")
      }
      #expect(items["sso-session nowhere"]?.detail == "sso_region \"nowhere\" is not the name of a region")
      #expect(items["profile dev"]?.detail?.hasPrefix("its sso-session \"plain\" is not taken: ") == true, "\(items)")
    }
  }

  @Test(
    "a configuration that is no TOML, or is nested to no end, is refused with its line, and nothing is taken",
    arguments: [
      "DefaultBrowser = \n", "a = " + String(repeating: "[", count: 5_000), "a = \"\u{1}\"\n", "[a]\n[a]\n", "[\0\0]\n",
    ])
  func hostile(text: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator)
    stage.write(text, to: ".granted/config")
    let result = try await stage.vault.run("import", "--from", "granted")
    #expect(result.end == .exit(65) && result.errors.contains("~/.granted/config: line "), "\(result.errors)")
    #expect(try await stage.vault.rows("access-key", "list").isEmpty)
    #expect(try await stage.vault.run("status").succeeded)
  }
}
