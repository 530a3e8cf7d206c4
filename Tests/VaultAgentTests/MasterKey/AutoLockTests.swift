import Synchronization
import TestSupport
import Testing
import VaultModel
import VirtualTime

@testable import VaultAgent

/// The unlocked key's life, in virtual time.
@Suite struct AutoLockTests {
  private final class Vault: Sendable {
    let clock = FakeClock()
    let executor = VirtualLane()
    let causes = Mutex<[LockCause]>([])
    let isUnlocked = Mutex(true)

    func lock() -> AutoLock {
      AutoLock(clock: clock, executor: executor, isUnlocked: { self.isUnlocked.withLock { $0 } }) { cause in
        self.isUnlocked.withLock { $0 = false }
        self.causes.withLock { $0.append(cause) }
      } shutOut: { _ in
      }
    }

    /// Lets work run to its end.
    func run(_ body: @escaping @Sendable () async -> Void) {
      Task(executorPreference: executor) { await body() }
      executor.run()
    }

    func advance(minutes: Int64) {
      for _ in 0..<minutes {
        clock.advance(seconds: 60)
        executor.run()
      }
    }

    var locked: [LockCause] { causes.withLock { $0 } }
  }

  private func begun(_ rule: String) throws -> (Vault, AutoLock) {
    let vault = Vault()
    let lock = vault.lock()
    let rule = try #require(LockRule(rule))
    vault.run { await lock.use(rule, .none, bus: "unix:path=/nowhere") }
    vault.run { await lock.unlocked() }
    return (vault, lock)
  }

  @Test("a vault that nobody asks is locked after its idle time, and each request begins that anew")
  func idle() throws {
    let (vault, lock) = try begun("15m idle")
    vault.advance(minutes: 14)
    lock.recordUse()
    vault.advance(minutes: 14)
    #expect(vault.locked.isEmpty)
    vault.advance(minutes: 1)
    #expect(vault.locked == [.idle])
  }

  @Test("a vault that is asked all the time is locked at the end of its life, and anew after the next unlocking")
  func life() throws {
    let (vault, lock) = try begun("15m idle 2h")
    for _ in 0..<11 {
      vault.advance(minutes: 10)
      lock.recordUse()
    }
    #expect(vault.locked.isEmpty)
    vault.advance(minutes: 10)
    #expect(vault.locked == [.life])
    vault.isUnlocked.withLock { $0 = true }
    vault.run { await lock.unlocked() }
    vault.advance(minutes: 15)
    #expect(vault.locked == [.life, .idle])
  }

  @Test("a rule that is changed counts at once, and never is never")
  func changed() throws {
    let (vault, lock) = try begun("never")
    vault.advance(minutes: 600)
    #expect(vault.locked.isEmpty)
    let hour = try #require(LockRule("1h"))
    vault.run { await lock.use(hour, .none, bus: "unix:path=/nowhere") }
    vault.advance(minutes: 1)
    #expect(vault.locked == [.life])
  }
}
