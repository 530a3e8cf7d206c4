import Testing

@testable import VaultAgent

@Suite struct PaceTests {
  @Test("a pace is halved at each throttle, down to one, and won back by one for each round of successes")
  func concurrency() {
    let concurrency = AdaptiveConcurrencyLimit(maximum: 8)
    var paces: [Int] = []
    for _ in 0..<4 {
      concurrency.slowDown()
      paces.append(concurrency.current)
    }
    #expect(paces == [4, 2, 1, 1])
    concurrency.recover()
    #expect(concurrency.current == 2)
    concurrency.recover()
    #expect(concurrency.current == 2)
    concurrency.recover()
    #expect(concurrency.current == 2)
    for _ in 0..<100 { concurrency.recover() }
    #expect(concurrency.current == 8)
  }
}
