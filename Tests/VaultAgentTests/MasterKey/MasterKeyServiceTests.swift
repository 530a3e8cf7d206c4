import Testing
import VaultModel

@testable import VaultAgent

@Suite struct MasterKeyServiceTests {
  @Test("a vault without its key asks the key store once for many waiters")
  func once() async throws {
    let stage = try await AgentStage()
    await stage.store.lock()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<10 {
        group.addTask {
          try await stage.masterKeys.ensureUnlocked(for: NonInteractivePrompter(), requester: AgentStage.me)
        }
      }
      try await group.waitForAll()
    }
    #expect(stage.keys.reads == 1)
    #expect(await stage.store.isUnlocked)
  }

  @Test("a vault that a person locked serves nothing and reads no key until it is unlocked")
  func locked() async throws {
    let stage = try await AgentStage()
    _ = try await stage.issue()
    try await stage.masterKeys.lock(requester: AgentStage.me, trigger: .manual)
    let refused = await #expect(throws: AgentError.self) { try await stage.issue() }
    #expect(refused.map { Failure($0).message } == Failure(AgentError.locked).message)
    #expect(stage.keys.reads == 0)
    try await stage.masterKeys.unlock(for: NonInteractivePrompter(), requester: AgentStage.me, trigger: .manual)
    #expect(try await stage.issue().accessKeyId == "ASIAIOSFODNN7EXAMPL1")
  }
}
