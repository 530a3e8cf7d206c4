import Synchronization
import VaultStore

/// Where the agent's tasks run: all on the store's own thread, whose work most of them wait for anyway.
///
/// Without it they would run on libdispatch's threads, which cost memory and a switch at each hop, and whose monitor wakes up every second
/// for good. What blocks has a thread of its own (``Thread/run(_:)``).
enum AgentExecutor {
  private static let lane = Mutex<StoreExecutor?>(nil)

  /// Nil, for the standard executor, unless an agent runs in this process.
  static var current: (any TaskExecutor)? { lane.withLock { $0 } }

  static func begin() -> StoreExecutor {
    lane.withLock { lane in
      let begun = lane ?? StoreExecutor()
      lane = begun
      return begun
    }
  }
}
