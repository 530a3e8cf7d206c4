import Foundation
import TestSupport
import Testing

@testable import AWSPolicy

/// The same questions answered by other people's code: policies by moto's evaluator of identity policies, wildcards by Python's
/// regular expressions, addresses by its `ipaddress`.
///
/// moto knows neither `NotResource` nor variables, takes every `Condition` it does not know as met, and reads a pattern as a
/// regular expression; the policies compared here keep to the rest.
@Suite struct PythonComparisonTests {
  private static let script = """
    import ipaddress, json, re, sys
    from moto.iam.access_control import IAMPolicy, PermissionResult
    names = {PermissionResult.PERMITTED: "allow", PermissionResult.DENIED: "explicitDeny", PermissionResult.NEUTRAL: "implicitDeny"}
    def like(pattern, text):
        expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
        return re.fullmatch(expression, text, re.S) is not None
    def address(block, one):
        return ipaddress.ip_address(one) in ipaddress.ip_network(block, strict=False)
    asked = json.load(sys.stdin)
    print(json.dumps({
        "policies": [names[IAMPolicy(p).is_action_permitted(a, r)] for p, a, r in asked["policies"]],
        "patterns": [like(p, t) for p, t in asked["patterns"]],
        "addresses": [address(b, o) for b, o in asked["addresses"]]}))
    """

  private struct Questions: Encodable {
    var policies: [[String]] = []
    var patterns: [[String]] = []
    var addresses: [[String]] = []
  }

  private struct Answers: Codable, Equatable {
    var policies: [String] = []
    var patterns: [Bool] = []
    var addresses: [Bool] = []
  }

  @Test(arguments: 1...3 as ClosedRange<UInt64>) func `moto and Python say the same`(_ seed: UInt64) async throws {
    var make = RandomPolicies(seed: seed)
    var (questions, ours) = (Questions(), Answers())
    for _ in 0..<500 {
      let (policy, request) = (make.policy(isPlain: true), make.request())
      questions.policies.append([policy.json.compact(), request.action, request.resource])
      ours.policies.append("\(policy.decision(on: request).outcome)")

      let pattern = String((0..<Int.random(in: 0...9, using: &make.random)).map { _ in make.pick(Array("ab/.:*?é")) })
      let text = String((0..<Int.random(in: 0...7, using: &make.random)).map { _ in make.pick(Array("ab/.:é")) })
      questions.patterns.append([pattern, text])
      ours.patterns.append(try ConditionTests.holds("StringLike", [pattern], for: [text], version: .v2008))

      let (block, one) = Self.addresses(&make)
      questions.addresses.append([block, one])
      ours.addresses.append(try ConditionTests.holds("IpAddress", [block], for: [one]))
    }
    let input = String(decoding: try JSONEncoder().encode(questions), as: UTF8.self)
    let result = try await Subprocess.run(Programs.python, ["-c", Self.script], environment: [:], input: input)
    try #require(result.succeeded, "\(result.errors)")
    let theirs = try JSONDecoder().decode(Answers.self, from: Data(result.outputBytes))
    for index in ours.policies.indices {
      #expect(ours.policies[index] == theirs.policies[index], "seed \(seed): \(questions.policies[index])")
      #expect(ours.patterns[index] == theirs.patterns[index], "seed \(seed): \(questions.patterns[index])")
      #expect(ours.addresses[index] == theirs.addresses[index], "seed \(seed): \(questions.addresses[index])")
    }
    #expect(Set(ours.policies).count == 3 && Set(ours.patterns).count == 2 && Set(ours.addresses).count == 2)
  }

  private static func addresses(_ make: inout RandomPolicies) -> (String, String) {
    func number(_ most: Int) -> Int { Int.random(in: 0...most, using: &make.random) }
    if Bool.random(using: &make.random) {
      return ("10.\(number(3)).\(number(1)).\(number(255))/\(number(32))", "10.\(number(3)).\(number(1)).\(number(255))")
    }
    let (a, b) = (String(number(3), radix: 16), String(number(3), radix: 16))
    return (
      "2001:db8:\(a)::/\(number(128))", make.pick(["2001:db8:\(b)::1", "2001:DB8:\(b):0:0:0:0:0", "2001:db8:\(a)::", "::1"])
    )
  }
}
