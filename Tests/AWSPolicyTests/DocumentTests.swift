import AWSPolicy
import Testing

@Suite struct DocumentTests {
  /// The two policies of a developer's application, as a team keeps them.
  static let policy = """
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Sid": "Table", "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": "*",
         "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:username}"]},
                       "Bool": {"aws:SecureTransport": true}, "NumericLessThan": {"s3:max-keys": 10}}},
        {"Effect": "Deny", "NotAction": "ssm:GetParameter", "NotResource": ["arn:aws:ssm:*:*:parameter/app/*"]}
      ]
    }
    """

  static func read(_ text: String, _ kind: PolicyKind = .managed) throws -> PolicyDocument {
    try PolicyDocument(JSONText(Array(text.utf8)), kind: kind)
  }

  @Test func `a policy is read with all that it says`() throws {
    let document = try Self.read(Self.policy)
    #expect(document.version == .v2012)
    #expect(document.statements.count == 2)
    let first = document.statements[0]
    #expect(first.actions == PatternElement(["dynamodb:GetItem", "dynamodb:Query"]))
    #expect(first.conditions[0].test == ConditionOperator(.stringEquals, quantifier: .forAllValues))
    #expect(first.conditions.map(\.values) == [["${aws:username}"], ["true"], ["10"]])
    #expect(document.statements[1].actions == PatternElement(["ssm:GetParameter"], isNegated: true))
    #expect(document.statements[1].resources?.isNegated == true)
  }

  @Test func `a policy that is written and read again is the same`() throws {
    let document = try Self.read(Self.policy)
    for text in [document.json.pretty(), document.json.compact()] { #expect(try Self.read(text) == document) }
  }

  @Test(arguments: [
    ("{", 1, 2, "a name in double quotes is expected"), ("{\n  'a': 1}", 2, 3, "a name in double quotes is expected"),
    ("{\"a\": 1\n\"b\": 2}", 2, 1, "a comma or } is missing"), ("[1,]", 1, 4, "a value is expected"),
    ("{\"a\": 01}", 1, 7, "an invalid number"), ("{\"a\": \"x\n\"}", 1, 9, "a line break or control character"),
    ("{} x", 1, 4, "text after the end"), ("", 1, 1, "the text ends"), ("{\"a\":1,\"a\":2}", 1, 8, "is there twice"),
    ("[\"\\ud800\"]", 1, 3, "an invalid escape"), ("[\"\\u00_1\"]", 1, 3, "an invalid escape"),
    ("[tru]", 1, 2, "a value is expected"),
    ("\u{FEFF}{}", 1, 1, "a byte order mark"),
  ]) func `text that is no JSON is refused with line and column`(_ text: String, line: Int, column: Int, words: String) {
    let fault = #expect(throws: JSONFault.self) { try JSONText(Array(text.utf8)) }
    #expect(fault?.line == line && fault?.column == column && fault?.message.contains(words) == true, "\(fault!)")
  }

  @Test func `a value nested too deeply is refused, and no byte string crashes the parser`() {
    #expect(throws: JSONFault.self) { try JSONText(Array(String(repeating: "[", count: 100_000).utf8)) }
    #expect(throws: JSONFault.self) { try JSONText([0x22, 0xFF, 0x22]) }
    #expect(throws: JSONFault.self) { try JSONText([0x22, 0x5C]) }
  }

  @Test(arguments: [
    ("[]", "an object in braces is expected", 1), ("{\"Statement\": []}", "has no statement", 1),
    ("{\"Version\": \"2012\", \"Statement\": {}}", "the version must be", 1),
    ("{\"Statement\": {\n\"Effect\": \"allow\"}}", "the effect must be", 2),
    ("{\"Statement\": {\"Effect\": \"Allow\",\n\"Resource\": \"*\"}}", "has no Action", 1),
    (
      "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": [\"s3:Get*\",\n \"everything\"], \"Resource\": \"*\"}}",
      "is not an action", 2
    ),
    ("{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\"}}", "has no Resource", 1),
    (
      "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"NotAction\": \"*\", \"Resource\": \"*\"}}",
      "has both Action and NotAction", 1
    ),
    (
      "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\",\n\"Principal\": \"*\"}}",
      "has no element \"Principal\"", 2
    ),
    (
      "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\", \"Condition\": {\n\"StringIs\": {}}}}",
      "is not a condition operator", 2
    ),
    ("{\"Statement\": {\"Effect\": \"Allow\", \"Action\": [], \"Resource\": \"*\"}}", "the list is empty", 1),
    ("{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": 7}}", "a string is expected", 1),
    (
      "{\"Statement\": {\"Sid\": \"a b\", \"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}}", "letters and digits",
      1
    ),
  ]) func `JSON that is no policy is refused with its place`(_ text: String, words: String, line: Int) {
    let fault = #expect(throws: PolicyFault.self) { try Self.read(text) }
    #expect(fault?.message.contains(words) == true && fault?.place?.line == line, "\(fault!)")
  }

  @Test func `a trust policy needs a principal, and every kind of principal is read`() throws {
    let text = """
      {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:root"], "Service": "ec2.amazonaws.com", "Federated": "idp"}},
        {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": "*"}]}
      """
    let document = try Self.read(text, .trust)
    #expect(
      document.statements[0].principals?.principals == [
        .aws("123456789012"), .aws("arn:aws:iam::123456789012:root"), .service("ec2.amazonaws.com"), .federated("idp"),
      ])
    #expect(document.statements[1].principals == PrincipalElement([.anyone]))
    #expect(try Self.read(document.json.pretty(), .trust) == document)
    #expect(throws: PolicyFault.self) { try Self.read(#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}"#, .trust) }
    #expect(throws: PolicyFault.self) {
      try Self.read(#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"root"}}"#, .trust)
    }
  }

  @Test(arguments: PolicyKind.allCases) func `a policy is as long as its kind may be, white space not counted`(_ kind: PolicyKind)
    throws
  {
    func document(_ length: Int) -> PolicyDocument {
      PolicyDocument([
        Statement(
          principals: kind.hasPrincipal ? PrincipalElement([.anyone]) : nil, actions: PatternElement(["s3:GetObject"]),
          resources: kind.hasPrincipal ? nil : PatternElement(["*"]),
          conditions: [
            PolicyCondition(ConditionOperator(.stringEquals), key: "k", values: [String(repeating: "x", count: length)])
          ])
      ])
    }
    let rest = kind.maxCharacters - document(0).characterCount
    #expect(throws: Never.self) { try Self.read(document(rest).json.pretty(), kind) }
    let fault = #expect(throws: PolicyFault.self) { try Self.read(document(rest + 1).json.pretty(), kind) }
    #expect(fault?.message.contains("\(kind.maxCharacters + 1)") == true)
  }

  @Test func `each operator's name is read and written, with quantifier and IfExists`() {
    for comparison in ConditionOperator.Comparison.allCases {
      for quantifier in [nil, "ForAllValues", "ForAnyValue"] {
        for suffix in ["", "IfExists"] where !(suffix == "IfExists" && comparison == .null) {
          let name = (quantifier.map { $0 + ":" } ?? "") + comparison.rawValue + suffix
          #expect(ConditionOperator(name: name)?.name == name)
        }
      }
    }
    for name in ["", "NullIfExists", "ForSome:StringEquals", "stringequals", "StringEqualsIfExistsIfExists", "ForAllValues:"] {
      #expect(ConditionOperator(name: name) == nil)
    }
  }
}
