import Foundation
import TestSupport
import Testing
import VaultModel

/// `vault import --from saml2aws`: its accounts, which go on signing in through saml2aws.
@Suite(.endToEnd) struct SAML2AWSTests {
  /// As `saml2aws configure` writes it.
  private static let accounts = """
    [default]
    app_id               =
    url                  = https://id.example.com
    username             = alice@example.com
    provider             = KeyCloak
    mfa                  = Auto
    skip_verify          = false
    timeout              = 0
    aws_urn              = urn:amazon:webservices
    aws_session_duration = 3600
    aws_profile          = saml
    role_arn             =
    region               =

    [customer-dev]
    url                  = https://id.example.com
    username             = alice@example.com
    provider             = Ping
    mfa                  = Auto
    aws_session_duration = 28800
    aws_profile          = dev
    role_arn             = arn:aws:iam::123456789012:role/customer-admin-role
    region               = eu-west-1

    """

  private func stage() -> TakeOverStage {
    let stage = TakeOverStage(vault: TestVault())
    stage.write(Self.accounts, to: ".saml2aws")
    stage.age(".saml2aws")
    return stage
  }

  @Test("an account with a role becomes a profile that runs saml2aws, whose credentials the vault keeps")
  func accounts() async throws {
    let stage = stage()
    let before = stage.snapshot(".saml2aws")
    let items = try await stage.take("saml2aws")
    #expect(items["profile dev"]?.result == "taken" && items["profile dev"]?.from == "~/.saml2aws:16", "\(items)")
    #expect(items["profile default"]?.detail?.contains("it has no role_arn") == true)
    #expect(stage.snapshot(".saml2aws") == before)

    // What saml2aws prints with --credential-process.
    let folder = stage.vault.folder.file("bin")
    mkdir(folder, 0o700)
    stage.vault.folder.write(
      """
      #!/bin/sh
      echo "$*" >>"\(folder)/calls"
      echo '{"Version":1,"AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"secretsecretsecret","SessionToken":"token","Expiration":"2099-01-01T00:00:00Z"}'
      """, to: "bin/saml2aws", mode: 0o700)
    for _ in 1...2 {
      let used = try await stage.vault.run(
        "exec", "dev", "--", "printenv", "AWS_ACCESS_KEY_ID", "AWS_REGION", environment: ["PATH": folder + ":/usr/bin:/bin"])
      #expect(used.output == "ASIAIOSFODNN7EXAMPLE\neu-west-1\n", "\(used.errors)")
    }
    #expect(
      try String(contentsOfFile: folder + "/calls", encoding: .utf8)
        == "login --credential-process --skip-prompt --quiet --idp-account=customer-dev\n")
    #expect(try await stage.take("saml2aws")["profile dev"]?.result == "known")
  }

  @Test("the profile into which saml2aws wrote temporary keys is taken over; one of a person's own is not")
  func existing() async throws {
    for (extra, result) in [("x_security_token_expires = 2020-01-01T00:00:00Z\n", "taken"), ("", "known")] {
      let stage = stage()
      stage.vault.credentials(
        "[dev]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = \(STSWorld.aliceSecretAccessKey)\naws_session_token = token\n\(extra)"
      )
      try await stage.vault.mustRun("import")
      let items = try await stage.take("saml2aws")
      #expect(items["profile dev"]?.result == result, "\(items)")
      if result == "known" { #expect(items["profile dev"]?.detail?.contains("~/.aws/credentials:2") == true, "\(items)") }
    }
  }

  @Test("a name that a shell word cannot hold, and a file that cannot be parsed, run nothing")
  func hostile() async throws {
    let stage = stage()
    stage.write(
      "[\"a b\"]\nrole_arn = arn:aws:iam::123456789012:role/x\n[ok']\nrole_arn = arn:aws:iam::123456789012:role/x\n",
      to: ".saml2aws")
    let items = try await stage.take("saml2aws")
    #expect(!items.isEmpty && !items.values.contains { $0.result == "taken" }, "\(items)")
    stage.write("[torn\n", to: ".saml2aws")
    #expect(try await stage.vault.run("import", "--from", "saml2aws").end == .exit(78))
  }
}
