import Testing

@testable import VaultAgent

@Suite struct PaceTests {
  @Test("a pace is halved at each throttle, down to one, and won back by one for each round of successes")
  func pace() {
    let pace = Pace(most: 8)
    var paces: [Int] = []
    for _ in 0..<4 {
      pace.slowDown()
      paces.append(pace.current)
    }
    #expect(paces == [4, 2, 1, 1])
    pace.recover()
    #expect(pace.current == 2)
    pace.recover()
    #expect(pace.current == 2)
    pace.recover()
    #expect(pace.current == 2)
    for _ in 0..<100 { pace.recover() }
    #expect(pace.current == 8)
  }
}
