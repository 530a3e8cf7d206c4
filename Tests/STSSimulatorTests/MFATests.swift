import TestSupport
import Testing

@Suite("The simulator's MFA, as boto3 sees it")
struct MFATests {
  private static func mfa(_ code: String, serial: String = STSWorld.aliceMFASerial) -> [String: Boto3.Value] {
    ["SerialNumber": .text(serial), "TokenCode": .text(code)]
  }

  @Test("a role that asks for MFA is assumed with a code, and each code is taken once")
  func once() async throws {
    let simulator = try await STSSimulatorProcess()
    let without = try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole)
    #expect(without.code == "AccessDenied")
    #expect(without.message?.contains("is not authorized to perform: sts:AssumeRole") == true)
    let code = STSWorld.aliceMFACodes[0]
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, Self.mfa(code)).succeeded)
    let again = try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, Self.mfa(code))
    #expect(again.code == "AccessDenied")
    #expect(again.message == "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, Self.mfa(STSWorld.aliceMFACodes[1])).succeeded)
  }

  @Test("the code that a device shows now is taken, once, as another implementation computes it")
  func timed() async throws {
    let simulator = try await STSSimulatorProcess()
    let code = try await Boto3.shared.totp(STSWorld.aliceTOTPSecret)
    #expect(try await Boto3.shared.call(simulator, "get_session_token", Self.mfa(code)).succeeded)
    #expect(try await Boto3.shared.call(simulator, "get_session_token", Self.mfa(code)).code == "AccessDenied")
    try await simulator.reset()
    try await simulator.set(STSSettings(clockOffsetSeconds: 200))
    #expect(try await Boto3.shared.call(simulator, "get_session_token", Self.mfa(code)).code == "AccessDenied", "it is too old")
  }

  @Test("half of MFA, another's device, and a wrong code are told apart")
  func wrong() async throws {
    let simulator = try await STSSimulatorProcess()
    let cases: [([String: Boto3.Value], String)] = [
      (["TokenCode": "100001"], "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. "),
      (
        ["SerialNumber": .text(STSWorld.aliceMFASerial)],
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. "
      ),
      (
        Self.mfa("100001", serial: "arn:aws:iam::123456789012:mfa/bob"),
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
          + "associated with this user. "
      ),
      (Self.mfa("999999"), "MultiFactorAuthentication failed with invalid MFA one time pass code. "),
    ]
    for (parameters, message) in cases {
      for method in ["get_session_token", "assume_role"] {
        let role: [String: Boto3.Value] =
          method == "assume_role" ? ["RoleArn": .text(STSWorld.devRole), "RoleSessionName": "test"] : [:]
        let answer = try await Boto3.shared.call(simulator, method, parameters.merging(role) { $1 })
        #expect(answer.code == "AccessDenied")
        #expect(answer.message == message, "\(method)")
      }
    }
  }

  @Test("a session token that was had with MFA opens roles that ask for it; one without does not")
  func sessionTokens() async throws {
    let simulator = try await STSSimulatorProcess()
    let plain = try await Boto3.shared.call(simulator, "get_session_token").key
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, as: plain).code == "AccessDenied")
    let strong = try await Boto3.shared.call(simulator, "get_session_token", Self.mfa(STSWorld.aliceMFACodes[2])).key
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, ["DurationSeconds": 43_200], as: strong).succeeded)
    let requests = try await simulator.requests("GetSessionToken")
    #expect(requests.map(\.parameters["TokenCode"]) == [nil, "‹secret›"])
    #expect(requests[0].expiresAt == (requests[0].time / 1_000 + 43_200) * 1_000)
  }

  @Test(
    "a session token lives 900 to 129,600 seconds", arguments: [(899, false), (900, true), (129_600, true), (129_601, false)])
  func lifetimes(seconds: Int, right: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let answer = try await Boto3.shared.call(simulator, "get_session_token", ["DurationSeconds": .number(seconds)])
    #expect(answer.succeeded == right)
    #expect(answer.code == (right ? nil : "ValidationError"))
  }
}
