import TestSupport
import Testing

@Suite("The simulator's check of signatures, against botocore's signer")
struct SignatureTests {
  /// What is done to a request, and what is said of it.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let change: [String: Boto3.Value]
    let status: String
    let code: String
    let words: String?

    init(_ name: String, _ change: [String: Boto3.Value], _ status: String, _ code: String, _ words: String? = nil) {
      (testDescription, self.change, self.status, self.code, self.words) = (name, change, status, code, words)
    }
  }

  @Test("a request of botocore's is taken as it is, in POST and in GET")
  func right() async throws {
    let simulator = try await STSSimulatorProcess()
    #expect(try await Boto3.shared.raw(simulator).status == "200")
    let get = try await Boto3.shared.raw(
      simulator, ["verb": "GET", "path": "/?Version=2011-06-15&Action=GetCallerIdentity"], body: "")
    #expect(get.status == "200", "\(get["body"] ?? "")")
    let spaced = try await Boto3.shared.raw(simulator, ["headers": ["X-Amz-Note": "  two   words  "]])
    #expect(spaced.status == "200", "\(spaced["body"] ?? "")")
  }

  @Test(
    "a request that was changed or wrongly signed is refused",
    arguments: [
      Case("another body", ["tamperedBody": "Action=GetCallerIdentity&Version=2011-06-15&"], "403", "SignatureDoesNotMatch"),
      Case("another host", ["addHeaders": ["Host": "sts.amazonaws.com"]], "403", "SignatureDoesNotMatch"),
      Case(
        "a header that is not signed", ["addHeaders": ["X-Amz-Security-Token": "x"]], "403", "SignatureDoesNotMatch",
        "'x-amz-security-token' must be a 'SignedHeader'"),
      Case(
        "the host not signed", ["replaceInHeaders": ["Authorization": [";host;", ";"]]], "403", "SignatureDoesNotMatch",
        "'Host' or ':authority' must be a 'SignedHeader'"),
      Case(
        "a digit of the signature", ["replaceInHeaders": ["Authorization": ["Signature=", "Signature=0"]]], "403",
        "SignatureDoesNotMatch", "does not match the signature you provided"),
      Case(
        "headers out of order",
        ["replaceInHeaders": ["Authorization": ["content-type;host;x-amz-date", "host;content-type;x-amz-date"]]], "403",
        "SignatureDoesNotMatch"),
      Case("another service", ["service": "iam"], "403", "SignatureDoesNotMatch", "scoped to correct service: 'sts'"),
      Case("no region of AWS", ["region": "us-west-9"], "403", "SignatureDoesNotMatch", "scoped to a valid region"),
      Case(
        "another terminator", ["replaceInHeaders": ["Authorization": ["aws4_request", "aws5_request"]]], "403",
        "SignatureDoesNotMatch", "valid terminator: 'aws4_request'"),
      Case(
        "another algorithm", ["replaceInHeaders": ["Authorization": ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"]]], "400",
        "IncompleteSignature", "Unsupported AWS 'algorithm'"),
      Case(
        "no signature", ["replaceInHeaders": ["Authorization": ["Signature", "Nothing"]]], "400", "IncompleteSignature",
        "Authorization header requires 'Signature' parameter."),
      Case("no date", ["dropHeaders": ["X-Amz-Date"]], "400", "IncompleteSignature", "requires existence of either"),
      Case("no authorization", ["dropHeaders": ["Authorization"]], "403", "MissingAuthenticationToken"),
      Case(
        "a name twice", ["body": "Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole"], "404", "MalformedQueryString"),
      Case("half a percent sign", ["body": "Action=GetCallerIdentity&Version=%2"], "404", "MalformedQueryString"),
      Case("no action", ["body": "Version=2011-06-15"], "400", "MissingAction"),
      Case(
        "another version", ["body": "Action=GetCallerIdentity&Version=2010-05-08"], "400", "InvalidAction",
        "Could not find operation GetCallerIdentity for version 2010-05-08"),
      Case(
        "another action", ["body": "Action=ListUsers&Version=2011-06-15"], "400", "InvalidAction",
        "Could not find operation ListUsers for version 2011-06-15"),
      Case(
        "a parameter of no action", ["body": "Action=GetCallerIdentity&Version=2011-06-15&Rolearn=x"], "400",
        "UnexpectedParameter", "Rolearn"),
    ])
  func wrong(changed: Case) async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.raw(simulator, changed.change)
    let body = try #require(answer["body"])
    #expect(answer.status == changed.status)
    #expect(body.contains("<Code>\(changed.code)</Code>"), "\(body)")
    if let words = changed.words { #expect(body.contains(words), "\(body)") }
    #expect(answer["content-type"] == "text/xml")
    #expect(body.contains("<RequestId>\(answer["x-amzn-requestid"] ?? "none")</RequestId>"))
  }

  @Test(
    "a clock that is more than five minutes off is refused, and the answer's date says what time it is", arguments: [301, -301])
  func skew(seconds: Int) async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(clockOffsetSeconds: seconds + (seconds > 0 ? 5 : -5)))
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity")
    #expect(answer.code == "SignatureDoesNotMatch")
    let words =
      seconds > 0
      ? /Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)/
      : /Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)/
    #expect(answer.message?.wholeMatch(of: words) != nil, "\(answer.message ?? "")")
    #expect(answer["ResponseMetadata.HTTPHeaders.date"] != nil)
    try await simulator.set(STSSettings(clockOffsetSeconds: seconds > 0 ? 250 : -250))
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity").succeeded)
  }
}
