import CSystem
import Glibc
import Synchronization
import VaultConcurrency
import VaultModel

/// The machine's wall clock, with alarms that also fire after a suspend and when the clock is set (`timerfd_create(2)`,
/// `TFD_TIMER_CANCEL_ON_SET`). Nothing wakes up in between.
final class AlarmClock: WallClock {
  private struct Sleeper {
    let moment: Timestamp
    let wake: CheckedContinuation<Void, any Error>
  }
  private struct State {
    var sleepers: [Int: Sleeper] = [:]
    var cancelled: Set<Int> = []
    var next = 0
    var isWatched = false
  }
  private let state = Mutex(State())
  private let alarm: Int32

  init() throws(AgentError) {
    alarm = sys_alarm_create()
    guard alarm >= 0 else { throw .system(what: "make an alarm", code: sys_errno()) }
  }

  func now() -> Timestamp { SystemClock().now() }

  func sleep(until moment: Timestamp) async throws {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
        let isCancelled = state.withLock { state in
          if state.cancelled.remove(id) != nil { return true }
          state.sleepers[id] = Sleeper(moment: moment, wake: wake)
          if !state.isWatched {
            state.isWatched = true
            _ = BlockingPool.shared.begin { [self] in watch() }
          }
          return false
        }
        if isCancelled { wake.resume(throwing: CancellationError()) } else { settle() }
      }
    } onCancel: {
      let sleeper = state.withLock { state -> Sleeper? in
        guard let sleeper = state.sleepers.removeValue(forKey: id) else {
          state.cancelled.insert(id)
          return nil
        }
        return sleeper
      }
      sleeper?.wake.resume(throwing: CancellationError())
    }
  }

  private func watch() { while sys_alarm_wait(alarm) == 0 { settle() } }

  /// Resumes the sleepers that are due, and sets the alarm for the next one.
  private func settle() {
    let now = now()
    let due = state.withLock { state in
      let due = state.sleepers.filter { $0.value.moment <= now }
      for id in due.keys { state.sleepers[id] = nil }
      if let next = state.sleepers.values.map(\.moment).min() { _ = sys_alarm_set(alarm, next.milliseconds) }
      return due.values
    }
    for sleeper in due { sleeper.wake.resume() }
  }
}
