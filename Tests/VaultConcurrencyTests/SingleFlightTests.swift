import Testing
import VaultConcurrency
import VaultModel

@Suite struct SingleFlightTests {
  @Test("work is done once for all who come before its end, and each is told once what the work says")
  func shared() async throws {
    let flights = SingleFlightGroup<Log, Int>(clock: SystemClock())
    let (waiters, runs) = ((0..<10).map { _ in Log() }, Gauge())
    let (joined, go) = AsyncStream.makeStream(of: Void.self)
    let results = try await withThrowingTaskGroup(of: Int.self) { group in
      for waiter in waiters {
        group.addTask {
          try await flights.share("key", by: waiter, endsAlone: false, on: nil) { flight in
            runs.enter()
            flight.tell { $0.add("news") }
            for await _ in joined {}
            return runs.all
          }
        }
      }
      group.addTask {
        while await flights.waiting("key") < waiters.count { await Task.yield() }
        go.finish()
        return 1
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results == Array(repeating: 1, count: waiters.count + 1))
    #expect(waiters.allSatisfy { $0.all == ["news"] })
  }
}
