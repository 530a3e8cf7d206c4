import Synchronization
import VaultModel
import VaultStore

/// Writes the rows of deliveries that the disk did not take, as soon as it takes them (`audit_failure = deliver`).
final class DeferredRowWriter: Sendable {
  /// Seconds between two tries. Whatever else is logged meanwhile takes them along.
  static let pause: Int64 = 2
  private let store: VaultStore
  private let clock: any WallClock
  private let isTrying = Mutex(false)

  init(store: VaultStore, clock: any WallClock) {
    self.store = store
    self.clock = clock
  }

  /// A row is late.
  func begin() {
    let isFirst = isTrying.withLock { isTrying in
      defer { isTrying = true }
      return !isTrying
    }
    guard isFirst else { return }
    AgentLog.write("the disk takes no audit rows; sessions in hand are handed out, and logged later (audit_failure = deliver)")
    // Awaited by nobody: it ends with the last late row.
    Task(executorPreference: AgentExecutor.current) {
      repeat {
        try? await self.clock.sleep(until: self.clock.now().adding(seconds: Self.pause))
        try? await self.store.writeLateRows()
      } while await self.store.deferredRows > 0
      self.isTrying.withLock { $0 = false }
      AgentLog.write("the late audit rows are written")
    }
  }
}
