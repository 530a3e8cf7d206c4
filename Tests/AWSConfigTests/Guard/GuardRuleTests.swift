import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

/// The rules of a text, as the agent reads them from a file.
func guardRules(_ text: String, file: String = "/etc/vault/config") -> GuardRules {
  Array(text.utf8).withUnsafeBytes { bytes in
    do { return GuardRules(try GuardRules.rules(in: bytes, file: file)) } catch {
      return GuardRules([GuardRule(unreadable: GuardFault("unreadable", at: SettingOrigin(file: file, line: 0)))])
    }
  }
}

@Suite("Guard rules in the vault's settings")
struct GuardRuleTests {
  private func limits(_ text: String, for profile: String = "prod-eu") -> GuardLimits {
    guardRules(text).decision(profile: profile, roleARNs: []).limits
  }

  @Test("every setting is read, with its file and line")
  func whole() throws {
    let rules = guardRules(
      """
      [default]
      lock_after = 12h
      [guard prod-*]   # what earns the money
      confirm = 15m
      reason = tagged
      hours = mon-fri 08:00-18:00
      commands = terraform, /usr/bin/aws
      max_duration = 30m
      scope = read-only   ; always
      automation = refuse
      run_tags = yes
      """)
    let decision = rules.decision(profile: "prod-eu", roleARNs: [])
    let rule = try #require(decision.rules.first)
    #expect(rule.section == "guard prod-*" && rule.origin.description == "/etc/vault/config:3" && rule.faults.isEmpty)
    #expect(rule.line(of: .hours).line == 6)
    #expect(decision.confirm == .every(seconds: 900) && decision.isReasonRequired && decision.isReasonTagged)
    #expect(decision.hours?.text == "mon-fri 08:00-18:00" && decision.commands?.entries == ["terraform", "/usr/bin/aws"])
    #expect(decision.maxDuration == 1_800 && decision.scopes == [.readOnly] && decision.automation == .refuse)
    #expect(decision.isRunTagged)
    #expect(!rules.decision(profile: "dev", roleARNs: ["arn:aws:iam::1:role/dev"]).isGuarded)
  }

  @Test("of several rules the strictest value of each setting holds, whatever their order and file")
  func strictest() {
    let one = "[guard prod-*]\nconfirm = 15m\nhours = mon-fri 08:00-18:00\ncommands = aws, terraform\nmax_duration = 1h\n"
    let other =
      "[guard *]\nconfirm = 1h\nhours = mon-wed 12:00-20:00\ncommands = /usr/bin/aws, make\nmax_duration = 30m\nautomation = read-only\n"
    let third = "[guard prod-eu]\nconfirm = never\nautomation = confirm\nscope = read-only\n[guard prod-?u]\nreason = optional\n"
    for text in [one + other + third, third + other + one, other + third + one] {
      let found = limits(text)
      #expect(found.confirm == .every(seconds: 900) && found.hours == GuardHours("mon-wed 12:00-18:00"))
      #expect(found.commands?.entries == ["/usr/bin/aws"] && found.maxDuration == 1_800 && found.scopes == [.readOnly])
      #expect(found.automation?.text == "read-only" && found.automation?.isConfirmed == true && !found.isReasonRequired)
    }
  }

  @Test("a role's ARN is matched too")
  func role() {
    let rules = guardRules("[guard arn:aws:iam::123456789012:role/*Admin*]\nconfirm = always\n")
    #expect(rules.decision(profile: "x", roleARNs: ["arn:aws:iam::123456789012:role/path/SiteAdmin"]).confirm == .always)
    #expect(!rules.decision(profile: "x", roleARNs: ["arn:aws:iam::123456789012:role/Reader"]).isGuarded)
  }
}

