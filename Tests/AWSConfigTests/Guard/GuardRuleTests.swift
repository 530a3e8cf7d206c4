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
      """)
    let decision = rules.decision(profile: "prod-eu", roleARNs: [])
    let rule = try #require(decision.rules.first)
    #expect(rule.section == "guard prod-*" && rule.origin.description == "/etc/vault/config:3" && rule.faults.isEmpty)
    #expect(rule.line(of: .hours).line == 6)
    #expect(decision.confirm == .every(seconds: 900) && decision.isReasonRequired && decision.isReasonTagged)
    #expect(decision.hours?.text == "mon-fri 08:00-18:00" && decision.commands?.entries == ["terraform", "/usr/bin/aws"])
    #expect(decision.maxDuration == 1_800 && decision.scopes == [.readOnly] && decision.automation == .refuse)
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
      #expect(found.automation.text == "read-only" && found.automation.isConfirmed && !found.isReasonRequired)
    }
  }

  @Test("a role's ARN is matched too")
  func role() {
    let rules = guardRules("[guard arn:aws:iam::123456789012:role/*Admin*]\nconfirm = always\n")
    #expect(rules.decision(profile: "x", roleARNs: ["arn:aws:iam::123456789012:role/path/SiteAdmin"]).confirm == .always)
    #expect(!rules.decision(profile: "x", roleARNs: ["arn:aws:iam::123456789012:role/Reader"]).isGuarded)
  }
}
