import Synchronization

/// Work for a pool of threads, begun in order of arrival and a limited number of pieces at once.
///
/// With a width of one it can also be the executor of an actor with blocking work.
package final class BlockingQueue: SerialExecutor {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var running = 0
  }

  private let width: Int
  private let pool: BlockingPool
  private let state = Mutex(State())

  /// - Parameter width: the maximum number of pieces of work at once.
  package init(width: Int = 1, pool: BlockingPool = .shared) {
    self.width = width
    self.pool = pool
  }

  /// Enqueues work without waiting for it.
  package func begin(_ work: @escaping @Sendable () -> Void) {
    let mustStart = state.withLock { state in
      state.waiting.append(work)
      guard state.running < width else { return false }
      state.running += 1
      return true
    }
    // Without a thread: blocking the caller's is slow, but never answering would be wrong.
    if mustStart, !pool.begin({ [self] in drain() }) { drain() }
  }

  /// The result of `work`, which may block and is not interrupted by the task's cancellation.
  package func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { done in begin { done.resume(returning: work()) } }
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    begin { [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
  }

  private func drain() {
    while true {
      let next: (@Sendable () -> Void)? = state.withLock { state in
        guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
        state.running -= 1
        return nil
      }
      guard let next else { return }
      next()
    }
  }
}
