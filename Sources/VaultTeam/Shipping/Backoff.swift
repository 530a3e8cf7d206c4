import Glibc

/// Retries with full jitter (Brooker, "Exponential Backoff And Jitter"), so that a team's laptops do not reconnect in step.
struct Backoff {
  private static let base: Int64 = 200
  private static let maxDelay: Int64 = 10_000
  /// The number of consecutive failures without progress after which to give up.
  private let maximum: Int
  private var failures = 0

  init(maximum: Int) { self.maximum = maximum }

  mutating func gained() { failures = 0 }

  /// Waits; returns false if there are no retries left.
  mutating func wait() -> Bool {
    failures += 1
    guard failures < maximum else { return false }
    let cap = min(Self.maxDelay, Self.base << Int64(min(failures - 1, 10)))
    usleep(UInt32(Int64.random(in: 0...cap)) * 1_000)
    return true
  }
}
