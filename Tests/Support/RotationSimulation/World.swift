import VaultAgent
import VaultConcurrency
import VaultModel
import VirtualTime

/// Virtual time: a queue of what will happen, and a lane for the tasks that it sets off.
///
/// `@unchecked Sendable`: everything in a simulation runs in the one thread that calls ``run(until:)``, the tasks included.
final class World: @unchecked Sendable {
  private struct Event: Comparable {
    let moment: Timestamp
    /// What comes at one moment comes in the order in which it was planned.
    let number: Int
    let happen: () -> Void

    static func < (a: Event, b: Event) -> Bool { (a.moment, a.number) < (b.moment, b.number) }
    static func == (a: Event, b: Event) -> Bool { a.number == b.number }
  }

  let executor = VirtualLane()
  private(set) var now: Timestamp
  private var events = PriorityQueue<Event>()
  private(set) var happened = 0

  init(start: Timestamp) { now = start }

  func at(_ moment: Timestamp, _ happen: @escaping () -> Void) {
    happened += 1
    events.insert(Event(moment: max(moment, now), number: happened, happen: happen))
  }

  func after(seconds: Double, _ happen: @escaping () -> Void) { at(now.later(by: seconds), happen) }

  /// Starts a task in virtual time.
  func begin(_ work: @escaping @Sendable () async -> Void) { Task(executorPreference: executor) { await work() } }

  func run(until end: Timestamp) {
    executor.run()
    while let event = events.first, event.moment < end {
      events.removeFirst()
      now = event.moment
      event.happen()
      executor.run()
    }
    now = end
  }
}

extension Timestamp {
  func later(by seconds: Double) -> Timestamp { adding(milliseconds: Int64(seconds * 1_000)) }
}
