import Synchronization
import VaultModel
import VaultSecrets

/// Coalesces concurrent requests for the same work (single flight); all waiters share one prompt.
///
/// A question goes to the first waiter that can answer. If that waiter leaves (Ctrl-C), it goes to the next; if it does not answer
/// for a while, to the next as well. The first answer counts. The work continues when a waiter leaves, since its result is stored;
/// work for one person alone ends with its last waiter.
final class SingleFlight<Value: Sendable>: Prompter {
  private struct State {
    var waiters: [any Prompter] = []
    /// The number of waiters that have left.
    var left = 0
    var task: Task<Value, any Error>?
    /// Also shown to waiters that join later.
    var page: SignInPage?
    /// The number of waiters that were asked the last question that nobody could answer; nil if there is none.
    var refusedBy: Int?
  }
  private let state: Mutex<State>
  private let endsAlone: Bool
  private let clock: any WallClock
  /// Seconds without an answer after which the next waiter is asked as well.
  static var timeouts: Int64 { 30 }
  /// The number of such periods after which the question is given up.
  static var turns: Int { 20 }

  /// - Parameters:
  ///   - first: waits from before the work begins, so that somebody can be asked from the start.
  ///   - endsAlone: whether the work ends when nobody waits for it any more.
  init(_ first: any Prompter, endsAlone: Bool = false, clock: any WallClock) {
    state = Mutex(State(waiters: [first]))
    self.endsAlone = endsAlone
    self.clock = clock
  }

  /// Whether any waiter can be asked.
  var isInteractive: Bool { state.withLock { $0.waiters }.contains { $0.isInteractive } }

  /// The number of waiters.
  var waiting: Int { state.withLock { $0.waiters.count } }

  /// Starts the work. Call it once, before ``value()``.
  func start(_ work: @escaping @Sendable (SingleFlight<Value>) async throws -> Value) {
    // A task inherits its creator's task-local values: the environment is the first requester's.
    let task = Task(executorPreference: AgentExecutor.current) {
      try await CurrentPrompter.$value.withValue(self) { try await work(self) }
    }
    state.withLock { $0.task = task }
  }

  /// Adds a waiter.
  ///
  /// - Returns: its position; nil if all others have left, and the work has ended with them.
  func join(_ prompter: any Prompter) -> Int? {
    let (place, page) = state.withLock { state -> (Int?, SignInPage?) in
      if endsAlone, state.left == state.waiters.count { return (nil, nil) }
      state.waiters.append(prompter)
      return (state.waiters.count - 1, state.page)
    }
    if let page { prompter.show(page) }
    return place
  }

  /// Whether the work ended without an answer before the waiter at this position could be asked.
  func hasPassedOver(_ place: Int) -> Bool { state.withLock { $0.refusedBy.map { $0 <= place } ?? false } }

  /// The result, for one waiter.
  func value() async throws -> Value {
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

  private enum Heard {
    case answer(SecretBytes)
    case nothing(any Error)
    case silence
  }

  /// - Throws: the error of the last waiter that was asked; `AgentError.unanswered` after ten minutes.
  func ask(_ question: Question) async throws -> SecretBytes {
    try await withThrowingTaskGroup(of: Heard.self) { group in
      defer { group.cancelAll() }
      var (asked, open, silences) = (0, 0, 0)
      func askNext(_ group: inout ThrowingTaskGroup<Heard, any Error>) {
        // Waiters that join during a question come after it.
        guard let next = state.withLock({ asked < $0.waiters.count ? $0.waiters[asked] : nil }) else { return }
        (asked, open) = (asked + 1, open + 1)
        group.addTask { do { return .answer(try await next.ask(question)) } catch { return .nothing(error) } }
      }
      func wait(_ group: inout ThrowingTaskGroup<Heard, any Error>) {
        group.addTask { [clock] in
          try await clock.sleep(until: clock.now().adding(seconds: Self.timeouts))
          return .silence
        }
      }
      askNext(&group)
      wait(&group)
      while let heard = try await group.next() {
        switch heard {
        case .answer(let secret): return secret
        case .nothing(let error):
          open -= 1
          if open == 0 { askNext(&group) }
          if open == 0 {
            state.withLock { [asked] in $0.refusedBy = asked }
            throw error
          }
        case .silence:
          silences += 1
          if silences == Self.turns { throw AgentError.unanswered(question: question.text) }
          askNext(&group)
          wait(&group)
        }
      }
      throw AgentError.nobodyToAsk(question: question.text)
    }
  }

  func notice(_ text: String) { state.withLock { $0.waiters }.first?.notice(text) }
  func show(_ page: SignInPage) {
    let waiters = state.withLock {
      $0.page = page
      return $0.waiters
    }
    for waiter in waiters { waiter.show(page) }
  }
  func progress(_ text: String) { for waiter in state.withLock({ $0.waiters }) { waiter.progress(text) } }
}

/// The running flights, by key.
actor SingleFlightGroup<Value: Sendable> {
  private let clock: any WallClock
  private var underWay: [String: SingleFlight<Value>] = [:]

  init(clock: any WallClock) { self.clock = clock }

  /// The result of `work`, which runs once for all requests for `key` before it ends.
  ///
  /// - Parameter endsAlone: whether the work is cancelled when all waiters have left.
  func share(
    _ key: String, for prompter: any Prompter, endsAlone: Bool = false,
    _ work: @escaping @Sendable (any Prompter) async throws -> Value
  ) async throws -> Value {
    while let singleFlight = underWay[key], let place = singleFlight.join(prompter) {
      do {
        return try await singleFlight.value()
      } catch {
        // The waiters that were asked left or had no answer, and this one came too late to be asked.
        guard singleFlight.hasPassedOver(place), !Task.isCancelled else { throw error }
      }
    }
    let singleFlight = SingleFlight<Value>(prompter, endsAlone: endsAlone, clock: clock)
    underWay[key] = singleFlight
    singleFlight.start { singleFlight in
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
  func waiting(_ key: String) -> Int { underWay[key]?.waiting ?? 0 }

  private func land(_ key: String, _ singleFlight: SingleFlight<Value>) {
    // Another flight may have begun since all waiters left this one.
    if underWay[key] === singleFlight { underWay[key] = nil }
  }
}
