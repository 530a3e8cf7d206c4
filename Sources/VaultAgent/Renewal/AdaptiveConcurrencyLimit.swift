import Synchronization

/// Limits concurrent calls: the limit is halved when a service throttles, and grows with successes, by one for each round of them
/// (as in TCP, RFC 5681, 3.1).
final class AdaptiveConcurrencyLimit: Sendable {
  private let maximum: Double
  private let now: Mutex<Double>

  init(maximum: Int) {
    self.maximum = Double(maximum)
    now = Mutex(Double(maximum))
  }

  var current: Int { now.withLock { Int($0) } }
  func slowDown() { now.withLock { $0 = max(1, $0 / 2) } }
  func recover() { now.withLock { $0 = min(maximum, $0 + 1 / $0) } }
}
