import CSecret
import Glibc
import VaultConcurrency

/// Cancels operations that wait on ``cancellable`` after a timeout, from a thread of the pool.
///
/// Some of GLib's calls take a timeout, but connecting to a bus and starting a proxy do not; cancelling ends them all.
///
/// `@unchecked Sendable`: `limit`, `isOver` and `isPassed` are accessed under `mutex` only; the pointers never change, and
/// g_cancellable_cancel may be called from any thread (GIO, "GCancellable").
final class Deadline: @unchecked Sendable {
  let cancellable: UnsafeMutablePointer<GCancellable>
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var limit: timespec
  private var isOver = false
  private var isPassed = false

  private init(seconds: Int) {
    cancellable = g_cancellable_new()
    limit = Deadline.moment(in: seconds)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(change, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(change)
    pthread_mutex_destroy(mutex)
    change.deallocate()
    mutex.deallocate()
    g_object_unref(cancellable)
  }

  /// Runs `body` with a timeout in seconds, which it may extend.
  static func within<Result, Failure: Error>(seconds: Int, _ body: (Deadline) throws(Failure) -> Result) throws(Failure) -> Result
  {
    let deadline = Deadline(seconds: seconds)
    // Without a watching thread, no work is started, since it might never end.
    guard BlockingPool.shared.begin({ deadline.watch() }) else {
      deadline.isPassed = true
      g_cancellable_cancel(deadline.cancellable)
      return try body(deadline)
    }
    defer { deadline.locked { deadline.isOver = true } }
    return try body(deadline)
  }

  /// Sets the timeout to this many seconds from now, whatever time was left.
  func allow(seconds: Int) {
    locked { limit = Deadline.moment(in: seconds) }
  }

  /// Whether the timeout has passed. Never becomes false again.
  var hasPassed: Bool { locked { isPassed } }

  private func watch() {
    pthread_mutex_lock(mutex)
    while !isOver, !isPassed {
      var moment = limit
      if pthread_cond_timedwait(change, mutex, &moment) == ETIMEDOUT, Deadline.isReached(limit) { isPassed = true }
    }
    let mustCancel = isPassed && !isOver
    pthread_mutex_unlock(mutex)
    // Outside the lock: waiting code runs in here and may read `hasPassed`.
    if mustCancel { g_cancellable_cancel(cancellable) }
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_signal(change)
      pthread_mutex_unlock(mutex)
    }
    return body()
  }

  private static func moment(in seconds: Int) -> timespec {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    now.tv_sec += seconds
    return now
  }

  private static func isReached(_ moment: timespec) -> Bool {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return (now.tv_sec, now.tv_nsec) >= (moment.tv_sec, moment.tv_nsec)
  }
}
