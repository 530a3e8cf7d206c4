import Synchronization
import VaultModel

/// One piece of work for all who want its result before it ends.
///
/// The work can ask its waiters something. A question goes to the first that can answer. If that waiter leaves (Ctrl-C), it goes to
/// the next; if it does not answer for a while, to the next as well. The first answer counts. The work continues when a waiter
/// leaves, since its result is stored; work for one person alone ends with its last waiter.
package final class SingleFlight<Waiter: Sendable, Value: Sendable>: Sendable {
  private struct State {
    var waiters: [Waiter] = []
    /// The number of waiters that have left.
    var left = 0
    var task: Task<Value, any Error>?
    /// News for the waiters, told to those that join later, too.
    var news: (@Sendable (Waiter) -> Void)?
    /// The number of waiters that were asked the last question that nobody could answer; nil if there is none.
    var refusedBy: Int?
  }
  private let state: Mutex<State>
  private let endsAlone: Bool
  private let clock: any WallClock
  /// Seconds without an answer after which the next waiter is asked as well.
  package static var timeouts: Int64 { 30 }
  /// The number of such periods after which the question is given up.
  package static var turns: Int { 20 }

  /// - Parameters:
  ///   - first: waits from before the work begins, so that somebody can be asked from the start.
  ///   - endsAlone: whether the work ends when nobody waits for it any more.
  package init(_ first: Waiter, endsAlone: Bool = false, clock: any WallClock) {
    state = Mutex(State(waiters: [first]))
    self.endsAlone = endsAlone
    self.clock = clock
  }

  /// All who wait or have waited, in the order in which they came.
  package var waiters: [Waiter] { state.withLock { $0.waiters } }

  /// Starts the work. Call it once, before ``value()``.
  package func start(
    on lane: (any TaskExecutor)? = nil, _ work: @escaping @Sendable (SingleFlight<Waiter, Value>) async throws -> Value
  ) {
    // A task inherits its creator's task-local values: the environment is the first requester's.
    let task = Task(executorPreference: lane) { try await work(self) }
    state.withLock { $0.task = task }
  }

  /// Adds a waiter.
  ///
  /// - Returns: its position; nil if all others have left, and the work has ended with them.
  package func join(_ waiter: Waiter) -> Int? {
    let (place, news) = state.withLock { state -> (Int?, (@Sendable (Waiter) -> Void)?) in
      if endsAlone, state.left == state.waiters.count { return (nil, nil) }
      state.waiters.append(waiter)
      return (state.waiters.count - 1, state.news)
    }
    news?(waiter)
    return place
  }

  /// Whether the work ended without an answer before the waiter at this position could be asked.
  func hasPassedOver(_ place: Int) -> Bool { state.withLock { $0.refusedBy.map { $0 <= place } ?? false } }

  /// The result, for one waiter.
  package func value() async throws -> Value {
    guard let task = state.withLock({ $0.task }) else { throw CancellationError() }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      let isAlone = state.withLock { state in
        state.left += 1
        return state.left == state.waiters.count
      }
      if isAlone, endsAlone { task.cancel() }
    }
  }

  /// Tells all waiters something, and those that join later.
  package func tell(_ news: @escaping @Sendable (Waiter) -> Void) {
    let waiters = state.withLock {
      $0.news = news
      return $0.waiters
    }
    for waiter in waiters { news(waiter) }
  }

  private enum Heard<Answer: Sendable> {
    case answer(Answer)
    case nothing(any Error)
    case silence
  }

  /// The first answer of a waiter.
  ///
  /// - Throws: the error of the last waiter that was asked; `unanswered` after ten minutes.
  package func ask<Answer: Sendable>(
    unanswered: any Error, _ question: @escaping @Sendable (Waiter) async throws -> Answer
  ) async throws -> Answer {
    try await withThrowingTaskGroup(of: Heard<Answer>.self) { group in
      defer { group.cancelAll() }
      var (asked, open, silences) = (0, 0, 0)
      func askNext(_ group: inout ThrowingTaskGroup<Heard<Answer>, any Error>) {
        // Waiters that join during a question come after it.
        guard let next = state.withLock({ asked < $0.waiters.count ? $0.waiters[asked] : nil }) else { return }
        (asked, open) = (asked + 1, open + 1)
        group.addTask { do { return .answer(try await question(next)) } catch { return .nothing(error) } }
      }
      func wait(_ group: inout ThrowingTaskGroup<Heard<Answer>, any Error>) {
        group.addTask { [clock] in
          try await clock.sleep(until: clock.now().adding(seconds: Self.timeouts))
          return .silence
        }
      }
      askNext(&group)
      wait(&group)
      while let heard = try await group.next() {
        switch heard {
        case .answer(let answer): return answer
        case .nothing(let error):
          open -= 1
          if open == 0 { askNext(&group) }
          if open == 0 {
            state.withLock { [asked] in $0.refusedBy = asked }
            throw error
          }
        case .silence:
          silences += 1
          if silences == Self.turns { throw unanswered }
          askNext(&group)
          wait(&group)
        }
      }
      throw unanswered
    }
  }
}

/// The running flights, by key.
package actor SingleFlightGroup<Waiter: Sendable, Value: Sendable> {
  private let clock: any WallClock
  private var underWay: [String: SingleFlight<Waiter, Value>] = [:]

  package init(clock: any WallClock) { self.clock = clock }

  /// The result of `work`, which runs once for all requests for `key` before it ends.
  ///
  /// - Parameters:
  ///   - endsAlone: whether the work is cancelled when all waiters have left.
  ///   - lane: the work's executor; nil for the standard one.
  package func share(
    _ key: String, by waiter: Waiter, endsAlone: Bool, on lane: (any TaskExecutor)?,
    _ work: @escaping @Sendable (SingleFlight<Waiter, Value>) async throws -> Value
  ) async throws -> Value {
    while let singleFlight = underWay[key], let place = singleFlight.join(waiter) {
      do {
        return try await singleFlight.value()
      } catch {
        // The waiters that were asked left or had no answer, and this one came too late to be asked.
        guard singleFlight.hasPassedOver(place), !Task.isCancelled else { throw error }
      }
    }
    let singleFlight = SingleFlight<Waiter, Value>(waiter, endsAlone: endsAlone, clock: clock)
    underWay[key] = singleFlight
    singleFlight.start(on: lane) { singleFlight in
      do {
        let value = try await work(singleFlight)
        await self.land(key, singleFlight)
        return value
      } catch {
        await self.land(key, singleFlight)
        throw error
      }
    }
    return try await singleFlight.value()
  }

  /// The number of waiters for `key`.
  package func waiting(_ key: String) -> Int { underWay[key]?.waiters.count ?? 0 }

  private func land(_ key: String, _ singleFlight: SingleFlight<Waiter, Value>) {
    // Another flight may have begun since all waiters left this one.
    if underWay[key] === singleFlight { underWay[key] = nil }
  }
}
