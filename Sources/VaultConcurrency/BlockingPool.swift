import CSystem
import Glibc

/// Threads for work that blocks: started when there is work, reused, and ended after a time without any.
///
/// Work beyond the number of threads waits in order.
///
/// `@unchecked Sendable`: `waiting`, `threads` and `idle` are used only while `mutex` is held; the two pointers never change.
package final class BlockingPool: @unchecked Sendable {
  /// The process's pool. Programs may wait for one another, each on a thread, so it has room for as many as the agent has clients.
  package static let shared = BlockingPool(maximum: 1_024, idleSeconds: 5)
  /// As `/proc/PID/task/TID/comm` shows it, also for a thread that a library makes in turn (a resolver's).
  package static let threadName = "blocking"

  private let maximum: Int
  private let idleSeconds: Int
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let arrived = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var waiting: [@Sendable () -> Void] = []
  private var threads = 0
  private var idle = 0

  /// - Parameters:
  ///   - maximum: the maximum number of threads.
  ///   - idleSeconds: how long a thread waits for more work before it ends.
  package init(maximum: Int, idleSeconds: Int) {
    self.maximum = maximum
    self.idleSeconds = idleSeconds
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(arrived, nil)
  }

  // Each thread holds a reference, so none is left when this runs.
  deinit {
    pthread_cond_destroy(arrived)
    pthread_mutex_destroy(mutex)
    arrived.deallocate()
    mutex.deallocate()
  }

  /// The current number of threads.
  package var count: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return threads
  }

  /// Runs `work` on one of the threads, without waiting for it.
  ///
  /// - Returns: false if no thread at all could be started; `work` is then not run.
  package func begin(_ work: @escaping @Sendable () -> Void) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if idle <= waiting.count, threads < maximum {
      if start() { threads += 1 } else if threads == 0 { return false }
    }
    waiting.append(work)
    pthread_cond_signal(arrived)
    return true
  }

  /// The result of `work`, which may block and is not interrupted by the task's cancellation.
  package func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { done in
      // Without a thread: blocking the caller's is slow, but never answering would be wrong.
      if !begin({ done.resume(returning: work()) }) { done.resume(returning: work()) }
    }
  }

  /// Runs `body` for each number below `count` at once, the first on this thread, and waits for all.
  ///
  /// - Parameter body: escapes, since a thread may let go of it a moment after its last call has ended.
  package func each<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
    // Safe to share: each call writes a place of its own, and both are read and freed only after every call has posted.
    nonisolated(unsafe) let values = UnsafeMutablePointer<Value?>.allocate(capacity: count)
    nonisolated(unsafe) let done = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    values.initialize(repeating: nil, count: count)
    sem_init(done, 0, 0)
    defer {
      values.deinitialize(count: count)
      values.deallocate()
      sem_destroy(done)
      done.deallocate()
    }
    @Sendable func run(_ number: Int) {
      values[number] = body(number)
      sem_post(done)
    }
    for number in (0..<count).reversed() where number == 0 || !begin({ run(number) }) { run(number) }
    for _ in 0..<count { while sem_wait(done) != 0 {} }
    return (0..<count).compactMap { values[$0] }
  }

  private func start() -> Bool {
    var thread = pthread_t()
    let me = Unmanaged.passRetained(self)
    let status = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<BlockingPool>.fromOpaque(context).takeRetainedValue().serve() }
        return nil
      }, me.toOpaque())
    guard status == 0 else {
      me.release()
      return false
    }
    pthread_detach(thread)
    return true
  }

  private func serve() {
    sys_name_thread(Self.threadName)
    while let work = next() { work() }
  }

  /// The next work item; nil if this thread should end.
  private func next() -> (@Sendable () -> Void)? {
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    until.tv_sec += idleSeconds
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    idle += 1
    defer { idle -= 1 }
    while waiting.isEmpty {
      if pthread_cond_timedwait(arrived, mutex, &until) == ETIMEDOUT, waiting.isEmpty {
        threads -= 1
        return nil
      }
    }
    return waiting.removeFirst()
  }
}
