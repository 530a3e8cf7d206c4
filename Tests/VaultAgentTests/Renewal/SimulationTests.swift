import Testing

@testable import RotationSimulation

/// A small run of `make simulate`.
@Suite struct SimulationTests {
  private func run(seed: UInt64) -> Simulation {
    var options = Options()
    (options.seed, options.laptops, options.sessions, options.days) = (seed, 40, 30, 2)
    return Simulation(options)
  }

  @Test(
    "in two days of suspends and outages no program that could get a session got one with less than a quarter of an hour left")
  func promise() {
    for seed: UInt64 in 1...3 {
      let ledger = run(seed: seed).ledger
      #expect(ledger.promised.count > 1_000 && ledger.suspends > 20, "seed \(seed)")
      #expect(ledger.promised.short == 0 && ledger.promised.refused == 0, "seed \(seed)")
      let fetches = ledger.promisedFetches
      #expect(fetches.count > 100 && fetches.short == 0 && fetches.refused == 0, "seed \(seed)")
    }
  }

  @Test("laptops do not call in step: no ten minutes have more than three times the mean of the calls")
  func spread() {
    let rates = Rates(run(seed: 1).ledger)
    #expect(rates.total > 1_000)
    #expect(rates.peak(over: 600) <= 3 * rates.mean)
  }

  @Test("a run is the same again with the same seed, and another one with another")
  func seeds() {
    let runs = [1, 1, 2].map { Rates(run(seed: $0).ledger).total }
    #expect(runs[0] == runs[1] && runs[0] != runs[2], "\(runs)")
  }
}
