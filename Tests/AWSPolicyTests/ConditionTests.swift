import Testing

@testable import AWSPolicy

/// The conditions of IAM, one at a time. A case cites the page of the IAM User Guide that it is taken from, or that says so.
@Suite struct ConditionTests {
  /// Whether a condition holds for a key `k` with these values; nil for a request without it.
  static func holds(_ name: String, _ values: [String], for actual: [String]?, version: PolicyDocument.Version = .v2012) throws
    -> Bool
  {
    var keys: ContextKeys = ["aws:username": ["alice"], "aws:PrincipalTag/team": ["yellow"], "several": ["a", "b"]]
    keys["k"] = actual
    let condition = PolicyCondition(try #require(ConditionOperator(name: name)), key: "K", values: values)
    return condition.holds(for: keys, hasVariables: version == .v2012)
  }

  typealias Case = (name: String, values: [String], actual: [String]?, holds: Bool)

  // reference_policies_elements_condition_operators
  static let operators: [Case] = [
    ("StringEquals", ["a"], ["a"], true), ("StringEquals", ["a"], ["A"], false), ("StringEquals", ["a*"], ["ab"], false),
    ("StringEquals", ["x", "a"], ["a"], true), ("StringEquals", ["a"], nil, false), ("StringEquals", [], ["a"], false),
    ("StringNotEquals", ["a"], ["b"], true), ("StringNotEquals", ["a", "b"], ["b"], false), ("StringNotEquals", ["a"], nil, true),
    ("StringEqualsIgnoreCase", ["Éa"], ["éA"], true), ("StringNotEqualsIgnoreCase", ["a"], ["A"], false),
    ("StringLike", ["home/*"], ["home/x/y"], true), ("StringLike", ["h?me"], ["home"], true),
    ("StringLike", ["h?me"], ["hme"], false),
    ("StringLike", ["", "home/"], [""], true), ("StringLike", ["t1.*", "m3.*"], ["t1xmicro"], false),
    ("StringLike", ["a*"], ["A"], false), ("StringNotLike", ["a*"], ["abc"], false), ("StringNotLike", ["a*"], nil, true),

    ("NumericEquals", ["10"], ["10.0"], true), ("NumericNotEquals", ["10"], ["11"], true),
    ("NumericLessThan", ["10"], ["9.99"], true),
    ("NumericLessThan", ["10"], ["10"], false), ("NumericLessThanEquals", ["10"], ["10"], true),
    ("NumericGreaterThan", ["10"], ["10.5"], true), ("NumericGreaterThanEquals", ["10"], ["9"], false),
    ("NumericEquals", ["9007199254740993"], ["9007199254740992"], false), ("NumericLessThan", ["0x10"], ["1"], false),
    ("NumericLessThan", ["nan"], ["1"], false), ("NumericGreaterThan", ["-1"], ["infinity"], false),
    ("NumericNotEquals", ["10"], ["many"], true), ("NumericLessThanEquals", ["10"], nil, false),

    ("DateGreaterThan", ["2020-01-01T00:00:01Z"], ["2020-01-01T00:00:02Z"], true),
    ("DateGreaterThan", ["2020-01-01T00:00:01Z"], nil, false), ("DateLessThan", ["2020-01-01"], ["2019-12-31T23:59:59Z"], true),
    ("DateLessThanEquals", ["2020-01"], ["2020-01-01T01:00+01:00"], true), ("DateEquals", ["2020"], ["1577836800"], true),
    ("DateEquals", ["2020-01-01T00:00Z"], ["2020-01-01T00:00:00.000Z"], true), ("DateNotEquals", ["2020"], ["2021"], true),
    ("DateGreaterThanEquals", ["2020-02-30"], ["2021"], false), ("DateLessThan", ["9223372036854775807"], ["1"], false),
    ("DateLessThan", ["-9223372036854775808"], ["1"], false),

    ("Bool", ["true"], ["true"], true), ("Bool", ["false"], ["true"], false), ("Bool", ["true"], nil, false),
    ("Bool", ["yes"], ["true"], false), ("Bool", ["true", "false"], ["TRUE"], true),
    ("BinaryEquals", ["QmluYXJ5VmFsdWVJbkJhc2U2NA=="], ["QmluYXJ5VmFsdWVJbkJhc2U2NA=="], true),
    ("BinaryEquals", ["QmluYXJ5"], ["QmluYXJ6"], false), ("BinaryEquals", ["****"], ["****"], false),

    ("IpAddress", ["203.0.113.0/24"], ["203.0.113.255"], true), ("IpAddress", ["203.0.113.0/24"], ["203.0.114.0"], false),
    ("IpAddress", ["203.0.113.7"], ["203.0.113.7"], true), ("IpAddress", ["203.0.113.7"], ["203.0.113.8"], false),
    ("IpAddress", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"], ["2001:db8:1234:5678:9::1"], true),
    ("IpAddress", ["2001:DB8:1234:5678::/64"], ["2001:db8:1234:5679::1"], false), ("IpAddress", ["0.0.0.0/0"], ["::1"], false),
    ("IpAddress", ["10.1.2.3/9"], ["10.127.0.1"], true), ("IpAddress", ["10.1.2.3/9"], ["10.128.0.1"], false),
    ("IpAddress", ["10.0.0.0/33"], ["10.0.0.0"], false), ("IpAddress", ["10.0.0.0/-1"], ["10.0.0.0"], false),
    ("IpAddress", ["10.0.0.0/"], ["10.0.0.0"], false), ("IpAddress", ["10.0.0"], ["10.0.0.0"], false),
    ("NotIpAddress", ["10.0.0.0/8"], ["11.0.0.1"], true), ("NotIpAddress", ["10.0.0.0/8"], ["10.0.0.1"], false),
    ("NotIpAddress", ["10.0.0.0/8"], nil, true), ("IpAddress", ["10.0.0.0/8"], nil, false),

    ("ArnLike", ["arn:aws:iam::1:role/*/app"], ["arn:aws:iam::1:role/team/app"], true),
    ("ArnEquals", ["arn:aws:iam::1:role/*"], ["arn:aws:iam::1:role/a"], true),
    ("ArnEquals", ["arn:aws:iam::1:role/a"], ["arn:aws:iam::1:role/A"], false),
    ("ArnNotLike", ["arn:aws:iam::1:role/*"], ["arn:aws:iam::2:role/a"], true),
    ("ArnNotEquals", ["arn:aws:iam::1:role/*"], ["arn:aws:iam::1:role/a"], false), ("ArnNotEquals", ["arn:*"], nil, true),
    // The two of the page, where StringLike and ArnLike differ.
    (
      "StringLike", ["arn:aws:someservice:*:111122223333:finance/*"],
      ["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"], true
    ),
    (
      "ArnLike", ["arn:aws:someservice:*:111122223333:finance/*"],
      ["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"], false
    ),
    ("ArnLike", ["arn:aws:sns:*:*:*"], ["arn:aws:sns:eu-west-1:1:topic:subscription"], true),

    ("StringEqualsIfExists", ["a"], nil, true), ("StringEqualsIfExists", ["a"], ["b"], false),
    ("StringLikeIfExists", ["t1.*"], ["t1.micro"], true), ("BoolIfExists", ["true"], nil, true),
    ("StringNotEqualsIfExists", ["a"], nil, true), ("NumericLessThanIfExists", ["1"], ["1"], false),
    ("Null", ["true"], nil, true), ("Null", ["true"], ["a"], false), ("Null", ["false"], ["a"], true),
    ("Null", ["false"], nil, false),
    ("Null", ["false"], [""], false),
  ]

  // reference_policies_condition-single-vs-multi-valued-context-keys, and
  // reference_policies_condition_examples-multi-valued-context-keys, whose tables these are.
  static let sets: [Case] = [
    ("ForAllValues:StringNotLike", ["key1*"], ["key1:legal"], false),
    ("ForAllValues:StringNotLike", ["key1*"], ["key1:hr", "key1:personnel"], false),
    ("ForAllValues:StringNotLike", ["key1*"], ["key2:audit"], true), ("ForAllValues:StringNotLike", ["key1*"], nil, true),
    ("ForAllValues:StringLike", ["PostDateTime", "Message", "Tags"], ["PostDateTime", "Message"], true),
    ("ForAllValues:StringLike", ["PostDateTime", "Message", "Tags"], ["PostDateTime", "UserName"], false),
    ("ForAllValues:StringLike", ["PostDateTime"], nil, true), ("ForAllValues:StringLike", ["PostDateTime"], [""], true),
    ("ForAnyValue:StringLike", ["ID", "PostDateTime"], ["UserName", "Message", "PostDateTime"], true),
    ("ForAnyValue:StringLike", ["ID", "PostDateTime"], ["UserName"], false),
    ("ForAnyValue:StringLike", ["ID"], nil, false), ("ForAnyValue:StringLike", ["*"], [""], false),
    ("ForAnyValue:StringNotEquals", ["a"], ["a", "b"], true), ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], false),
    ("ForAnyValue:StringNotEquals", ["a"], nil, false), ("ForAllValues:StringNotEquals", ["a"], ["a", "b"], false),
    ("ForAnyValue:StringEqualsIfExists", ["a"], nil, true), ("ForAllValues:NumericLessThan", ["3"], ["1", "2"], true),
    ("ForAllValues:NumericLessThan", ["3"], ["1", "4"], false), ("ForAnyValue:ArnLike", ["arn:*:*:*:*:*"], ["x", "y"], false),
  ]

