import Synchronization

/// How many questions may be under way: halved when a service asks to slow down.
final class Pace: Sendable {
  private let most: Mutex<Int>

  init(most: Int) { self.most = Mutex(most) }

  var current: Int { most.withLock { $0 } }
  func slowDown() { most.withLock { $0 = max(1, $0 / 2) } }
}
