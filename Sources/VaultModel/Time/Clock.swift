import Glibc

/// The wall clock; tests replace it with virtual time.
public protocol WallClock: Sendable {
  func now() -> Timestamp
  /// Returns when the wall clock has passed `moment`, even across a suspend; throws if the task is cancelled.
  func sleep(until moment: Timestamp) async throws
}

/// The machine's clock (`CLOCK_REALTIME`).
public struct SystemClock: WallClock {
  public init() {}

  public func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }

  public func sleep(until moment: Timestamp) async throws {
    while true {
      let left = moment.since(now())
      if left <= 0 { return }
      try await Task.sleep(for: .milliseconds(left))
    }
  }
}

/// Nanoseconds since some moment in the past, by a clock that nobody sets (`CLOCK_MONOTONIC`).
public func monotonicNanoseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
