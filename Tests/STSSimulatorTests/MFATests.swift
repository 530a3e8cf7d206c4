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
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, ["DurationSeconds": 3_600], as: strong).succeeded)
    let requests = try await simulator.requests("GetSessionToken")
    #expect(requests.map(\.parameters["TokenCode"]) == [nil, "‹secret›"])
    #expect(requests[0].expiresAt == (requests[0].time / 1_000 + 43_200) * 1_000)
  }

  @Test("every session is held to the hour, a user's too; the long-lived key with a code is not")
  func hour() async throws {
    let simulator = try await STSSimulatorProcess()
    let twelve: [String: Boto3.Value] = ["DurationSeconds": 43_200]
    let strong = try await Boto3.shared.call(simulator, "get_session_token", Self.mfa(STSWorld.aliceMFACodes[0])).key
    let refused = try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, twelve, as: strong)
    #expect(refused.code == "ValidationError")
    #expect(
      refused.message == "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
    let direct = twelve.merging(Self.mfa(STSWorld.aliceMFACodes[1])) { $1 }
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.mfaRole, direct).succeeded)
  }

  @Test("a federation token is had with the long-lived key alone, and opens neither roles nor IAM")
  func federation() async throws {
    let simulator = try await STSSimulatorProcess()
    let policy: Boto3.Value = .text(#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#)
    let answer = try await Boto3.shared.call(simulator, "get_federation_token", ["Name": "alice", "Policy": policy])
    #expect(answer["FederatedUser.Arn"] == "arn:aws:sts::123456789012:federated-user/alice")
    let key = try answer.key
    #expect(try await Boto3.shared.call(simulator, "get_caller_identity", as: key)["Arn"] == answer["FederatedUser.Arn"])
    #expect(try await Boto3.shared.assumeRole(simulator, STSWorld.devRole, as: key).code == "AccessDenied")
    let session = try await Boto3.shared.call(simulator, "get_session_token").key
    let again = try await Boto3.shared.call(simulator, "get_federation_token", ["Name": "alice", "Policy": policy], as: session)
    #expect(again.message == "Cannot call GetFederationToken with session credentials")
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
