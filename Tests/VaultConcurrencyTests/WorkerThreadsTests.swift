import Glibc
import Synchronization
import Testing
import VaultConcurrency

struct WorkerThreadsTests {
  /// How many are inside, and how many were at most.
  private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))
    var most: Int { state.withLock { $0.most } }

    func enter() {
      state.withLock {
        $0.now += 1
        $0.most = max($0.most, $0.now)
      }
    }

    func leave() { state.withLock { $0.now -= 1 } }
  }

  @Test("no more work is done at once than there may be threads, and all of it is done")
  func bound() async {
    let threads = WorkerThreads(most: 3, idleSeconds: 600)
    let gauge = Gauge()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<200 {
        group.addTask {
          await withCheckedContinuation { done in
            let isTaken = threads.run {
              gauge.enter()
              sched_yield()
              gauge.leave()
              done.resume()
            }
            #expect(isTaken)
          }
        }
      }
    }
    #expect(gauge.most <= 3)
    #expect((1...3).contains(threads.count))
  }

  @Test("a thread without work ends, and a new one is made for new work", .timeLimit(.minutes(1)))
  func idle() async {
    let threads = WorkerThreads(most: 2, idleSeconds: 0)
    for _ in 0..<3 {
      await withCheckedContinuation { done in #expect(threads.run { done.resume() }) }
      while threads.count > 0 { await Task.yield() }
    }
  }
}
