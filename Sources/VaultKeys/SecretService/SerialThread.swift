import Glibc
import Synchronization

/// Runs blocking work off the cooperative threads: one piece after the other, in the order in which it came.
///
/// The thread lives only while there is work, so that a store that is not used costs nothing and needs no end.
final class SerialThread: Sendable {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var isRunning = false
  }

  private let state = Mutex(State())

  /// The work's result, once it is done. The work may block; it is not interrupted by the task's cancellation.
  func run<Value: Sendable, Failure: Error>(
    _ work: @escaping @Sendable () -> Result<Value, Failure>
  ) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, Failure>, Never>) in
      begin { done.resume(returning: work()) }
    }
    return try result.get()
  }

  /// Lets work begin that nobody waits for.
  func begin(_ work: @escaping @Sendable () -> Void) {
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
      // No thread to be had: blocking a cooperative one is slow, never answering is wrong.
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
