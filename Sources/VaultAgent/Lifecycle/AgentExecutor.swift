import Synchronization
import VaultConcurrency
import VaultStore

/// Runs all of the agent's tasks on the store's thread, since most of them wait for the store anyway.
///
/// On libdispatch's threads they would cost memory and a context switch per hop, and libdispatch's monitor wakes up every second
/// for good. Blocking work is done by the ``BlockingPool``.
enum AgentExecutor {
  private static let executor = Mutex<StoreExecutor?>(nil)

  /// Nil, for the standard executor, unless an agent is running in this process.
  static var current: (any TaskExecutor)? { executor.withLock { $0 } }

  /// Makes it the executor of every task of this process. A thread must run it.
  static func begin() -> StoreExecutor {
    let begun = StoreExecutor(isRunByCaller: ())
    executor.withLock { $0 = begun }
    return begun
  }
}
