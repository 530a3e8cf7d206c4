import TestSupport
import Testing

@Suite("The simulator's faults, as boto3 meets them")
struct FaultTests {
  @Test(
    "a scripted error is read by boto3 as AWS's own, once, and then all is well",
    arguments: [
      (STSFault(.throttle), "400", "Throttling", "Rate exceeded"),
      (STSFault(.http500), "500", "InternalFailure", nil), (STSFault(.http503), "503", "ServiceUnavailable", nil),
      (STSFault(.http502), "502", "502", "Bad Gateway"),
      (
        STSFault(.error, status: 403, code: "RegionDisabledException", text: "STS is <not> active"), "403",
        "RegionDisabledException", "STS is <not> active"
      ),
      (STSFault(.accessDenied), "403", "AccessDenied", nil), (STSFault(.expiredToken), "403", "ExpiredToken", nil),
      (STSFault(.invalidClientTokenId), "403", "InvalidClientTokenId", nil),
      (STSFault(.skew), "403", "SignatureDoesNotMatch", nil),
    ] as [(STSFault, String, String, String?)])
  func errors(fault: STSFault, status: String, code: String, message: String?) async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.queue(fault)
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity")
    #expect(answer.status == status)
    #expect(answer.code == code)
    if let message { #expect(answer.message == message) }
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity").succeeded)
    let requests = try await simulator.requests()
    #expect(requests.map(\.outcome) == [.fault, .success])
    #expect(requests.map(\.fault) == [fault.kind, nil])
    #expect(requests.first?.status == Int(status))
  }

  @Test(
    "a fault of the wire breaks the call, and whether it was carried out is in the log",
    arguments: [
      (STSFault(.reset), ["ConnectionClosedError"], false), (STSFault(.close), ["ConnectionClosedError"], false),
      (STSFault(.stall), ["ReadTimeoutError"], false), (STSFault(.stall, delayMs: 10), ["ConnectionClosedError"], false),
      (STSFault(.garbage), ["ResponseParserError"], true),
      (STSFault(.notHTTP), ["ConnectionClosedError", "HTTPClientError"], true),
      (STSFault(.truncate), ["ConnectionClosedError"], true),
      (STSFault(.dropAnswer), ["ConnectionClosedError"], true),
    ] as [(STSFault, [String], Bool)])
  func wire(fault: STSFault, exceptions: [String], carriedOut: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.queue(fault)
    let arguments: [String: Boto3.Value] = ["RoleArn": .text(STSWorld.devRole), "RoleSessionName": "test"]
    let answer = try await Boto3.shared.call(simulator, "assume_role", arguments, more: ["readTimeout": 1])
    #expect(exceptions.contains(answer.exception ?? "none"), "\(answer)")
    let request = try #require(try await simulator.requests().first)
    #expect(request.fault == fault.kind)
    #expect((request.issuedAccessKeyId != nil) == carriedOut)
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).succeeded)
  }

  @Test("XML that is not of STS holds no credentials")
  func strangeXML() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.queue(.strangeXML)
    let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole)
    #expect(answer["Credentials.AccessKeyId"] == nil)
    #expect(answer.exception != nil || answer.succeeded)
  }

  @Test("a slow answer is a right one")
  func slow() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.queue(STSFault(.slow, delayMs: 200))
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).succeeded)
    #expect(try await simulator.requests().first?.fault == .slow)
  }

  @Test("boto3's standard retries get past faults of the kinds that are retried, and every try is in the log")
  func retries() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.queue(STSFault(.throttle), STSFault(.http503), STSFault(.reset))
    let answer = try await Boto3.shared.call(simulator, "get_caller_identity", more: ["attempts": 4])
    #expect(answer.succeeded)
    #expect(answer["ResponseMetadata.RetryAttempts"] == "3")
    let requests = try await simulator.requests()
    #expect(requests.map(\.number) == [1, 2, 3, 4])
    #expect(requests.map(\.errorCode) == ["Throttling", "ServiceUnavailable", nil, nil])
    #expect(Set(requests.map(\.requestId)).count == 4)
  }

  @Test("a fault befalls its action only, as often as was said, with its Retry-After; a reset forgets it")
  func scope() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.queue(STSFault(.http503, count: 2, action: "AssumeRole", retryAfter: 7))
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity").succeeded)
    let answer = try await Boto3.shared.assumeRole(simulator, STSWorld.devRole)
    #expect(answer["ResponseMetadata.HTTPHeaders.retry-after"] == "7")
    #expect(try await simulator.report().faults.map(\.count) == [1])
    try await simulator.reset()
    #expect(try await simulator.report() == STSReport(requests: [], peakConcurrency: 0, connections: 0, faults: []))
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole).succeeded)
  }
}
