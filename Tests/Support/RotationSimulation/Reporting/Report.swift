/// What a run came to, and whether it held to the limits.
struct Report {
  /// Seconds over which the peak is held to its limit. Over a single second it can't be: calls that know nothing of each other come to
  /// more than three times such a mean by chance alone (``Rates/peakByChance``).
  static let window = 60
  static let maxOverMean = 3.0

  let simulation: Simulation
  let rates: Rates

  init(_ simulation: Simulation) {
    self.simulation = simulation
    rates = Rates(simulation.ledger)
  }

  /// What is wrong; empty where the limits hold.
  var breaches: [String] {
    let ledger = simulation.ledger
    var breaches: [String] = []
    if ledger.promised.short > 0 { breaches.append("\(ledger.promised.short) programs got less than 15 minutes") }
    if ledger.promised.refused > 0 {
      breaches.append("\(ledger.promised.refused) programs got nothing though STS could be reached")
    }
    let fetches = ledger.promisedFetches
    if fetches.short > 0 { breaches.append("\(fetches.short) served programs got less than 15 minutes") }
    if fetches.refused > 0 { breaches.append("\(fetches.refused) served programs got nothing though STS could be reached") }
    if rates.peak(over: Self.window) > Self.maxOverMean * rates.mean { breaches.append("the peak is over 3 times the mean") }
    return breaches
  }

  var text: String {
    let ledger = simulation.ledger
    let options = simulation.options
    var lines = [
      "\(options.laptops) laptops, \(options.sessions) sessions each, \(options.days) days, seed \(options.seed)",
      "  suspends \(ledger.suspends), sign-ins \(ledger.ssoSessions); for all at once: \(simulation.weather.network.count) network outages,"
        + " \(simulation.weather.service.count) STS outages, \(simulation.weather.crowd.count) spells of throttling",
      "",
      "Programs that asked, identity valid and STS reachable: \(Self.words(ledger.promised))",
      "Programs that asked, throttled in all of three tries:  \(Self.words(ledger.throttled))",
      "Programs that asked at other times:                    \(Self.words(ledger.others))",
      "Served programs that fetched, STS reachable:           \(Self.words(ledger.promisedFetches))",
      "Served programs that fetched, throttled meanwhile:      \(Self.words(ledger.throttledFetches))",
      "Served programs that fetched at other times:           \(Self.words(ledger.otherFetches))",
      "",
      "Calls to STS: \(rates.total), of them throttled \(ledger.rejections), failed in outages \(ledger.failed)",
      "Mean: \(Self.two(rates.mean)) a second, over the \(rates.awakeSeconds / 3_600) hours in which any laptop was awake",
    ]
    for window in [1, 10, 60, 600] {
      let peak = rates.peak(over: window)
      lines.append("Peak over any \(window) s: \(Self.two(peak)) a second, \(Self.two(peak / rates.mean)) times the mean")
    }
    lines.append("  (in 1 s, a Poisson process of this mean comes to \(rates.peakByChance))")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func words(_ deliveries: Ledger.Deliveries) -> String {
    guard deliveries.count > 0 else { return "none; \(deliveries.refused) got nothing" }
    let least = "\(deliveries.shortest / 60_000) min \(deliveries.shortest / 1_000 % 60) s"
    return "\(deliveries.count), shortest life \(least), under 15 min \(deliveries.short), got nothing \(deliveries.refused)"
  }

  static func two(_ number: Double) -> String {
    let hundredths = Int((number * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
}
