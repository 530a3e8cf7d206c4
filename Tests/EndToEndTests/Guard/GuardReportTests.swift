import Foundation
import TestSupport
import Testing

/// What `vault guard` and the other reports say about the rules.
@Suite(.endToEnd) struct GuardReportTests {
  private static let rules = """

    [guard app-*]
    confirm = 15m
    commands = terraform, aws
    max_duration = 30m
    [guard app-dev]
    confirm = always
    automation = refuse
    hours = mon-fri 08:00-18:00
    scope = read-only
    [guard partner]
    confrim = always

    """

  private func vault() async throws -> TestVault {
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"])
    vault.config(TestVault.standardConfig)
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    let settings = try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
    vault.folder.write(settings + Self.rules, to: "vault/config")
    return vault
  }

  @Test("`guard check` says which rules apply and what they demand together, and that none does")
  func check() async throws {
    let vault = try await vault()
    let found = try #require(try await vault.json("guard", "check", "app-dev") as? [String: Any])
    let rules = try #require(found["rules"] as? [[String: Any]])
    #expect(rules.map { $0["section"] as? String } == ["guard app-*", "guard app-dev"])
    #expect(rules.map { $0["line"] as? Int } == [4, 8] && (rules[0]["file"] as? String)?.hasSuffix("/config") == true)
    #expect(found["confirm"] as? String == "always" && found["reason"] as? String == "optional")
    #expect(found["hours"] as? String == "mon-fri 08:00-18:00" && found["commands"] as? [String] == ["terraform", "aws"])
    #expect(found["maxDuration"] as? Int == 1_800 && found["scope"] as? String == "read-only")
    #expect(found["automation"] as? String == "refuse" && found["profile"] as? String == "app-dev")
    let none = try #require(try await vault.json("guard", "check", "alice") as? [String: Any])
    #expect((none["rules"] as? [Any])?.isEmpty == true && none["confirm"] as? String == "never" && none["commands"] is NSNull)
    let text = try await vault.mustRun("guard", "check", "app-dev")
    let other = try #require(try await vault.json("guard", "check", "bob-dev") as? [String: Any])
    #expect(other["rules"] as? NSArray == found["rules"] as? NSArray)
    #expect(text.contains("[guard app-dev]") && text.contains("max_duration  30m"), "\(text)")
    #expect(try await vault.mustRun("guard", "check", "alice").contains("none: the profile is not guarded"))
    #expect(try await vault.run("guard", "check", "nobody").end == .exit(66))
  }

  @Test("`guard list` has each rule with its line, and says what is wrong; so does the doctor")
  func list() async throws {
    let vault = try await vault()
    let list = try await vault.run("guard", "list")
    #expect(
      list.output.contains("app-*\tconfirm\t15m\t") && list.output.contains("app-dev\tscope\tread-only\t"), "\(list.output)")
    #expect(list.output.contains("partner\tcommands\tnone  (fault)\t"), "\(list.output)")
    #expect(list.errors.contains("config:14: unknown setting; did you mean confirm?"), "\(list.errors)")
    let rows = try await vault.rows("guard", "list")
    #expect(rows.map { $0["pattern"] as? String } == ["app-*", "app-dev", "partner"])
    #expect(rows.map { ($0["faults"] as? [Any])?.count } == [0, 0, 1])
    let doctor = try await vault.run("doctor", "--offline")
    #expect(doctor.output.contains("config:14: unknown setting; did you mean confirm?"), "\(doctor.output)")
    vault.trust()
    #expect(try await vault.run("guard", "list").errors.contains("no rules; they stand in [guard GLOB] sections of "))
  }

  @Test("`list` and `show` mark guarded profiles")
  func marks() async throws {
    let vault = try await vault()
    let rows = try await vault.rows("list")
    let guarded = rows.filter { $0["guarded"] as? Bool == true }.compactMap { $0["profile"] as? String }
    // bob-dev gives the role of app-dev.
    #expect(Set(guarded) == ["app-dev", "app-chained", "app-mfa", "partner", "bob-dev"])
    let lines = try await vault.mustRun("list").split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false)
    }
    #expect(
      lines.filter { $0.last == "guarded" && $0.count == 7 }.count == 5 && lines.filter { $0.count == 6 }.count == lines.count - 5
    )
    #expect(try await vault.mustRun("show", "app-dev").contains("guarded   [guard app-*] "))
    #expect((try await vault.json("show", "app-dev") as? [String: Any])?["guarded"] as? Bool == true)
    #expect(try await !vault.mustRun("show", "alice").contains("guarded"))
  }

  @Test("`config` changes a setting and leaves every rule as it is")
  func config() async throws {
    let vault = try await vault()
    try await vault.mustRun("config", "lock_after", "12h")
    try await vault.mustRun("config", "--unset", "trusted_endpoints")
    let settings = try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
    #expect(settings.hasSuffix(Self.rules.drop { $0 == "\n" }) && settings.contains("lock_after = 12h"), "\(settings)")
    #expect(try await vault.rows("guard", "list").count == 3)
    // Without `[default]`, the new one comes before every rule.
    vault.folder.write("[guard app-dev]\nconfirm = always\n", to: "vault/config")
    try await vault.mustRun("config", "lock_after", "12h")
    #expect(
      try String(contentsOfFile: vault.folder.file("vault/config"), encoding: .utf8)
        == "[default]\nlock_after = 12h\n[guard app-dev]\nconfirm = always\n")
    #expect(try await vault.run("config").succeeded)
  }
}
