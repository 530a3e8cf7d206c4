import Synchronization
import Testing
import VaultConcurrency

@Suite struct SerialThreadTests {
  private struct Refusal: Error, Equatable {}

  @Test("work runs one after the other in the order in which it came, and its error comes back")
  func serial() async throws {
    let thread = SerialThread()
    let log = Mutex<[Int]>([])
    for round in 0..<200 {
      let result = try await thread.run { () -> Result<Int, Refusal> in
        log.withLock { $0.append(round) }
        return .success(round)
      }
      #expect(result == round)
    }
    #expect(log.withLock { $0 } == Array(0..<200))
    await #expect(throws: Refusal()) {
      try await thread.run { () -> Result<Int, Refusal> in .failure(Refusal()) }
    }
  }

  @Test("work from many tasks at once never overlaps and is all done")
  func serialUnderLoad() async {
    let thread = SerialThread()
    let tally = Tally()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<500 {
        group.addTask {
          await thread.run { () -> Result<Void, Never> in
            if tally.inside.add(1, ordering: .relaxed).newValue > 1 { tally.overlaps.add(1, ordering: .relaxed) }
            tally.done.add(1, ordering: .relaxed)
            tally.inside.subtract(1, ordering: .relaxed)
            return .success(())
          }
        }
      }
    }
    #expect(tally.done.load(ordering: .relaxed) == 500 && tally.overlaps.load(ordering: .relaxed) == 0)
  }
}

private final class Tally: Sendable {
  let inside = Atomic(0)
  let done = Atomic(0)
  let overlaps = Atomic(0)
}
