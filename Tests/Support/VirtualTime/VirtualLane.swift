import Synchronization

/// Runs tasks in the thread of whoever calls ``run()``, and then only, in the order in which they came: what happens does not depend on the
/// machine.
public final class VirtualLane: TaskExecutor {
  private let waiting = Mutex<[UnownedJob]>([])

  public init() {}

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    waiting.withLock { $0.append(job) }
  }

  /// Runs all that there is to do, and what comes of it, until everything waits for something else.
  public func run() {
    while true {
      let jobs = waiting.withLock { waiting in
        defer { waiting.removeAll(keepingCapacity: true) }
        return waiting
      }
      if jobs.isEmpty { return }
      for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
  }
}
