import AWSClient
import TestSupport
import Testing
import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

@testable import VaultAgent

/// A role's session is made anew by the agent itself, over an identity that has to be asked again.
@Suite(.serialized) struct IdentityRenewalTests {
  private static let variables = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/container",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example.com/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
  ]

  private static func answer(_ request: HTTPRequest, at now: Timestamp) -> String {
    let end = now.adding(seconds: 3_600).iso8601
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    if request.url.hasPrefix("https://token.example.com") { return #"{"value":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}"# }
    if request.url.hasSuffix("/api/token") { return "metadata-token" }
    if request.url.hasSuffix("/security-credentials/") { return "machine" }
    guard request.url.hasPrefix("https://sts.") else {
      return
        #"{"Code":"Success","AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"\#(secret)","#
        + #""Token":"IQoJb3JpZ2luX2VjEXAMPLETOKEN","Expiration":"\#(end)"}"#
    }
    let action =
      request.body.withBytes { String(decoding: $0, as: UTF8.self) }.contains("WithWebIdentity") ? "WithWebIdentity" : ""
    return """
      <AssumeRole\(action)Response><AssumeRole\(action)Result>
      <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/dev/alice@laptop</Arn></AssumedRoleUser>
      <Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>\(secret)</SecretAccessKey>
      <SessionToken>IQoJb3JpZ2luX2VjEXAMPLETOKEN</SessionToken><Expiration>\(end)</Expiration></Credentials>
      </AssumeRole\(action)Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRole\(action)Response>
      """
  }

  @Test(
    "a role over a machine's or a job's identity is renewed unasked, again once the identity is over",
    arguments: ["container", "instance", "environment", "GitHub"])
  func renewed(source: String) async throws {
    let clock = FakeClock()
    let transport = AnsweringTransport { Self.answer($0, at: clock.now()) }
    let stage = try await StoreStage(profiles: ["app", "ci"], transport)
    let role = try #require(RoleARN("arn:aws:iam::123456789012:role/dev"))
    let identity: IdentityLink =
      switch source {
      case "container": .container
      case "instance": .instance
      case "environment": .environment
      default: .webIdentity(RoleLink(profile: "ci", roleARN: role), token: .gitHubActions(audience: "sts.amazonaws.com"))
      }
    let chain = CredentialChain(
      profile: "app", identity: identity, roles: [RoleLink(profile: "app", roleARN: role)], region: "us-east-1",
      endpoint: EndpointSettings())
    let plan = CredentialPlan(
      chain, duration: nil, sessionName: nil, defaultSessionName: RoleSessionName(cleaning: "alice@laptop"))
    let target = try #require(plan.delivered)
    let singleFlights = SingleFlightGroup<any Prompter, Credential?>(clock: stage.clock)
    for asker: any Prompter in [Shell(variables: Self.variables), NonInteractivePrompter(), NonInteractivePrompter()] {
      // As the broker does it: behind a flight. Unasked, the agent goes by what who asked last had.
      _ = try await singleFlights.share("app", for: asker) { prompter in
        try await stage.issuer.issue(
          plan, request: CredentialRequest(rotating: "app"), requester: StoreStage.me, prompter: prompter,
          begun: stage.store.withdrawals.moment, mayWait: false)
      }
      let session = try await stage.store.liveSession(profile: target.profile, fingerprint: target.fingerprint)
      #expect(session.map { $0.expiresAt > stage.clock.now() } == true)
      clock.advance(seconds: 3_600)
      stage.clock.advance(seconds: 3_600)
    }
    #expect(transport.asked.filter { $0.hasPrefix("https://sts.") }.count == (source == "GitHub" ? 6 : 3))
  }

  /// A client's environment.
  private struct Shell: Prompter {
    let variables: [String: String]

    func ask(_ question: Question) async throws -> SecretBytes {
      guard case .variables(let names) = question else { throw AgentError.nobodyToAsk(question: question.text) }
      return SecretBytes(names.compactMap { name in variables[name].map { "\(name)=\($0)" } }.joined(separator: "\0"))
    }
    func notice(_ text: String) {}
    func progress(_ text: String) {}
    func show(_ page: Page) {}
  }

  @Test("a flight is interactive as soon as one who waits is")
  func interactive() async throws {
    struct Somebody: Prompter {
      func ask(_ question: Question) async throws -> SecretBytes { SecretBytes("") }
      func notice(_ text: String) {}
      func progress(_ text: String) {}
      func show(_ page: Page) {}
    }
    let singleFlight = SingleFlight<any Prompter, Int>(NonInteractivePrompter(), clock: FakeClock())
    #expect(!singleFlight.isInteractive)
    _ = singleFlight.join(Somebody())
    #expect(singleFlight.isInteractive)
  }
}
