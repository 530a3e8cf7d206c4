import TestSupport
import Testing
import VaultModel

@testable import AWSConfig

extension GuardLimits {
  /// Whether nothing that the other one refuses is allowed here: taking its values too changes nothing.
  fileprivate func isAsStrict(as other: GuardLimits) -> Bool {
    var both = self
    both.tighten(by: other)
    return both.form == form
  }

  /// The values without the order in which they were found.
  fileprivate var form: GuardLimits {
    var form = self
    form.scopes.sort { $0.text < $1.text }
    form.commands = commands.flatMap { GuardCommands($0.entries.sorted().joined(separator: ",")) } ?? commands
    return form
  }
}

/// The order of strictness, proven on random files. Each test prints the seed with which it fails.
@Suite("No line of a settings file loosens a guard rule")
struct GuardStrictnessTests {
  private static let profiles = ["prod-eu", "prod-us", "dev", "Prod-eu", "stage x", ""]
  private static let roles = ["arn:aws:iam::123456789012:role/Admin", "arn:aws:iam::210987654321:role/path/Reader"]
  private static let globs = [
    "*", "prod-*", "prod-eu", "dev", "?rod-e?", "arn:aws:iam::123456789012:*", "*Reader", "\"stage x\"",
  ]
  private static let values: [GuardKey: [String]] = [
    .confirm: ["always", "15m", "1h", "2d", "never"], .reason: ["required", "optional", "tagged"],
    .hours: ["mon-fri 08:00-18:00", "fri 22:00-06:00", "sat,sun", "09:00-12:00 13:00-17:00, sat 10:00-11:00"],
    .commands: ["terraform, aws", "/usr/bin/aws", "aws /opt/bin/terraform make", "/bin/make"],
    .maxDuration: ["15m", "30m", "1h", "12h"],
    .scope: ["read-only", "policy /etc/vault/narrow.json", "arn:aws:iam::aws:policy/ReadOnlyAccess arn:aws:iam::aws:policy/X"],
    .automation: ["refuse", "read-only", "confirm", "allow"], .runTags: ["yes", "no"],
  ]
  /// Lines that cannot be understood, or that break what is around them.
  private static let bad = [
    "confirm = sometimes", "hours = 25:00-26:00", "hours = mon-fri 08:00-08:00", "commands = ./aws", "commands =",
    "max_duration = 5m",
    "max_duration = soon", "scope = read-only arn:aws:iam::aws:policy/X", "scope = policy narrow.json", "automation = perhaps",
    "run_tags = maybe", "reason", "confrim = never", "unknown = 1", "  confirm = never", "\tautomation = allow", "[guard]",
    "[guard a b]",
    "[guard prod-*",
    "[guard prod-[ab]]", "[guard a,b]", "[guard !dev]", "[guard {a,b}]", "[Guard dev]", "[gaurd dev]", "[guard dev] x",
    "[default]", "[profile prod-eu]", "[guard \"dev]", "[guard 'a\u{1}b']", "= always", "[]", "]", "confirm = never always",
    "\u{0}",
    "[guard \(String(repeating: "a", count: 2_000))]", "confirm = always\u{0}",
  ]

  private func line(_ random: inout SeededGenerator) -> String {
    let key = GuardKey.allCases.randomElement(using: &random)!
    return "\(key.rawValue) = \(Self.values[key]!.randomElement(using: &random)!)"
  }

  /// A file in which every line is understood.
  private func file(_ random: inout SeededGenerator) -> [String] {
    var lines: [String] = Bool.random(using: &random) ? ["[default]", "lock_after = 12h"] : []
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      lines.append("[guard \(Self.globs.randomElement(using: &random)!)]")
      let indent = ["", "", "  "].randomElement(using: &random)!
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        lines.append(["", "# a comment", "; another"].randomElement(using: &random)!)
        lines.append(indent + line(&random))
      }
    }
    return lines
  }

  private func limits(_ rules: GuardRules, _ profile: String, _ roles: [String]) -> GuardLimits {
    rules.decision(profile: profile, roleARNs: roles).limits
  }

  private func forAll(_ body: (String, [String]) -> Void) {
    for profile in Self.profiles { for roles in [[], [Self.roles[0]], Self.roles] { body(profile, roles) } }
  }

  @Test("the user's file never loosens what root's file says", arguments: 1...20 as ClosedRange<UInt64>)
  func rootHolds(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<25 {
      var (root, user) = (file(&random), file(&random))
      if Bool.random(using: &random) {
        user.insert(Self.bad.randomElement(using: &random)!, at: Int.random(in: 0...user.count, using: &random))
      }
      root.shuffleSections(using: &random)
      let alone = guardRules(root.joined(separator: "\n"))
      let both = GuardRules(alone.rules + guardRules(user.joined(separator: "\n"), file: "~/.config/vault/config").rules)
      forAll { profile, roles in
        let isStrict = limits(both, profile, roles).isAsStrict(as: limits(alone, profile, roles))
        #expect(isStrict, "seed \(seed): \(root) + \(user)")
      }
    }
  }

  @Test("the order of rules does not matter", arguments: 1...20 as ClosedRange<UInt64>)
  func order(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<25 {
      let rules = guardRules(file(&random).joined(separator: "\n")).rules
      let (one, other) = (GuardRules(rules), GuardRules(rules.shuffled(using: &random)))
      forAll { profile, roles in
        #expect(limits(one, profile, roles).form == limits(other, profile, roles).form, "seed \(seed)")
      }
    }
  }

  @Test("a line that cannot be understood never loosens a file that was", arguments: 1...30 as ClosedRange<UInt64>)
  func badLine(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      let lines = file(&random)
      let without = guardRules(lines.joined(separator: "\n"))
      #expect(without.rules.allSatisfy { $0.faults.isEmpty }, "seed \(seed): \(lines)")
      let line = Self.bad.randomElement(using: &random)!
      var more = lines
      let place = Int.random(in: 0...more.count, using: &random)
      more.insert(line, at: place)
      let with = guardRules(more.joined(separator: "\n"))
      forAll { profile, roles in
        #expect(
          limits(with, profile, roles).isAsStrict(as: limits(without, profile, roles)),
          "seed \(seed): \(line) at \(place) of \(lines)")
      }
    }
  }

  @Test("a changed byte never crashes the reader, and what it breaks it says", arguments: 1...40 as ClosedRange<UInt64>)
  func bytes(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      var bytes = Array(file(&random).joined(separator: "\n").utf8)
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(contentsOf: ["\n", "[", "]", "=", " ", "*"].randomElement(using: &random)!.utf8, at: place)
        default: bytes.remove(at: place)
        }
      }
      let rules = bytes.withUnsafeBytes { bytes in (try? GuardRules.rules(in: bytes, file: "f")) ?? [] }
      for rule in rules where rule.limits == .strictest {
        #expect(!rule.faults.isEmpty, "seed \(seed)")
      }
      forAll { profile, roles in _ = limits(GuardRules(rules), profile, roles) }
    }
  }
}

extension [String] {
  /// The sections in another order.
  fileprivate mutating func shuffleSections(using random: inout SeededGenerator) {
    var sections: [[String]] = []
    for line in self {
      if line.hasPrefix("[") || sections.isEmpty { sections.append([line]) } else { sections[sections.count - 1].append(line) }
    }
    self = sections.shuffled(using: &random).flatMap { $0 }
  }
}
