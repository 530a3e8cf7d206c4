import Glibc

/// How fast STS was called.
struct Rates {
  /// Calls a second over all seconds in which a laptop was awake.
  let mean: Double
  let total: Int
  let awakeSeconds: Int
  private let calls: [Int32]

  init(_ ledger: Ledger) {
    calls = ledger.calls
    total = calls.reduce(0) { $0 + Int($1) }
    awakeSeconds = ledger.awake.count { $0 }
    mean = Double(total) / Double(max(1, awakeSeconds))
  }

  /// The most calls a second over any stretch of so many seconds.
  func peak(over window: Int) -> Double {
    var sum = 0
    var maximum = 0
    for second in calls.indices {
      sum += Int(calls[second])
      if second >= window { sum -= Int(calls[second - window]) }
      maximum = max(maximum, sum)
    }
    return Double(maximum) / Double(window)
  }

  /// Calls a second over stretches of so many seconds, one after the other.
  func course(every window: Int) -> [Double] {
    stride(from: 0, to: calls.count, by: window).map { first in
      let stretch = calls[first..<min(calls.count, first + window)]
      return Double(stretch.reduce(0, +)) / Double(stretch.count)
    }
  }

  /// The most calls in one second that as many calls would come to by chance alone, if nothing held any two of them together: the number
  /// that a Poisson process of this mean is likelier than not to stay within for so long.
  var peakByChance: Int {
    var term = exp(-mean)
    var sum = term
    var maximum = 0
    while sum < 1 - 0.5 / Double(max(1, awakeSeconds)), maximum < 10_000 {
      maximum += 1
      term *= mean / Double(maximum)
      sum += term
    }
    return maximum
  }
}
