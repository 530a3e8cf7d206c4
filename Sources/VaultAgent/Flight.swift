import Synchronization
import VaultModel
import VaultSecrets

/// One piece of work for however many want its result, and one prompt for all of them.
///
/// A question goes to the first waiter that can answer; where that one leaves (Ctrl-C), to the next. The work itself goes on when a
/// waiter leaves, since what it brings is kept.
final class Flight<Value: Sendable>: Prompter {
  private struct State {
    var waiters: [any Prompter] = []
    var task: Task<Value, any Error>?
    /// Shown to those who join later, too.
    var page: SignInPage?
  }
  private let state: Mutex<State>

  /// - Parameter first: waits from before the work begins, so that there is somebody to ask from its first moment on.
  init(_ first: any Prompter) {
    state = Mutex(State(waiters: [first]))
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

  /// Waits for the result with the others.
  func join(_ prompter: any Prompter) async throws -> Value {
    let page = state.withLock {
      $0.waiters.append(prompter)
      return $0.page
    }
    if let page { prompter.show(page) }
    return try await value()
  }

  /// The result, for who began it.
  func value() async throws -> Value {
    guard let task = state.withLock({ $0.task }) else { throw CancellationError() }
    return try await task.value
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
  func share(_ key: String, for prompter: any Prompter, _ work: @escaping @Sendable (any Prompter) async throws -> Value)
    async throws -> Value
  {
    if let flight = underWay[key] { return try await flight.join(prompter) }
    let flight = Flight<Value>(prompter)
    underWay[key] = flight
    flight.start { flight in
      do {
        let value = try await work(flight)
        await self.land(key)
        return value
      } catch {
        await self.land(key)
        throw error
      }
    }
    return try await flight.value()
  }

  /// How many wait for `key`.
  func waiting(_ key: String) -> Int { underWay[key]?.waiting ?? 0 }

  private func land(_ key: String) { underWay[key] = nil }
}
