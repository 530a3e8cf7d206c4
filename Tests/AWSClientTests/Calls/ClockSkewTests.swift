import Testing
import VaultModel

@testable import AWSClient

/// The clock of these tests stands at 2026-11-23T12:00:00Z.
struct ClockSkewTests {
  private func expired(_ date: String) -> ScriptedTransport.Step {
    .error(
      "SignatureDoesNotMatch", "Signature expired: 20261123T120000Z is too early", status: 403, headers: [("date", date)]
    )
  }

  @Test("a call that AWS finds too old is signed again at once with AWS's time, and so is the next")
  func corrected() async throws {
    let sts = ScriptedSTS([
      expired("Mon, 23 Nov 2026 12:10:00 GMT"), .credentials(expiration: "2026-11-23T13:10:00Z"),
      .credentials(expiration: "2026-11-23T13:10:00Z"),
    ])
    #expect(try await sts.assumeRole().attempts == 1)
    _ = try await sts.assumeRole()
    #expect(sts.clock.slept.isEmpty)
    #expect((0...2).map { sts.header("X-Amz-Date", $0) } == ["20261123T120000Z", "20261123T121000Z", "20261123T121000Z"])
  }

  @Test("what was learnt of the clock is unlearnt when the clock is set right")
  func unlearnt() async throws {
    let sts = ScriptedSTS([
      expired("Mon, 23 Nov 2026 12:10:00 GMT"), .credentials(), expired("Mon, 23 Nov 2026 12:10:00 GMT"), .credentials(),
    ])
    _ = try await sts.assumeRole()
    sts.clock.set(Timestamp(seconds: 1_795_435_800))
    _ = try await sts.assumeRole()
    #expect(sts.header("X-Amz-Date", 2) == "20261123T122000Z")
    #expect(sts.header("X-Amz-Date", 3) == "20261123T121000Z")
  }

  @Test("a clock that AWS still finds wrong after the correction is an error that says by how much")
  func stillWrong() async {
    let sts = ScriptedSTS(Array(repeating: expired("Mon, 23 Nov 2026 12:10:00 GMT"), count: 5))
    let error = await sts.failure()
    #expect(sts.transport.requests.count == 2)
    #expect(error?.hint?.contains("600 s") == true)
    #expect(error?.exitStatus == .refused)
  }

  @Test(
    "without a Date that is over four minutes off nothing is corrected",
    arguments: [
      "Mon, 23 Nov 2026 12:04:00 GMT", "Mon, 23 Nov 2026 11:56:00 GMT", "yesterday", "", "Mon, 32 Nov 2026 12:10:00 GMT",
      "Mon, 23 Nov 2026 12:10:00 CET", "Mon, 23 Nov 2026 99:10:00 GMT",
    ])
  func small(_ date: String) async {
    let sts = ScriptedSTS([expired(date), .credentials()])
    #expect(await sts.failure()?.code == "SignatureDoesNotMatch")
    #expect(sts.transport.requests.count == 1)
  }

  @Test("a wrong secret is no matter of the clock")
  func wrongSecret() async {
    let step = ScriptedTransport.Step.error(
      "SignatureDoesNotMatch", "The request signature we calculated does not match", status: 403,
      headers: [("date", "Mon, 23 Nov 2026 12:00:01 GMT")])
    let sts = ScriptedSTS([step, .credentials()])
    #expect(await sts.failure()?.hint?.contains("secret does not belong to this access key id") == true)
    #expect(sts.transport.requests.count == 1)
  }
}
