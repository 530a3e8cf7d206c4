import Synchronization
import VaultModel
import VaultStore

/// Writes deferred rows as soon as the disk has room (`audit_failure = deliver`).
final class DeferredRowWriter: Sendable {
  /// Seconds between two attempts. Any other row written meanwhile takes them along.
  static let delay: Int64 = 2
  private let store: VaultStore
  private let clock: any WallClock
  private let isTrying = Mutex(false)

  init(store: VaultStore, clock: any WallClock) {
    self.store = store
    self.clock = clock
  }

  /// A row was deferred.
  func begin() {
    let isFirst = isTrying.withLock { isTrying in
      defer { isTrying = true }
      return !isTrying
    }
    guard isFirst else { return }
    AgentLog.write("audit rows cannot be written; cached sessions are handed out and logged later (audit_failure = deliver)")
    // Not awaited: it ends with the last deferred row.
    Task(executorPreference: AgentExecutor.current) {
      repeat {
        try? await self.clock.sleep(until: self.clock.now().adding(seconds: Self.delay))
        try? await self.store.writeLateRows()
      } while await self.store.deferredRows > 0
      self.isTrying.withLock { $0 = false }
      AgentLog.write("the deferred audit rows are written")
    }
  }
}
