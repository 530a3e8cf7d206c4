import Glibc
import Synchronization

/// A thread of its own for an actor whose work blocks: one job after the other, in the order in which they came.
///
/// The thread sleeps on a condition while there is nothing to do, and ends with the last reference.
///
/// `@unchecked Sendable`: the mutex and condition are made in `init` and only used through their C functions, and the queue is touched only
/// under the mutex.
final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var waiting: [Work] = []
  private var isEnding = false
  private var thread = pthread_t()

  /// Runs its jobs on a new thread until ``end()``.
  init() {
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

  /// A job of the actor that is bound to this thread, or one of a task that prefers it.
  private enum Work {
    case ofActor(UnownedJob)
    case ofTask(UnownedJob, UnownedTaskExecutor)
  }

  func enqueue(_ job: consuming ExecutorJob) { add(.ofActor(UnownedJob(job))) }

  fileprivate func enqueue(_ job: consuming ExecutorJob, for lane: UnownedTaskExecutor) { add(.ofTask(UnownedJob(job), lane)) }

  private func add(_ work: Work) {
    pthread_mutex_lock(mutex)
    waiting.append(work)
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Lets the thread go once its queue is empty. What is queued afterwards never runs, so its actor calls this in its own `deinit`.
  func end() {
    pthread_mutex_lock(mutex)
    isEnding = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  private func work() {
    while true {
      pthread_mutex_lock(mutex)
      while waiting.isEmpty, !isEnding { pthread_cond_wait(condition, mutex) }
      let jobs = waiting
      waiting.removeAll(keepingCapacity: true)
      let isOver = jobs.isEmpty && isEnding
      pthread_mutex_unlock(mutex)
      if isOver { return }
      for work in jobs {
        switch work {
        case .ofActor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
        case .ofTask(let job, let lane): job.runSynchronously(on: lane)
        }
      }
    }
  }
}

/// Lets tasks run on the store's own thread, so that a request that only reads a session and logs it wakes one thread and no more.
public final class StoreLane: TaskExecutor {
  let thread: ThreadExecutor

  /// Makes a thread, which lasts as long as the process, unless a store that made it for itself ends it.
  public init() { thread = ThreadExecutor() }

  public func enqueue(_ job: consuming ExecutorJob) { thread.enqueue(job, for: asUnownedTaskExecutor()) }
}
