import Synchronization

/// How many questions may be under way: halved when a service asks to slow down, and won back by successes.
final class Pace: Sendable {
  private let most: Int
  private let now: Mutex<Int>

  init(most: Int) {
    self.most = most
    now = Mutex(most)
  }

  var current: Int { now.withLock { $0 } }
  func slowDown() { now.withLock { $0 = max(1, $0 / 2) } }
  func recover() { now.withLock { $0 = min(most, $0 + 1) } }
}
