import Testing
import VaultModel
import VaultSecrets
import VaultStore

@testable import VaultAgent

@Suite struct SSOSessionsTests {
  private static let config = SSOSessionConfig(
    name: "corp", startURL: "https://corp.awsapps.com/start", region: "eu-west-1", scopes: ["sso:account:access"], isSession: true
  )

  private static func signIn(_ stage: AgentStage) async throws {
    let now = stage.clock.now()
    let record = SignInRecord(
      id: "sso_1", name: config.name, startURL: config.startURL, region: config.region, scopes: "sso:account:access",
      signedInAt: now, expiresAt: now.adding(seconds: 28_800), isRenewable: true, clientEndsAt: now.adding(seconds: 7_776_000))
    let event = AuditEvent(action: .createToken, outcome: .success, trigger: .manual, requester: AgentStage.me)
    let tokens = SignInTokens(
      accessToken: SecretBytes("token-0"), refreshToken: SecretBytes("refresh-0"), clientId: "client",
      clientSecret: SecretBytes("secret"))
    try await stage.store.complete(try await stage.store.begin(event), signIn: record, tokens: tokens, event: event)
  }

  private static func token(_ stage: AgentStage) async throws -> String {
    let context = NetworkTrust.Context(
      requester: AgentStage.me, trigger: .exec, environment: [:], prompter: NonInteractivePrompter())
    return try await stage.ssoSessions.token(config, context).withBytes { String(decoding: $0, as: UTF8.self) }
  }

  @Test("an access token is renewed before its end, once for all who want it, and used from then on")
  func renewed() async throws {
    let stage = try await AgentStage()
    try await Self.signIn(stage)
    #expect(try await Self.token(stage) == "token-0")
    stage.clock.advance(seconds: 28_800 - 600)
    let tokens = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<5 { group.addTask { try await Self.token(stage) } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(tokens == ["token-1"])
    #expect(stage.aws.asked.count == 1)
    #expect(try await Self.token(stage) == "token-1")
  }

  @Test("while IAM Identity Center is unreachable a token near its end still serves, one past it does not")
  func unreachable() async throws {
    let stage = try await AgentStage()
    try await Self.signIn(stage)
    stage.aws.fail(always: .unreachable)
    stage.clock.advance(seconds: 28_800 - 600)
    #expect(try await Self.token(stage) == "token-0")
    stage.clock.advance(seconds: 601)
    await #expect(throws: (any Error).self) { try await Self.token(stage) }
  }
}
