import Glibc
import Synchronization

/// The work of an executor's thread while it has no job: waiting for an outside event.
public protocol EventSource: AnyObject, Sendable {
  /// Waits until one of its own events has occurred, or ``interrupt()`` is called; its handlers may queue jobs on the executor.
  /// Only the executor's thread calls it, between jobs.
  ///
  /// - Parameter mayWait: false to check without waiting.
  func watch(mayWait: Bool)
  /// Ends the current wait, or the next one. Any thread may call it.
  func interrupt()
}

/// A thread of its own for an actor with blocking work: one job after another, in order of arrival.
///
/// Without work the thread waits on a condition, or in its event source. It ends with the last reference.
///
/// `@unchecked Sendable`: the mutex and condition are made in `init` and used only through their C functions, and the queue is used
/// only under the mutex.
package final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var waiting: [Work] = []
  private var isEnding = false
  /// The thread is waiting, and has not been woken yet.
  private var isAsleep = false
  private var watch: (any EventSource)?
  private var thread = pthread_t()
  /// The number of jobs that run before the event source is checked, however many more there are.
  private static let maxRunLength = 16
  /// Jobs taken from the queue that follow the running one. Only the thread uses it.
  private var left = 0

  /// Runs its jobs on a new thread until ``end()``.
  package init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    let context = Unmanaged.passRetained(self).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<ThreadExecutor>.fromOpaque(context).takeRetainedValue().work()
        return nil
      }, context)
    precondition(status == 0, "cannot make a thread (errno \(status))")
    pthread_detach(thread)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// A job of the actor bound to this thread, or of a task that prefers it.
  private enum Work {
    case ofActor(UnownedJob)
    case ofTask(UnownedJob, UnownedTaskExecutor)
  }

  package func enqueue(_ job: consuming ExecutorJob) { add(.ofActor(UnownedJob(job))) }

  fileprivate func enqueue(_ job: consuming ExecutorJob, for lane: UnownedTaskExecutor) { add(.ofTask(UnownedJob(job), lane)) }

  private func add(_ work: Work) {
    pthread_mutex_lock(mutex)
    waiting.append(work)
    wake()
    pthread_mutex_unlock(mutex)
  }

  /// Call under the mutex. A thread that gives itself work is awake.
  private func wake() {
    guard isAsleep, pthread_equal(pthread_self(), thread) == 0 else { return }
    isAsleep = false
    if let watch { watch.interrupt() } else { pthread_cond_signal(condition) }
  }

  /// Whether other jobs wait for the running one, which asks.
  package var isBusy: Bool {
    if left > 0 { return true }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return !waiting.isEmpty
  }

  /// From now on the thread waits in `watch`; nil for its condition again.
  fileprivate func wait(in watch: (any EventSource)?) {
    pthread_mutex_lock(mutex)
    wake()
    self.watch = watch
    pthread_mutex_unlock(mutex)
  }

  /// Ends the thread once its queue is empty. Jobs queued afterwards never run, so its actor calls this in its own `deinit`.
  package func end() {
    pthread_mutex_lock(mutex)
    isEnding = true
    wake()
    pthread_mutex_unlock(mutex)
  }

  private func work() {
    var jobs: [Work] = []
    var runs = 0
    while true {
      pthread_mutex_lock(mutex)
      while waiting.isEmpty, !isEnding {
        runs = 0
        isAsleep = true
        if let watch {
          pthread_mutex_unlock(mutex)
          watch.watch(mayWait: true)
          pthread_mutex_lock(mutex)
        } else {
          pthread_cond_wait(condition, mutex)
        }
        isAsleep = false
      }
      // The two arrays alternate, so that neither is allocated again.
      swap(&jobs, &waiting)
      let isOver = jobs.isEmpty && isEnding
      let watch = watch
      pthread_mutex_unlock(mutex)
      if isOver { return }
      left = jobs.count
      for work in jobs {
        left -= 1
        switch work {
        case .ofActor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
        case .ofTask(let job, let lane): job.runSynchronously(on: lane)
        }
      }
      jobs.removeAll(keepingCapacity: true)
      runs += 1
      if runs >= Self.maxRunLength {
        runs = 0
        watch?.watch(mayWait: false)
      }
    }
  }
}

/// Lets tasks run on the store's own thread, so that a request that only reads and logs a session wakes just one thread.
public final class StoreExecutor: TaskExecutor {
  /// The thread.
  package let thread: ThreadExecutor

  /// Whether other jobs on the executor wait for the running one, which asks.
  package var isBusy: Bool { thread.isBusy }

  /// Starts a thread, which lasts as long as the process, unless a store that created it for itself ends it.
  public init() { thread = ThreadExecutor() }

  public func enqueue(_ job: consuming ExecutorJob) { thread.enqueue(job, for: asUnownedTaskExecutor()) }

  /// Makes the thread wait in `watch` while it is idle; nil to stop that.
  public func wait(in watch: (any EventSource)?) { thread.wait(in: watch) }
}