  // reference_policies_variables
  static let variables: [Case] = [
    ("StringEquals", ["${aws:username}"], ["alice"], true), ("StringLike", ["home/${aws:username}/*"], ["home/alice/x"], true),
    ("StringLike", ["${AWS:UserName}"], ["alice"], true), ("StringEquals", ["${aws:PrincipalTag/team}"], ["yellow"], true),
    ("StringEquals", ["${aws:PrincipalTag/team, 'none'}"], ["yellow"], true),
    ("StringEquals", ["${aws:PrincipalTag/role, 'company-wide'}"], ["company-wide"], true),
    ("StringEquals", ["${aws:PrincipalTag/role}"], ["${aws:PrincipalTag/role}"], false),
    ("StringNotEquals", ["${aws:PrincipalTag/role}"], ["x"], true), ("StringEquals", ["${several}"], ["a"], false),
    ("StringLike", ["${*}"], ["abc"], false), ("StringLike", ["${*}"], ["*"], true), ("StringLike", ["a${?}*"], ["a?b"], true),
    ("StringEquals", ["${$}x"], ["$x"], true), ("StringEquals", ["${aws:username"], ["${aws:username"], true),
    ("ArnLike", ["arn:aws:iam::1:user/${aws:username}"], ["arn:aws:iam::1:user/alice"], true),
    ("StringEqualsIgnoreCase", ["${aws:username}"], ["ALICE"], true), ("NumericEquals", ["${aws:username}"], ["alice"], false),
  ]

