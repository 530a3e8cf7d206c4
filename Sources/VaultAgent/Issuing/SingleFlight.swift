import Synchronization
import VaultModel
import VaultSecrets

/// One piece of work for however many want its result, and one prompt for all of them.
///
/// A question goes to the first waiter that can answer; where that one leaves (Ctrl-C), to the next, and where it stays and is silent, to
/// the next as well after a while. The first answer counts. The work itself goes on when a waiter leaves, since what it brings is kept; work that is a person's alone ends with the last one that waits for it.
final class SingleFlight<Value: Sendable>: Prompter {
  private struct State {
    var waiters: [any Prompter] = []
    /// How many have left.
    var left = 0
    var task: Task<Value, any Error>?
    /// Shown to those who join later, too.
    var page: SignInPage?
    /// How many of them were asked the last question that nobody could answer; nil where there is none.
    var refusedBy: Int?
  }
  private let state: Mutex<State>
  private let endsAlone: Bool
  private let clock: any WallClock
  /// After how many seconds without an answer the next one is asked as well.
  static var timeouts: Int64 { 30 }
  /// How often, until the question is given up.
  static var turns: Int { 20 }

  /// - Parameters:
  ///   - first: waits from before the work begins, so that there is somebody to ask from its first moment on.
  ///   - endsAlone: whether the work ends where nobody waits for it any more.
  init(_ first: any Prompter, endsAlone: Bool = false, clock: any WallClock) {
    state = Mutex(State(waiters: [first]))
    self.endsAlone = endsAlone
    self.clock = clock
  }

  /// Whether anybody who waits can be asked.
  var isInteractive: Bool { state.withLock { $0.waiters }.contains { $0.isInteractive } }

  /// How many wait.
  var waiting: Int { state.withLock { $0.waiters.count } }

  /// Starts the work. Call it once, before ``value()``.
  func start(_ work: @escaping @Sendable (SingleFlight<Value>) async throws -> Value) {
    // A task inherits what is local to the one that makes it: the environment is the first asker's.
    let task = Task(executorPreference: AgentExecutor.current) {
      try await CurrentPrompter.$value.withValue(self) { try await work(self) }
    }
    state.withLock { $0.task = task }
  }

  /// Waits with the others from now on.
  ///
  /// - Returns: the place among them; nil where all others have left, and the work with them.
  func join(_ prompter: any Prompter) -> Int? {
    let (place, page) = state.withLock { state -> (Int?, SignInPage?) in
      if endsAlone, state.left == state.waiters.count { return (nil, nil) }
      state.waiters.append(prompter)
      return (state.waiters.count - 1, state.page)
    }
    if let page { prompter.show(page) }
    return place
  }

  /// Whether the work ended for want of an answer before the one at this place could be asked.
  func hasPassedOver(_ place: Int) -> Bool { state.withLock { $0.refusedBy.map { $0 <= place } ?? false } }

  /// The result, for one who waits.
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

  /// - Throws: what the last one who was asked said; `AgentError.unanswered` after ten minutes.
  func ask(_ question: Question) async throws -> SecretBytes {
    try await withThrowingTaskGroup(of: Heard.self) { group in
      defer { group.cancelAll() }
      var (asked, open, silences) = (0, 0, 0)
      func askNext(_ group: inout ThrowingTaskGroup<Heard, any Error>) {
        // Those who join while one is being asked come after it.
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

/// The flights that are under way, by what they are for.
actor SingleFlightGroup<Value: Sendable> {
  private let clock: any WallClock
  private var underWay: [String: SingleFlight<Value>] = [:]

  init(clock: any WallClock) { self.clock = clock }

  /// The result of `work`, which runs once for all who ask for `key` before it ends.
  ///
  /// - Parameter endsAlone: whether the work is cancelled where all who asked for it have left.
  func share(
    _ key: String, for prompter: any Prompter, endsAlone: Bool = false,
    _ work: @escaping @Sendable (any Prompter) async throws -> Value
  ) async throws -> Value {
    while let singleFlight = underWay[key], let place = singleFlight.join(prompter) {
      do {
        return try await singleFlight.value()
      } catch {
        // Whoever was asked left or had no answer, and this one came a moment too late to be asked.
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

  /// How many wait for `key`.
  func waiting(_ key: String) -> Int { underWay[key]?.waiting ?? 0 }

  private func land(_ key: String, _ singleFlight: SingleFlight<Value>) {
    // Another may have begun since all left this one.
    if underWay[key] === singleFlight { underWay[key] = nil }
  }
}
