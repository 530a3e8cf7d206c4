import Foundation
import TestSupport
import Testing

@Suite("The simulator, as the AWS CLI sees it")
struct CommandLineTests {
  private let home = TemporaryDirectory()

  private func aws(_ simulator: STSSimulatorProcess, _ arguments: String..., profile: String = "alice") async throws
    -> Subprocess.Result
  {
    home.write(
      """
      [profile alice]
      region = us-east-1
      aws_access_key_id = \(STSWorld.aliceAccessKeyId)
      aws_secret_access_key = \(STSWorld.aliceSecretAccessKey)
      [profile dev]
      region = eu-central-1
      role_arn = \(STSWorld.devRole)
      source_profile = alice
      role_session_name = from-the-cli
      duration_seconds = 7200
      [profile chained]
      region = us-east-1
      role_arn = \(STSWorld.chainedRole)
      source_profile = dev
      [profile partner]
      region = us-east-1
      role_arn = \(STSWorld.partnerRole)
      source_profile = alice
      external_id = \(STSWorld.externalId)

      """, to: "config")
    return try await Subprocess.run(
      Programs.aws, ["sts"] + arguments,
      environment: [
        "HOME": home.path, "PATH": "/usr/bin:/bin", "AWS_CONFIG_FILE": home.file("config"), "AWS_PROFILE": profile,
        "AWS_ENDPOINT_URL_STS": simulator.url, "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
      ])
  }

  @Test(
    "get-caller-identity says who a profile is, chain and all",
    arguments: [
      ("alice", "arn:aws:iam::123456789012:user/alice", ["GetCallerIdentity"]),
      (
        "dev", "arn:aws:sts::123456789012:assumed-role/my-application-dev-role/from-the-cli", ["AssumeRole", "GetCallerIdentity"]
      ),
      (
        "chained", "arn:aws:sts::123456789012:assumed-role/my-application-chained-role/botocore-session-",
        ["AssumeRole", "AssumeRole", "GetCallerIdentity"]
      ),
      (
        "partner", "arn:aws:sts::210987654321:assumed-role/my-partner-role/botocore-session-",
        ["AssumeRole", "GetCallerIdentity"]
      ),
    ])
  func identity(profile: String, arn: String, calls: [String]) async throws {
    let simulator = try await STSSimulatorProcess()
    let result = try await aws(simulator, "get-caller-identity", "--query", "Arn", "--output", "text", profile: profile)
    #expect(result.output.hasPrefix(arn), "\(result.errors)")
    let requests = try await simulator.requests()
    #expect(requests.map(\.action) == calls)
    #expect(requests.allSatisfy { $0.userAgent.hasPrefix("aws-cli/") })
    #expect(requests.last?.callerARN == result.output.trimmingCharacters(in: .newlines))
  }

  @Test("assume-role with tags, a source identity and MFA")
  func assumeRole() async throws {
    let simulator = try await STSSimulatorProcess()
    let result = try await aws(
      simulator, "assume-role", "--role-arn", STSWorld.mfaRole, "--role-session-name", "cli", "--serial-number",
      STSWorld.aliceMFASerial, "--token-code", STSWorld.aliceMFACodes[0], "--tags", "Key=Team,Value=blue",
      "--transitive-tag-keys",
      "Team", "--source-identity", "alice", "--duration-seconds", "43200")
    #expect(result.succeeded, "\(result.errors)")
    struct Output: Decodable {
      struct User: Decodable { let Arn: String }
      let AssumedRoleUser: User
      let SourceIdentity: String
      let PackedPolicySize: Int
    }
    let output = try JSONDecoder().decode(Output.self, from: Data(result.outputBytes))
    #expect(output.AssumedRoleUser.Arn == "arn:aws:sts::123456789012:assumed-role/my-application-mfa-role/cli")
    #expect(output.SourceIdentity == "alice")
    #expect(output.PackedPolicySize > 0)
  }

  @Test("errors come out of the CLI in AWS's words")
  func errors() async throws {
    let simulator = try await STSSimulatorProcess()
    let denied = try await aws(simulator, "assume-role", "--role-arn", STSWorld.chainedRole, "--role-session-name", "cli")
    #expect(!denied.succeeded)
    #expect(
      denied.errors.contains(
        "An error occurred (AccessDenied) when calling the AssumeRole operation: User: \(STSWorld.aliceARN) is not authorized to "
          + "perform: sts:AssumeRole on resource: \(STSWorld.chainedRole)"), "\(denied.errors)")
    let code = try await aws(
      simulator, "get-session-token", "--serial-number", STSWorld.aliceMFASerial, "--token-code", "999999")
    #expect(
      code.errors.contains(
        "An error occurred (AccessDenied) when calling the GetSessionToken operation: MultiFactorAuthentication failed with "
          + "invalid MFA one time pass code."), "\(code.errors)")
  }
}