  @Test(arguments: operators + sets + variables) func `a condition holds as the documentation says`(_ example: Case) throws {
    #expect(
      try Self.holds(example.name, example.values, for: example.actual) == example.holds,
      "\(example.name) \(example.values) of \(example.actual ?? [])")
  }

  @Test func `a policy of 2008 has no variables`() throws {
    #expect(try Self.holds("StringLike", ["${aws:username}"], for: ["${aws:username}"], version: .v2008))
    #expect(try !Self.holds("StringLike", ["${aws:username}"], for: ["alice"], version: .v2008))
  }

  @Test func `each operator that is negated says the opposite of its twin for one value`() throws {
    let twins: [(ConditionOperator.Comparison, ConditionOperator.Comparison)] = [
      (.stringEquals, .stringNotEquals), (.stringEqualsIgnoreCase, .stringNotEqualsIgnoreCase), (.stringLike, .stringNotLike),
      (.numericEquals, .numericNotEquals), (.dateEquals, .dateNotEquals), (.ipAddress, .notIpAddress),
      (.arnEquals, .arnNotEquals),
      (.arnLike, .arnNotLike),
    ]
    let values = [
      "a", "A*", "10", "2020", "10.0.0.0/8", "10.1.1.1", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/x", "", "${aws:username}",
    ]
    for (plain, negated) in twins {
      for expected in values {
        for actual in values {
          let holds = try Self.holds(plain.rawValue, [expected], for: [actual])
          #expect(try Self.holds(negated.rawValue, [expected], for: [actual]) != holds, "\(negated) \(expected) \(actual)")
        }
      }
    }
  }
}
