import Synchronization
import VaultModel

/// A clock that stands still until the test moves it.
public final class FakeClock: WallClock {
  private struct Sleeper {
    let moment: Timestamp
    let id: Int
    let wake: CheckedContinuation<Void, any Error>
  }
  private struct State {
    var now: Timestamp
    var sleepers: [Sleeper] = []
    var cancelled: Set<Int> = []
    var nextID = 0
  }
  private let state: Mutex<State>

  /// Starts at 2026-11-23T12:00:00Z unless told otherwise.
  public init(_ start: Timestamp = Timestamp(seconds: 1_795_435_200)) {
    state = Mutex(State(now: start))
  }

  public func now() -> Timestamp { state.withLock { $0.now } }

  /// How many wait for a moment to come.
  public var sleeping: Int { state.withLock { $0.sleepers.count } }

  /// Moves the clock, forward or back, and wakes whom it passes.
  public func advance(seconds: Int64) {
    let due = state.withLock { state in
      state.now = state.now.adding(seconds: seconds)
      let now = state.now
      let due = state.sleepers.filter { $0.moment <= now }
      state.sleepers.removeAll { $0.moment <= now }
      return due
    }
    for sleeper in due { sleeper.wake.resume() }
  }

  public func sleep(until moment: Timestamp) async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
        enum Outcome { case wait, passed, cancelled }
        let outcome: Outcome = state.withLock { state in
          if state.cancelled.remove(id) != nil { return .cancelled }
          if moment <= state.now { return .passed }
          state.sleepers.append(Sleeper(moment: moment, id: id, wake: wake))
          return .wait
        }
        switch outcome {
        case .wait: break
        case .passed: wake.resume()
        case .cancelled: wake.resume(throwing: CancellationError())
        }
      }
    } onCancel: {
      let sleeper = state.withLock { state -> Sleeper? in
        guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
          state.cancelled.insert(id)
          return nil
        }
        return state.sleepers.remove(at: index)
      }
      sleeper?.wake.resume(throwing: CancellationError())
    }
  }
}
