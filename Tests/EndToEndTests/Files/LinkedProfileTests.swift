import Foundation
import TestSupport
import Testing

/// What stands beside the keys of a linked profile, and where they come from after a lock.
@Suite(.endToEnd) struct LinkedProfileTests {
  @Test("a linked profile has its region, its own or its source's, in either file, and the AWS CLI needs no more")
  func region() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    vault.config(
      TestVault.standardConfig + "\n[profile plain]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\n")
    _ = try await vault.mustRun("exec", "app-dev", "--", "true")
    let elsewhere = ["AWS_REGION": "eu-west-1"]
    try await vault.mustRun("link", "app-dev", "plain", environment: elsewhere)
    let config = try String(contentsOfFile: vault.home + "/.aws/config", encoding: .utf8)
    #expect(
      config.contains("credentials plain\nregion = us-east-1\n") && config.contains("credentials app-dev\nregion = eu-west-1\n"))
    try await vault.mustRun("unlink")
    try await vault.mustRun("link", "--credentials-file", "app-dev", "plain", environment: elsewhere)
    let credentials = try String(contentsOfFile: vault.home + "/.aws/credentials", encoding: .utf8)
    #expect(
      credentials.contains("[vault-app-dev]\nregion = eu-west-1\n") && credentials.contains("[vault-plain]\nregion = us-east-1\n")
    )
    let aws = try await Subprocess.run(
      try Programs.aws, ["--profile", "vault-app-dev", "sts", "get-caller-identity"],
      environment: vault.environment.merging(["VAULT_HOME": "/nowhere"]) { $1 }, timeout: 60)
    #expect(aws.output.contains("assumed-role/my-application-dev-role/"), "\(aws.errors)")
  }

  @Test("a linked file is filled again after a lock where the endpoint stood in the environment of who linked it alone")
  func refilled() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    func text() throws -> String { try String(contentsOfFile: vault.home + "/.aws/credentials", encoding: .utf8) }
    let here = ["AWS_ENDPOINT_URL_STS": ""]
    try await vault.mustRun("lock", environment: here)
    #expect(try !text().contains("[vault-app-dev]"))
    try await vault.mustRun("unlock", environment: here)
    let deadline = Date().addingTimeInterval(20)
    while try !text().contains("ASIA"), Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try text().contains("[vault-app-dev]\nregion = eu-west-1\n") && text().contains("ASIA"))
  }

  @Test("the next agent fills it too, from where the one who linked it had AWS, and asks nobody's shell")
  func refilledByTheNextAgent() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    func text() throws -> String { try String(contentsOfFile: vault.home + "/.aws/credentials", encoding: .utf8) }
    let here = ["AWS_ENDPOINT_URL_STS": ""]
    try await vault.mustRun("agent", "stop", environment: here)
    #expect(try !text().contains("[vault-app-dev]"))
    try await vault.mustRun("unlock", environment: here)
    let deadline = Date().addingTimeInterval(20)
    while try !text().contains("ASIA"), Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try text().contains("[vault-app-dev]\nregion = eu-west-1\n") && text().contains("ASIA"))
    // What is remembered goes with the link.
    try await vault.mustRun("unlink", "--credentials-file", "app-dev")
    let script =
      "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(\"SELECT count(*) FROM setting WHERE name LIKE 'link.%'\").fetchone())"
    let left = try await Subprocess.run(try Programs.python, ["-c", script, vault.database], environment: [:])
    #expect(left.output == "(0,)\n", "\(left.output) \(left.errors)")
  }
}
