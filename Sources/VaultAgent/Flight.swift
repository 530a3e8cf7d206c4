import Synchronization
import VaultModel
import VaultSecrets

/// One piece of work for however many want its result, and one prompt for all of them.
///
/// A question goes to the first waiter that can answer; where that one leaves (Ctrl-C), to the next. The work itself goes on when a
/// waiter leaves, since what it brings is kept; work that is a person's alone ends with the last one that waits for it.
final class Flight<Value: Sendable>: Prompter {
  private struct State {
    var waiters: [any Prompter] = []
    /// How many have left.
    var left = 0
    var task: Task<Value, any Error>?
    /// Shown to those who join later, too.
    var page: SignInPage?
  }
  private let state: Mutex<State>
  private let endsAlone: Bool

  /// - Parameters:
  ///   - first: waits from before the work begins, so that there is somebody to ask from its first moment on.
  ///   - endsAlone: whether the work ends where nobody waits for it any more.
  init(_ first: any Prompter, endsAlone: Bool = false) {
    state = Mutex(State(waiters: [first]))
    self.endsAlone = endsAlone
  }

  /// How many wait.
  var waiting: Int { state.withLock { $0.waiters.count } }

  /// Starts the work. Call it once, before ``value()``.
  func start(_ work: @escaping @Sendable (Flight<Value>) async throws -> Value) {
    // A task inherits what is local to the one that makes it: the environment is the first asker's.
    let task = Task(executorPreference: AgentLane.current) {
      try await CurrentPrompter.$value.withValue(self) { try await work(self) }
    }
    state.withLock { $0.task = task }
  }

  /// Waits with the others from now on.
  ///
  /// - Returns: false where all others have left, and the work with them.
  func join(_ prompter: any Prompter) -> Bool {
    let (isJoined, page) = state.withLock { state in
      if endsAlone, state.left == state.waiters.count { return (false, SignInPage?.none) }
      state.waiters.append(prompter)
      return (true, state.page)
    }
    if let page { prompter.show(page) }
    return isJoined
  }

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

  func ask(_ question: Question) async throws -> SecretBytes {
    var asked = 0
    var last: any Error = AgentError.nobodyToAsk(question: question.text)
    // Those who join while one is being asked come after it.
    while let next = state.withLock({ asked < $0.waiters.count ? $0.waiters[asked] : nil }) {
      do { return try await next.ask(question) } catch { last = error }
      asked += 1
    }
    throw last
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
actor Flights<Value: Sendable> {
  private var underWay: [String: Flight<Value>] = [:]

  /// The result of `work`, which runs once for all who ask for `key` before it ends.
  ///
  /// - Parameter endsAlone: whether the work is cancelled where all who asked for it have left.
  func share(
    _ key: String, for prompter: any Prompter, endsAlone: Bool = false,
    _ work: @escaping @Sendable (any Prompter) async throws -> Value
  ) async throws -> Value {
    if let flight = underWay[key], flight.join(prompter) { return try await flight.value() }
    let flight = Flight<Value>(prompter, endsAlone: endsAlone)
    underWay[key] = flight
    flight.start { flight in
      do {
        let value = try await work(flight)
        await self.land(key, flight)
        return value
      } catch {
        await self.land(key, flight)
        throw error
      }
    }
    return try await flight.value()
  }

  /// How many wait for `key`.
  func waiting(_ key: String) -> Int { underWay[key]?.waiting ?? 0 }

  private func land(_ key: String, _ flight: Flight<Value>) {
    // Another may have begun since all left this one.
    if underWay[key] === flight { underWay[key] = nil }
  }
}
