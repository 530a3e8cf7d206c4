import Glibc
import Synchronization

/// Runs blocking work off the cooperative threads: one item at a time, in order of arrival.
///
/// The thread exists only while there is work, so that an unused store costs nothing and needs no shutdown.
package final class SerialThread: Sendable {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var isRunning = false
  }

  private let state = Mutex(State())

  /// Starts no thread until there is work.
  package init() {}

  /// Runs the work and returns its result. The work may block; the task's cancellation does not interrupt it.
  package func run<Value: Sendable, Failure: Error>(
    _ work: @escaping @Sendable () -> Result<Value, Failure>
  ) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, Failure>, Never>) in
      begin { done.resume(returning: work()) }
    }
    return try result.get()
  }

  /// Enqueues work without waiting for it.
  package func begin(_ work: @escaping @Sendable () -> Void) {
    let mustStart = state.withLock { state in
      state.waiting.append(work)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if mustStart { start() }
  }

  private func start() {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    let status = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        Unmanaged<SerialThread>.fromOpaque(context).takeRetainedValue().drain()
        return nil
      }, context.toOpaque())
    if status != 0 {
      // No thread available: blocking a cooperative one is slow, but never answering would be wrong.
      context.release()
      drain()
    }
  }

  private func drain() {
    while true {
      let next: (@Sendable () -> Void)? = state.withLock { state in
        guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
        state.isRunning = false
        return nil
      }
      guard let next else { return }
      next()
    }
  }
}
