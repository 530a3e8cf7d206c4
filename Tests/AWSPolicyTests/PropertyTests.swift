import TestSupport
import Testing

@testable import AWSPolicy

/// What holds of every policy, tried on random ones.
@Suite struct PropertyTests {
  static let seeds = 1...8 as ClosedRange<UInt64>

  @Test(arguments: seeds) func `a deny wins, and the order of statements and policies decides nothing`(_ seed: UInt64) {
    var make = RandomPolicies(seed: seed)
    var outcomes: [PolicyDecision.Outcome: Int] = [:]
    for round in 0..<400 {
      let kind: PolicyKind = round % 2 == 0 ? .managed : .trust
      let policies = [make.policy(kind), make.policy(kind)]
      let request = make.request()
      let decision = PolicyDecision(of: policies, on: request)
      outcomes[decision.outcome, default: 0] += 1
      let denies = PolicyDocument([
        Statement(
          .deny, principals: kind.hasPrincipal ? PrincipalElement([.anyone]) : nil, actions: PatternElement(["*"]),
          resources: kind.hasPrincipal ? nil : PatternElement(["*"]))
      ])
      for place in 0...2 {
        var more = policies
        more.insert(denies, at: place)
        #expect(PolicyDecision(of: more, on: request).outcome == .explicitDeny, "seed \(seed)")
      }
      var shuffled = policies.reversed() as [PolicyDocument]
      for index in shuffled.indices { shuffled[index].statements.shuffle(using: &make.random) }
      let again = PolicyDecision(of: shuffled, on: request)
      #expect(again.outcome == decision.outcome && again.principal == decision.principal, "seed \(seed), round \(round)")
      // Nothing but a statement that applies decides, and no statement that applies is a near miss.
      let all = policies.flatMap { policy in
        policy.statements.map { ($0, $0.mismatches(with: request, hasVariables: policy.version == .v2012)) }
      }
      let applies = all.filter { $0.1.isEmpty }.map(\.0.effect)
      let expected: PolicyDecision.Outcome =
        applies.contains(.deny) ? .explicitDeny : applies.contains(.allow) ? .allow : .implicitDeny
      #expect(decision.outcome == expected)
      #expect(decision.outcome != .implicitDeny || decision.nearMisses.count == all.count { $0.0.effect == .allow })
    }
    #expect(outcomes.count == 3 && outcomes.values.allSatisfy { $0 > 20 }, "seed \(seed): \(outcomes)")
  }

  @Test(arguments: seeds) func `with IfExists a condition holds for a missing key, and else as without it`(_ seed: UInt64) {
    var make = RandomPolicies(seed: seed)
    for _ in 0..<1_000 {
      var condition = make.condition(key: "k0")
      guard condition.test.comparison != .null else { continue }
      let keys = make.keys()
      condition.test.ifExists = true
      let lenient = condition.holds(for: keys)
      condition.test.ifExists = false
      #expect(lenient == (keys["k0"] == nil || condition.holds(for: keys)), "seed \(seed): \(condition)")
    }
  }

  @Test(arguments: seeds) func `for a key with one value that is not empty, both quantifiers say what none says`(_ seed: UInt64) {
    var make = RandomPolicies(seed: seed)
    for _ in 0..<1_000 {
      var condition = make.condition(key: "k0")
      var keys = make.keys()
      keys["k0"] = [make.pick(["a", "bc", "10", "2020-01-01T00:00:00Z", "TRUE", "10.1.2.3", "YQ=="])]
      condition.test.quantifier = nil
      let plain = condition.holds(for: keys)
      for quantifier in [ConditionOperator.Quantifier.forAllValues, .forAnyValue] {
        condition.test.quantifier = quantifier
        #expect(condition.holds(for: keys) == plain, "seed \(seed): \(condition)")
      }
    }
  }

  @Test(arguments: seeds) func `a policy that is printed and read is the same`(_ seed: UInt64) throws {
    var make = RandomPolicies(seed: seed)
    for round in 0..<300 {
      let kind: PolicyKind = round % 2 == 0 ? .managed : .trust
      var policy = make.policy(kind)
      // The printer puts conditions of one operator, and principals of one kind, together.
      policy = try PolicyDocument(json: policy.json, kind: kind)
      #expect(try DocumentTests.read(policy.json.pretty(), kind) == policy, "seed \(seed)")
      let request = make.request()
      #expect(try DocumentTests.read(policy.json.compact(), kind).decision(on: request) == policy.decision(on: request))
    }
  }

  @Test(arguments: seeds) func `a wildcard pattern matches what a naive matcher matches`(_ seed: UInt64) {
    func naive(_ pattern: Substring, _ text: Substring) -> Bool {
      guard let first = pattern.first else { return text.isEmpty }
      if first == "*" {
        return naive(pattern.dropFirst(), text) || (!text.isEmpty && naive(pattern, text.dropFirst()))
      }
      return !text.isEmpty && (first == "?" || first == text.first) && naive(pattern.dropFirst(), text.dropFirst())
    }
    var random = SeededGenerator(seed: seed)
    var matched = 0
    for _ in 0..<4_000 {
      let pattern = String((0..<Int.random(in: 0...6, using: &random)).map { _ in "ab:*?".randomElement(using: &random) ?? "a" })
      let text = String((0..<Int.random(in: 0...6, using: &random)).map { _ in "ab:".randomElement(using: &random) ?? "a" })
      let matches = naive(pattern[...], text[...])
      matched += matches ? 1 : 0
      #expect(WildcardPattern(pattern).matches(text) == matches, "seed \(seed): \(pattern) \(text)")
      #expect(WildcardPattern(pattern, variables: [:])?.matches(text) == matches)
      // A resource's pattern never matches more.
      #expect(!(WildcardPattern(resource: pattern, variables: nil)?.matches(text) ?? false) || matches)
      #expect(WildcardPattern(literal: text).matches(text) && WildcardPattern(text, hasWildcards: false).matches(text))
    }
    #expect(matched > 100)
  }

  @Test(.timeLimit(.minutes(1))) func `a hostile pattern takes no more than the product of both lengths`() {
    let text = String(repeating: "a", count: 2_000)
    for piece in ["*a", "a*", "*?", "*", "?*a"] {
      #expect(!WildcardPattern(String(repeating: piece, count: 200) + "b").matches(text))
    }
  }
}
