import Testing
import VaultDatabase
import VaultModel
import VaultStore

@testable import VaultAgent

@Suite struct BrokerTests {
  @Test("concurrent requests for one role make one AssumeRole call, and all get what it brought")
  func shared() async throws {
    let stage = try await AgentStage()
    let ids = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<10 { group.addTask { try await stage.issue().accessKeyId } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(ids == ["ASIAIOSFODNN7EXAMPL1"])
    #expect(stage.aws.asked.count == 1)
    #expect(try await stage.rows(.deliver).count == 10)
  }

  @Test("an unreachable STS falls back to the cached session while it is valid, a refusal never does")
  func fallsBack() async throws {
    let stage = try await AgentStage()
    let first = try await stage.issue().accessKeyId
    stage.clock.advance(seconds: 3_500)
    stage.aws.fail(always: .unreachable)
    #expect(try await stage.issue().accessKeyId == first)
    stage.aws.fail(always: .refused("AccessDenied"))
    await #expect(throws: (any Error).self) { try await stage.issue() }
    stage.aws.fail(always: .unreachable)
    stage.clock.advance(seconds: 101)
    await #expect(throws: (any Error).self) { try await stage.issue() }
    stage.aws.fail(always: nil)
    #expect(try await stage.issue().accessKeyId != first)
  }

  @Test("credentials whose audit row cannot be written are not issued, and STS is not asked")
  func noRowNoCredential() async throws {
    let stage = try await AgentStage()
    let other = try Database(path: stage.folder.file("vault.db"), access: .readWrite)
    try other.execute("CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END")
    await #expect(throws: (any Error).self) { try await stage.issue() }
    #expect(stage.aws.asked.isEmpty)
    try other.execute("DROP TRIGGER full")
    #expect(try await stage.issue().accessKeyId == "ASIAIOSFODNN7EXAMPL1")
    try other.execute("CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END")
    await #expect(throws: (any Error).self) { try await stage.issue() }
  }

  @Test("a role with MFA asks the person for one code, for the key's session; without anybody to ask nothing is sent")
  func mfa() async throws {
    let stage = try await AgentStage()
    let serial = "arn:aws:iam::123456789012:mfa/alice"
    try await stage.put("secure", ["role_arn=\(AgentStage.role)", "source_profile=base", "mfa_serial=\(serial)"])
    await #expect(throws: (any Error).self) { try await stage.issue("secure") }
    #expect(stage.aws.asked.isEmpty)
    let person = ScriptedPrompter("123456")
    _ = try await stage.issue("secure", prompter: person)
    #expect(person.questions.count == 1 && person.questions[0].contains(serial), "\(person.questions)")
    #expect(stage.aws.asked.map { $0.body.contains("GetSessionToken") } == [true, false])
    #expect(stage.aws.asked.map { $0.body.contains("TokenCode=123456") } == [true, false])
    #expect(try await stage.rows(.getSessionToken).last?.event.mfa == true)
    // The session is cached: nobody is asked again.
    _ = try await stage.issue("secure", prompter: person)
    #expect(person.questions.count == 1)
  }
}

@Suite struct CredentialIssuerTests {
  @Test("a source session that AWS no longer takes is dropped and made again, once")
  func sourceIsOver() async throws {
    let stage = try await AgentStage()
    try await stage.put("top", ["role_arn=arn:aws:iam::123456789012:role/top", "source_profile=app"])
    _ = try await stage.issue("app")
    stage.aws.fail(next: .refused("ExpiredToken"))
    _ = try await stage.issue("top")
    #expect(stage.aws.asked.map { $0.body.contains("role%2Ftop") } == [false, true, false, true])
    #expect(try await stage.rows(.sessionForgotten).count == 1)
    stage.clock.advance(seconds: 3_601)
    stage.aws.fail(next: nil)
    stage.aws.fail(always: .refused("ExpiredToken"))
    await #expect(throws: (any Error).self) { try await stage.issue("top") }
  }

  @Test("a call that AWS refuses has its intent and a row with the refusal and AWS's request id")
  func refusal() async throws {
    let stage = try await AgentStage()
    stage.aws.fail(always: .refused("AccessDenied"))
    await #expect(throws: (any Error).self) { try await stage.issue() }
    let rows = try await stage.rows(.assumeRole)
    #expect(rows.map(\.event.outcome) == [.intent, .refused])
    #expect(rows.last?.event.requestId == "r")
    #expect(try await stage.rows(.deliver).isEmpty)
  }
}
