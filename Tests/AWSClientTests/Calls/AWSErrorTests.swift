import Testing
import VaultModel

@testable import AWSClient

struct AWSErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let code: String
    var text = ""
    let status: Int
    let exit: VaultModel.ExitStatus
    /// What the hint has in it.
    let hint: [String]
    var testDescription: String { "\(code) \(text.prefix(40))" }
  }

  static let cases: [Case] = [
    Case(
      code: "AccessDenied",
      text:
        "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: "
        + "sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev",
      status: 403, exit: .refused,
      hint: ["trust policy of dev", "the IAM user ann", "sts:AssumeRole", "`vault iam why` explains it"]),
    Case(
      code: "AccessDenied",
      text:
        "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: sts:TagSession on resource: "
        + "arn:aws:iam::222222222222:role/dev",
      status: 403, exit: .refused, hint: ["sts:TagSession", "trust policy of dev"]),
    Case(
      code: "AccessDenied",
      text: "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: sts:AssumeRole on resource: "
        + "arn:aws:iam::222222222222:role/dev with an explicit deny in a service control policy",
      status: 403, exit: .refused, hint: ["service control policy", "denies"]),
    Case(
      code: "ValidationError", text: "1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint",
      status: 400, exit: .configuration, hint: ["900 to 43200"]),
    Case(
      code: "AccessDenied", text: "MultiFactorAuthentication failed with invalid MFA one time pass code.", status: 403,
      exit: .refused, hint: ["MFA code"]),
    Case(code: "AccessDenied", status: 403, exit: .refused, hint: ["AssumeRole"]),
    Case(code: "InvalidClientTokenId", status: 403, exit: .refused, hint: ["inactive", "deleted"]),
    Case(code: "SignatureDoesNotMatch", text: "does not match", status: 403, exit: .refused, hint: ["secret"]),
    Case(code: "SignatureDoesNotMatch", text: "Signature not yet current", status: 403, exit: .refused, hint: ["clock"]),
    Case(code: "RequestExpired", status: 400, exit: .refused, hint: ["clock"]),
    Case(code: "ExpiredToken", status: 403, exit: .refused, hint: ["expired"]),
    Case(code: "ExpiredTokenException", status: 400, exit: .refused, hint: ["expired"]),
    Case(
      code: "ValidationError", text: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
      status: 400,
      exit: .configuration, hint: ["MaxSessionDuration"]),
    Case(
      code: "ValidationError",
      text: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining", status: 400,
      exit: .configuration, hint: ["one hour", "3600"]),
    Case(code: "MalformedPolicyDocument", status: 400, exit: .configuration, hint: ["policy"]),
    Case(code: "PackedPolicyTooLarge", status: 400, exit: .configuration, hint: ["shorten"]),
    Case(code: "RegionDisabledException", status: 403, exit: .configuration, hint: ["region"]),
    Case(code: "Throttling", status: 400, exit: .temporary, hint: ["throttling"]),
    Case(code: "HTTP 429", status: 429, exit: .temporary, hint: ["throttling"]),
    Case(code: "InternalFailure", status: 500, exit: .unavailable, hint: ["later"]),
    Case(code: "HTTP 503", status: 503, exit: .unavailable, hint: ["later"]),
  ]

  @Test("each refusal has its exit status and a hint that helps", arguments: Self.cases)
  func service(_ test: Case) {
    let error = AWSError(
      .service(code: test.code, text: test.text, status: test.status), action: "AssumeRole", host: "h", clockOffset: 600)
    #expect(error.exitStatus == test.exit)
    for part in test.hint { #expect(error.hint?.contains(part) == true, "\(error.hint ?? "no hint")") }
    #expect(error.message.hasPrefix("AssumeRole: \(test.code): "))
  }

  @Test("a source is over when its credentials are")
  func over() {
    func says(_ code: String) -> Bool {
      AWSError(.service(code: code, text: "", status: 403), action: "A", host: "h").saysSourceIsOver
    }
    #expect(says("ExpiredToken") && says("ExpiredTokenException") && says("InvalidClientTokenId"))
    #expect(!says("AccessDenied") && !says("SignatureDoesNotMatch"))
    #expect(!AWSError(.transport(.connect(host: "h")), action: "A", host: "h").saysSourceIsOver)
  }

  @Test("the request id comes from the header, else from the body")
  func requestId() async {
    let fromBody = await ScriptedSTS([.error("AccessDenied", status: 403)]).failure()
    let fromHeader = await ScriptedSTS([.error("AccessDenied", status: 403, headers: [("x-amzn-requestid", "req-header")])])
      .failure()
    #expect(fromBody?.requestId == "req-error")
    #expect(fromHeader?.requestId == "req-header")
    #expect(fromBody?.host == "sts.eu-west-1.amazonaws.com")
  }
}
