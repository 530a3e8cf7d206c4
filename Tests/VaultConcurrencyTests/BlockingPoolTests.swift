import Glibc
import Synchronization
import Testing
import VaultConcurrency

/// How many are inside, how many were at most, and how many came.
final class Gauge: Sendable {
  private let state = Mutex((now: 0, maximum: 0, all: 0))
  var maximum: Int { state.withLock { $0.maximum } }
  var all: Int { state.withLock { $0.all } }

  func enter() { state.withLock { $0 = ($0.now + 1, max($0.maximum, $0.now + 1), $0.all + 1) } }
  func leave() { state.withLock { $0.now -= 1 } }
}

@Suite struct BlockingPoolTests {
  @Test("no more work is done at once than there may be threads, and all of it is done")
  func bound() async {
    let threads = BlockingPool(maximum: 3, idleSeconds: 600)
    let gauge = Gauge()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<200 {
        group.addTask {
          await withCheckedContinuation { done in
            let isTaken = threads.begin {
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
    #expect(gauge.maximum <= 3)
    #expect((1...3).contains(threads.count))
  }

  @Test("a thread without work ends, and a new one is made for new work", .timeLimit(.minutes(1)))
  func idle() async {
    let threads = BlockingPool(maximum: 2, idleSeconds: 0)
    for _ in 0..<3 {
      await withCheckedContinuation { done in #expect(threads.begin { done.resume() }) }
      while threads.count > 0 { await Task.yield() }
    }
  }

  @Test("work that waits for other work gets it, since it is given a thread of its own")
  func waiting() async {
    let threads = BlockingPool(maximum: 64, idleSeconds: 0)
    let gauge = Gauge()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<32 {
        group.addTask {
          await threads.run {
            gauge.enter()
            while gauge.all < 32 { sched_yield() }
          }
        }
      }
    }
    #expect(gauge.all == 32)
  }

  @Test("work for each of some numbers is done at once, and its results are in their order")
  func each() {
    let gauge = Gauge()
    let results = BlockingPool(maximum: 64, idleSeconds: 0).each(8) { number in
      gauge.enter()
      while gauge.all < 8 { sched_yield() }
      return number * number
    }
    #expect(results == (0..<8).map { $0 * $0 })
    // A thread lets go of the work after the last result is there.
    let pool = BlockingPool(maximum: 8, idleSeconds: 1)
    for _ in 0..<2_000 { #expect(pool.each(3) { $0 }.count == 3) }
    #expect(BlockingPool(maximum: 1, idleSeconds: 0).each(4) { $0 } == [0, 1, 2, 3])
  }
}
