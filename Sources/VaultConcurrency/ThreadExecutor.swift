import Glibc
import Synchronization

/// A thread for an actor with blocking work: one job after another, in order of arrival.
///
/// Without jobs the thread waits in its event loop, whose handlers run on it as well.
///
/// `@unchecked Sendable`: only the thread uses `left`; everything else that changes is in the mutex.
package final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  /// A job of the actor bound to this thread, or of a task that prefers it.
  private enum Work {
    case ofActor(UnownedJob)
    case ofTask(UnownedJob, UnownedTaskExecutor)
  }
  private struct State {
    var waiting: [Work] = []
    var isEnding = false
    /// The thread is waiting, and has not been woken yet.
    var isAsleep = false
    var thread = pthread_t()
  }
  /// The wait of the thread between jobs.
  package let loop = EventLoop()
  private let state = Mutex(State())
  /// The number of jobs that run before the event loop is checked, however many more there are.
  private static let maxRunLength = 16
  /// Jobs taken from the queue that follow the running one.
  private var left = 0

  /// Jobs wait for a thread that runs them.
  package init() {}

  /// Runs the jobs on a thread of the pool until ``end()``.
  package func start() {
    let isBegun = BlockingPool.shared.begin { [self] in run() }
    precondition(isBegun, "cannot create a thread")
  }

  package func enqueue(_ job: consuming ExecutorJob) { add(.ofActor(UnownedJob(job))) }

  fileprivate func enqueue(_ job: consuming ExecutorJob, for lane: UnownedTaskExecutor) { add(.ofTask(UnownedJob(job), lane)) }

  private func add(_ work: Work) {
    let isAsleep = state.withLock { state in
      state.waiting.append(work)
      return wake(&state)
    }
    if isAsleep { loop.wake() }
  }

  /// - Returns: whether the loop must be woken. A thread that gives itself work is awake.
  private func wake(_ state: inout State) -> Bool {
    guard state.isAsleep, pthread_equal(pthread_self(), state.thread) == 0 else { return false }
    state.isAsleep = false
    return true
  }

  /// Whether other jobs wait for the running one, which asks.
  package var isBusy: Bool { left > 0 || state.withLock { !$0.waiting.isEmpty } }

  /// Ends the thread once its queue is empty. Jobs queued afterwards never run, so its actor calls this in its own `deinit`.
  package func end() {
    let isAsleep = state.withLock { state in
      state.isEnding = true
      return wake(&state)
    }
    if isAsleep { loop.wake() }
  }

  /// Runs the jobs on the calling thread until ``end()``.
  package func run() {
    var jobs: [Work] = []
    var runs = 0
    while true {
      let isOver = state.withLock { state in
        state.thread = pthread_self()
        // The two arrays alternate, so that neither is allocated again.
        swap(&jobs, &state.waiting)
        state.isAsleep = jobs.isEmpty && !state.isEnding
        return jobs.isEmpty && state.isEnding
      }
      if isOver { return }
      left = jobs.count
      for work in jobs {
        left -= 1
        switch work {
        case .ofActor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
        case .ofTask(let job, let lane): job.runSynchronously(on: lane)
        }
      }
      runs = jobs.isEmpty ? 0 : runs + 1
      if jobs.isEmpty || runs >= Self.maxRunLength {
        loop.turn(mayWait: jobs.isEmpty)
        runs = 0
      }
      jobs.removeAll(keepingCapacity: true)
    }
  }
}

/// Lets tasks run on the store's own thread, so that a request that only reads and logs a session wakes just one thread.
public final class StoreExecutor: TaskExecutor {
  /// The thread.
  package let thread = ThreadExecutor()
  /// The wait of the thread while it is idle.
  package var loop: EventLoop { thread.loop }

  /// Whether other jobs on the executor wait for the running one, which asks.
  package var isBusy: Bool { thread.isBusy }

  /// Starts a thread, which lasts as long as the process, unless a store that created it for itself ends it.
  public init() { thread.start() }

  /// Starts no thread: the one that calls ``run()`` becomes it.
  package init(isRunByCaller: Void) {}

  public func enqueue(_ job: consuming ExecutorJob) { thread.enqueue(job, for: asUnownedTaskExecutor()) }

  /// Works on the calling thread until the process ends.
  package func run() -> Never {
    while true { thread.run() }
  }
}
