import AWSPolicy
import TestSupport

/// Policies and requests out of few words, so that they often meet.
struct RandomPolicies {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
  private mutating func some<Value>(_ values: [Value]) -> [Value] {
    (0..<Int.random(in: 1...3, using: &random)).map { _ in pick(values) }
  }

  static let actions = ["s3:GetObject", "s3:PutObject", "sts:AssumeRole", "iam:GetRole"]
  static let resources = ["arn:aws:s3:::a/x", "arn:aws:s3:::b/x/y", "arn:aws:iam::123456789012:role/app"]
  static let callers = [
    EvaluationTests.alice, EvaluationTests.session, .service("ec2.amazonaws.com"),
    .user(arn: "arn:aws:iam::210987654321:user/eve"),
  ]

  /// - Parameter isPlain: only `Action` and `Resource`, without variables and conditions.
  mutating func statement(_ kind: PolicyKind, isPlain: Bool = false) -> Statement {
    let actionPatterns = Self.actions + ["*", "s3:*", "s3:Get*", "sts:*Role", "iam:*et*"]
    let resourcePatterns =
      Self.resources + ["*", "arn:aws:s3:::*", "arn:aws:iam::*:role/app", "arn:aws:s3:::?/x*"].dropLast(isPlain ? 1 : 0)
      + (isPlain ? [] : ["arn:aws:s3:::${k}/*"])
    let principals: [Principal] = [
      .anyone, .aws("123456789012"), .aws("arn:aws:iam::123456789012:user/alice"), .aws("AROAAPP"), .service("ec2.amazonaws.com"),
    ]
    return Statement(
      sid: Bool.random(using: &random) ? "S\(Int.random(in: 0..<1_000_000, using: &random))" : nil,
      pick([.allow, .allow, .deny]),
      principals: kind.hasPrincipal
        // "*" stands for itself alone.
        ? PrincipalElement(
          pick([[pick(principals)], some(Array(principals.dropFirst()))]), isNegated: pick([false, false, true])) : nil,
      actions: PatternElement(some(actionPatterns), isNegated: pick([false, false, true])),
      resources: kind.hasPrincipal
        ? nil : PatternElement(some(resourcePatterns), isNegated: !isPlain && pick([false, false, true])),
      conditions: isPlain ? [] : (0..<pick([0, 0, 1, 2])).map { number in condition(key: "k\(number)") })
  }

  mutating func condition(key: String) -> PolicyCondition {
    let comparison = pick(ConditionOperator.Comparison.allCases)
    let values = ["a", "b*", "${k0}", "10", "2020-01-01", "true", "10.0.0.0/8", "arn:aws:iam::*:role/*", "YQ==", ""]
    return PolicyCondition(
      ConditionOperator(
        comparison, ifExists: comparison != .null && pick([true, false]), quantifier: pick([nil, .forAnyValue, .forAllValues])),
      key: key, values: some(values))
  }

  mutating func policy(_ kind: PolicyKind = .managed, isPlain: Bool = false) -> PolicyDocument {
    var document = PolicyDocument([], version: pick([.v2012, .v2008]))
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let next = statement(kind, isPlain: isPlain)
      if !document.statements.contains(where: { $0.sid != nil && $0.sid == next.sid }) { document.statements.append(next) }
    }
    return document
  }

  mutating func request() -> PolicyRequest {
    PolicyRequest(caller: pick(Self.callers), action: pick(Self.actions), resource: pick(Self.resources), keys: keys())
  }

  mutating func keys() -> ContextKeys {
    var keys: ContextKeys = [:]
    let values = ["a", "bc", "10", "9.5", "2020-01-01T00:00:00Z", "TRUE", "10.1.2.3", "arn:aws:iam::1:role/x", "YQ==", ""]
    for key in ["k0", "k1", "k"] where Bool.random(using: &random) { keys[key] = some(values) }
    return keys
  }
}
