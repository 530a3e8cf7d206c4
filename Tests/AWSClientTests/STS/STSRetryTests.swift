import Testing
import TestSupport
import VaultModel

@testable import AWSClient

/// The SDKs' standard retry mode (AWS SDKs and Tools Reference Guide, "Retry behavior").
struct STSRetryTests {
  @Test(
    "what may pass is tried again",
    arguments: [
      ScriptedTransport.Step.failure(.connect(host: "h")), .failure(.resolve(host: "h")), .failure(.timedOut(host: "h")),
      .failure(.cut(host: "h", why: "")), .error("Throttling", status: 400), .error("RequestLimitExceeded", status: 400),
      .error("IDPCommunicationError", status: 400), .error("RequestTimeout", status: 400), .error("InternalFailure", status: 500),
      .answer(status: 502, body: "<html>Bad gateway</html>"), .answer(status: 503, body: ""), .answer(status: 504, body: ""),
      .answer(status: 429, body: ""),
    ])
  func transient(_ step: ScriptedTransport.Step) async throws {
    let sts = ScriptedSTS([step, .credentials()])
    #expect(try await sts.assumeRole().attempts == 2)
    #expect(sts.clock.slept == [1_000])
  }

  @Test(
    "what will not pass is not tried again",
    arguments: [
      ScriptedTransport.Step.error("AccessDenied", status: 403), .error("InvalidClientTokenId", status: 403),
      .error("ExpiredToken", status: 403),
      .error("ValidationError", status: 400), .error("MalformedPolicyDocument", status: 400),
      .error("RegionDisabledException", status: 403),
      .failure(.tls(host: "h", why: "w")), .failure(.cancelled), .failure(.tooLarge(host: "h")),
      .answer(status: 404, body: "nothing"),
    ])
  func lasting(_ step: ScriptedTransport.Step) async {
    let sts = ScriptedSTS([step, .credentials()])
    #expect(await sts.failure()?.attempts == 1)
    #expect(sts.transport.requests.count == 1)
    #expect(sts.clock.slept.isEmpty)
  }

  @Test("what nobody waits for is tried once")
  func unasked() async {
    let sts = ScriptedSTS([.error("Throttling", status: 400), .credentials()])
    await #expect(throws: AWSError.self) { try await sts.assumeRole(mayWait: false) }
    #expect(sts.transport.requests.count == 1 && sts.clock.slept.isEmpty)
  }

  @Test("three attempts are all, with a longer wait each time")
  func attempts() async {
    let sts = ScriptedSTS(Array(repeating: .error("Throttling", "Rate exceeded", status: 400), count: 9))
    let error = await sts.failure()
    #expect(error?.attempts == 3)
    #expect(error?.exitStatus == .temporary)
    #expect(error?.message == "AssumeRole: Throttling: Rate exceeded (after 3 tries)")
    #expect(sts.clock.slept == [1_000, 2_000])
  }

  @Test(
    "AWS says how long to wait, up to 20 seconds",
    arguments: [
      ("retry-after", "3", 3_000), ("retry-after", "0", 0), ("retry-after", "86400", 20_000), ("retry-after", "1e300", 20_000),
      ("x-amz-retry-after", "1500", 1_500), ("x-amz-retry-after", "inf", 1_000), ("retry-after", "-5", 1_000),
      ("retry-after", "nan", 1_000),
      ("retry-after", "Mon, 23 Nov 2026 14:03:00 GMT", 1_000),
    ])
  func retryAfter(_ name: String, _ value: String, _ milliseconds: Int64) async throws {
    let sts = ScriptedSTS([.error("Throttling", status: 400, headers: [(name, value)]), .credentials()])
    _ = try await sts.assumeRole()
    #expect(sts.clock.slept == [milliseconds])
  }

  @Test("each attempt is signed for its own time")
  func resigned() async throws {
    let sts = ScriptedSTS([.error("Throttling", status: 400, headers: [("retry-after", "5")]), .credentials()])
    _ = try await sts.assumeRole()
    #expect(sts.header("X-Amz-Date", 0) == "20261123T120000Z")
    #expect(sts.header("X-Amz-Date", 1) == "20261123T120005Z")
    #expect(sts.header("Authorization", 0) != sts.header("Authorization", 1))
    #expect(sts.body(0) == sts.body(1))
  }

  @Test("an outage uses the quota up, so that calls are made once each")
  func quota() async {
    let sts = ScriptedSTS(Array(repeating: .answer(status: 503, body: ""), count: 400))
    // 500 tokens at 5 a retry are 100 retries: 50 calls of three attempts, then single ones.
    for _ in 0..<50 { #expect(await sts.failure()?.attempts == 3) }
    for _ in 0..<5 { #expect(await sts.failure()?.attempts == 1) }
    #expect(sts.transport.requests.count == 155)
  }

  @Test("a time-out costs twice as much, and successes pay back")
  func costs() {
    let quota = RetryQuota()
    #expect(quota.consume(afterTimeout: true) == 10)
    #expect(quota.consume(afterTimeout: false) == 5)
    #expect(quota.available == 485)
    quota.giveBack(5)
    #expect(quota.available == 490)
    quota.giveBack(nil)
    #expect(quota.available == 491)
    quota.giveBack(100)
    #expect(quota.available == RetryQuota.capacity)
  }

  @Test("a wait ends when the task is cancelled")
  func cancelled() async throws {
    let clock = FakeClock()
    let transport = ScriptedTransport([.error("Throttling", status: 400), .credentials()])
    let client = STSClient(transport: transport, clock: clock, random: { 0.5 })
    let endpoint = try STSEndpoint(region: nil, settings: EndpointSettings())
    let credential = ScriptedSTS([]).credential
    let task = Task { try await client.getCallerIdentity(signedBy: credential, at: endpoint, via: ScriptedSTS.route) }
    while clock.sleeping == 0 { await Task.yield() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(transport.requests.count == 1)
  }
}
