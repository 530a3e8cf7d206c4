import Foundation
import Synchronization
import Testing
import VaultConcurrency

@Suite struct BlockingQueueTests {
  @Test("work runs one after the other in the order in which it came, and its result comes back")
  func order() async {
    let queue = BlockingQueue()
    let log = Mutex<[Int]>([])
    for round in 0..<200 {
      let result = await queue.run {
        log.withLock { $0.append(round) }
        return round
      }
      #expect(result == round)
    }
    #expect(log.withLock { $0 } == Array(0..<200))
  }

  @Test("work from many tasks at once overlaps no more than its width allows, and is all done", arguments: [1, 3])
  func width(_ width: Int) async {
    let queue = BlockingQueue(width: width)
    let gauge = Gauge()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<500 {
        group.addTask {
          await queue.run {
            gauge.enter()
            sched_yield()
            gauge.leave()
          }
        }
      }
    }
    #expect(gauge.all == 500 && (1...width).contains(gauge.maximum))
  }

  private actor Worker {
    private let queue = BlockingQueue()
    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }
    private var count = 0

    func work() -> String {
      count += 1
      return (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
    }

    var total: Int { count }
  }

  @Test("an actor whose executor it is works on the pool's threads, one call at a time")
  func executor() async {
    let worker = Worker()
    await withTaskGroup(of: String.self) { group in
      for _ in 0..<200 { group.addTask { await worker.work() } }
      for await name in group { #expect(name == BlockingPool.threadName + "\n") }
    }
    #expect(await worker.total == 200)
  }
}
