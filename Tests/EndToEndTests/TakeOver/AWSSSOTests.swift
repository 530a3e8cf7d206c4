import Foundation
import TestSupport
import Testing
import VaultModel

/// `vault import --from aws-sso-cli`: its configuration, and the profiles that it writes.
@Suite(.endToEnd) struct AWSSSOTests {
  private static let role = RoleARN(STSWorld.ssoRole)
  /// As `aws-sso setup profiles` writes a profile.
  private static let profiles = """
    [profile mine]
    credential_process = /usr/local/bin/aws-sso -u open -S "Default" process --arn arn:aws:iam::\(STSWorld.ssoAccount):role/Developer
    region = eu-central-1
    output = json

    [profile elsewhere]
    credential_process = aws-sso process --sso Other --arn arn:aws:iam::\(STSWorld.ssoAccount):role/Developer

    [profile other]
    credential_process = /usr/bin/something-else --arn arn:aws:iam::\(STSWorld.ssoAccount):role/Developer

    """

  private static func config(more: String = "", format: String = "") -> String {
    """
    # written by hand
    SSOConfig:
        Default:
            SSORegion: us-east-1
            StartUrl: \(STSWorld.center.startURL)
            DefaultRegion: eu-west-1
            Accounts:
                \(STSWorld.ssoAccount):
                    Name: Development
                    Tags: {Team: "core"}
                    Roles:
                        Developer:
                        ReadOnly:
                            Profile: looking
                            DefaultRegion: eu-north-1
                            Tags:
                                Kind: reader
                        \(role?.name ?? ""):
                            Profile: chained
                            Via: "arn:aws:iam::\(STSWorld.ssoAccount):role/Developer"
        Torn:
            SSORegion: us-east-1
    \(format)
    Threads: 5
    UrlAction: open
    SecureStore: file
    \(more)
    """
  }

  private func stage(_ simulator: STSSimulatorProcess, _ config: String, at path: String = ".aws-sso/config.yaml")
    -> TakeOverStage
  {
    let vault = TestVault(environment: simulator.environment)
    vault.config(Self.profiles)
    let stage = TakeOverStage(vault: vault)
    stage.write(config, to: path)
    stage.age(".aws-sso")
    return stage
  }

  @Test("its sign-in becomes an sso-session, its roles and the profiles that run it become profiles, and they work without it")
  func roles() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = stage(simulator, Self.config())
    let vault = stage.vault
    let before = stage.snapshot(".aws-sso")
    #expect(try await stage.take("aws-sso-cli", "--dry-run")["profile mine"]?.result == "taken")
    #expect(try await vault.rows("list").isEmpty)

    let items = try await stage.take("aws-sso-cli")
    for name in ["sso-session corp", "profile mine", "profile looking", "profile chained"] {
      #expect(items[name]?.result == "taken", "\(name): \(items)")
    }
    #expect(items["profile mine"]?.from == "~/.aws/config:2")
    #expect(items["profile elsewhere"]?.detail == "the configuration has no SSO instance \"Other\"")
    #expect(items["sso-session Torn"]?.result == "not taken" && items["profile other"] == nil)
    #expect(items["setting UrlAction"]?.detail?.contains("BROWSER") == true && items["setting Threads"] == nil)
    try await vault.mustRun("login", "--device", "corp")
    #expect(try await vault.mustRun("exec", "mine", "--", "printenv", "AWS_REGION") == "eu-central-1\n")
    #expect(try await vault.mustRun("exec", "chained", "--", "printenv", "AWS_REGION") == "eu-west-1\n")
    #expect(try await vault.mustRun("show", "looking").contains("eu-north-1"))
    #expect(stage.snapshot(".aws-sso") == before)
    #expect(!(try await stage.take("aws-sso-cli")).values.contains { $0.result == "taken" })
  }

  @Test(
    "roles without a profile of their own are named by ProfileFormat if it only puts names together, else by the default, and that is said",
    arguments: [
      ("", "\(STSWorld.ssoAccount):Developer", nil),
      (
        "ProfileFormat: '{{ .SSO }}/{{ AccountIdStr .AccountId }}-{{ .RoleName }}'", "Default/\(STSWorld.ssoAccount)-Developer",
        nil
      ),
      (
        "ProfileFormat: '{{ FirstItem .AccountName .AccountAlias | nospace }}:{{ .RoleName }}'",
        "\(STSWorld.ssoAccount):Developer", "named by the default ProfileFormat, since yours computes"
      ),
    ] as [(String, String, String?)])
  func names(format: String, name: String, note: String?) async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = stage(simulator, Self.config(format: format))
    stage.vault.config("")
    let items = try await stage.take("aws-sso-cli", "--dry-run")
    #expect(items["profile \(name)"]?.result == "taken" && items["profile \(name)"]?.detail == note, "\(items)")
  }

  @Test(
    "a configuration with an alias, another document, a name twice, or nested to no end is refused with its line",
    arguments: [
      "a: &a [x]\nb: *a\n", "a: 1\n---\nb: 2\n", "a: 1\na: 2\n", "a: " + String(repeating: "[", count: 2_000), "a: \"\n",
      "? [a]\n: b\n",
    ])
  func hostile(text: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = stage(simulator, text)
    let result = try await stage.vault.run("import", "--from", "aws-sso-cli")
    #expect(result.end == .exit(65) && result.errors.contains("~/.aws-sso/config.yaml: line "), "\(result.errors)")
    #expect(try await stage.vault.run("status").succeeded)
  }

  @Test("a start URL, a region or a name that is none is not taken, and never reaches the terminal as it is")
  func values() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = stage(
      simulator,
      """
      SSOConfig:
          Bad:
              SSORegion: "us-east-1/x"
              StartUrl: http://corp.example/start
              Accounts:
                  \(STSWorld.ssoAccount):
                      Roles:
                          Developer: {Profile: "a\\eb"}
                          ReadOnly: {Profile: plain}
                  many: {}
      """)
    let items = try await stage.take("aws-sso-cli")
    #expect(items["profile plain"]?.result == "not taken" && items["profile a\u{1b}b"]?.result == "not taken", "\(items)")
    #expect(items["profile many"]?.detail == "it is not the number of an account")
    let shown = try await stage.vault.run("import", "--from", "aws-sso-cli")
    #expect(!shown.output.contains("\u{1b}") && shown.output.contains("a\\x1bb"), "\(shown.output)")
  }

  @Test("it is found at each of its places, and where the person says")
  func places() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = stage(simulator, Self.config(), at: ".config/aws-sso/config.yaml")
    #expect(try await stage.take("aws-sso-cli", "--dry-run")["profile mine"]?.result == "taken")
    let file = stage.vault.home + "/.config/aws-sso/config.yaml"
    let moved = stage.vault.folder.file("theirs.yaml")
    try FileManager.default.moveItem(atPath: file, toPath: moved)
    let nowhere = try await stage.vault.run("import", "--from", "aws-sso-cli", "--dry-run")
    #expect(nowhere.end == .exit(66) && nowhere.errors.contains("no file ~/.config/aws-sso/config.yaml"), "\(nowhere.errors)")
    #expect(try await stage.take("aws-sso-cli", "--dry-run", moved)["profile mine"]?.result == "taken")
    let named = try await stage.take("aws-sso-cli", "--dry-run", environment: ["AWS_SSO_CONFIG": moved])
    #expect(named["profile mine"]?.result == "taken")
  }
}