@Suite("What guard rules make of faults")
struct GuardFaultTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let line: String
    let key: GuardKey
    let value: String
    var testDescription: String { line }
  }
  private static let values = [
    Case(line: "confirm = sometimes", key: .confirm, value: "always"), Case(line: "confirm = 8d", key: .confirm, value: "always"),
    Case(line: "reason = yes", key: .reason, value: "tagged"), Case(line: "hours = office hours", key: .hours, value: "none"),
    Case(line: "hours =", key: .hours, value: "none"), Case(line: "hours = 08:00-08:00", key: .hours, value: "none"),
    Case(line: "commands = ./run", key: .commands, value: "none"),
    Case(line: "max_duration = 5m", key: .maxDuration, value: "15m"),
    Case(line: "max_duration = 13h", key: .maxDuration, value: "15m"),
    Case(line: "scope = raed-only", key: .scope, value: "nothing"),
    Case(line: "scope = policy relative.json", key: .scope, value: "nothing"),
    Case(line: "scope = read-only arn:aws:iam::aws:policy/ReadOnlyAccess", key: .scope, value: "nothing"),
    Case(line: "automation = no", key: .automation, value: "refuse"), Case(line: "run_tags = 1", key: .runTags, value: "yes"),
  ]

  @Test("a value that cannot be read has its strictest meaning, for its profiles and its setting only", arguments: values)
  func value(_ value: Case) throws {
    let rules = guardRules("[guard prod-*]\n\(value.line)\n")
    let rule = try #require(rules.rules.first)
    #expect(rule.faults.first?.description == "/etc/vault/config:2: \(value.key.rawValue) must be \(value.key.values)")
    #expect(rule.isFault(value.key) && rule.line(of: value.key).line == 2)
    for key in GuardKey.allCases { #expect(rule.limits.text(of: key) == (key == value.key ? value.value : nil)) }
    #expect(!rules.decision(profile: "dev", roleARNs: []).isGuarded)
  }

  @Test(
    "a setting that is not known could be any of them",
    arguments: ["confrim = never", "x = y", "confirm = always\n  hours = sat"])
  func unknownSetting(_ line: String) {
    let rules = guardRules("[guard prod-*]\n\(line)\n")
    #expect(rules.decision(profile: "prod-eu", roleARNs: []).limits == .strictest)
    #expect(rules.rules.count == 1 && rules.rules[0].faults.count == 1 && !rules.decision(profile: "dev", roleARNs: []).isGuarded)
  }

  @Test(
    "a pattern that cannot be read could be for every profile",
    arguments: [
      "[guard]", "[guard a b]", "[guard prod-[ab]]", "[guard a,b]", "[guard {a,b}]", "[guard !a]", "[guard \"a]", "[guard a] b",
      "[Guard a]",
      "[gaurd a]", "[profile a]",
    ])
  func pattern(_ header: String) {
    let rules = guardRules("\(header)\nconfirm = always\n")
    let decision = rules.decision(profile: "anything", roleARNs: [])
    #expect(decision.confirm == .always && decision.limits.commands == nil)
    #expect(rules.rules.allSatisfy { !$0.faults.isEmpty })
  }

  @Test(
    "a file that cannot be read guards everything",
    arguments: [
      "confirm = always\n", "[guard a\n", "[guard a]\nnonsense\n", "[default]\nlock_after = 1h\n  [guard a]\nconfirm = always\n",
    ])
  func file(_ text: String) {
    #expect(guardRules(text).decision(profile: "anything", roleARNs: []).limits == .strictest)
  }

  @Test("a folder, an unreadable and a too long file guard everything; a missing one nothing")
  func place() {
    let folder = TemporaryDirectory()
    #expect(GuardRules.read([folder.path + "/none"]).isEmpty)
    let rules = GuardRules.read([folder.path], home: folder.path).rules
    #expect(rules.count == 1 && rules[0].limits == .strictest && rules[0].faults[0].text.contains("regular file"))
    let long = folder.path + "/long"
    folder.write(String(repeating: "#", count: 16 << 20) + "\n", to: "long")
    #expect(GuardRules.read([long]).rules.map(\.limits) == [.strictest])
  }
}
