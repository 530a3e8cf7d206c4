import Synchronization
import VaultModel

/// Detects profiles that wait for themselves: a program that a profile names asks the vault for that profile, directly or through
/// others.
///
/// A program is told for which profiles it runs (``profileChainVariable``, as `_AWS_CLI_PROFILE_CHAIN` of the AWS CLI), and its
/// request repeats that. A circle can also arise when two programs each wait for the profile that the other one's request is for,
/// so this also records what programs wait for.
final class ProgramWaits: Sendable {
  private struct State {
    /// The number of programs that run for each profile.
    var running: [String: Int] = [:]
    /// The requests of programs: the profile that names the program, and the profiles that the request needs.
    var asked: [Int: (by: String, needs: Set<String>)] = [:]
    var next = 0
    /// The circles found, keyed by the profiles whose programs fail because of them.
    var circles: [String: [String]] = [:]
  }
  private let state = Mutex(State())

  /// Records a request, until ``end(_:)``.
  ///
  /// - Parameters:
  ///   - chain: the profiles whose programs wait for it, the outermost first.
  ///   - needs: the profiles through which `profile` is reached, including itself.
  /// - Returns: nil if no program waits for it.
  /// - Throws: `AgentError.circle`.
  func begin(_ profile: String, chain: [String], needs: Set<String>) throws(AgentError) -> Int? {
    try state.withLock { state throws(AgentError) in
      // A chain may be from another agent, or from a program that was left behind.
      guard let by = chain.last, state.running[by] != nil else { return nil }
      let chain = chain.filter { state.running[$0] != nil }
      if let circle = Self.circle(profile, chain: chain, needs: needs, in: state) {
        for one in chain + circle { state.circles[one] = circle }
        throw .circle(profiles: circle)
      }
      state.next += 1
      state.asked[state.next] = (by, needs)
      return state.next
    }
  }

  func end(_ request: Int?) {
    guard let request else { return }
    state.withLock { $0.asked[request] = nil }
  }

  private static func circle(_ profile: String, chain: [String], needs: Set<String>, in state: State) -> [String]? {
    if let first = chain.firstIndex(where: { needs.contains($0) }) {
      return chain[first...] + (chain[first] == profile ? [] : [profile]) + [chain[first]]
    }
    guard let by = chain.last else { return nil }
    var ways = needs.sorted().map { [profile] + ($0 == profile ? [] : [$0]) }
    var seen = needs
    while let way = ways.popLast() {
      for (from, others) in state.asked.values where from == way.last {
        if others.contains(by) { return [by] + way + [by] }
        for other in others.sorted() where seen.insert(other).inserted { ways.append(way + [other]) }
      }
    }
    return nil
  }

  /// Runs a profile's program. If it fails because of a circle found meanwhile, the circle is the error.
  func run<Result>(for profile: String, _ body: () async throws -> Result) async throws -> Result {
    state.withLock { state in
      state.running[profile, default: 0] += 1
      if state.running[profile] == 1 { state.circles[profile] = nil }
    }
    defer {
      state.withLock { state in
        state.running[profile, default: 1] -= 1
        guard state.running[profile] == 0 else { return }
        state.running[profile] = nil
        state.circles[profile] = nil
      }
    }
    do { return try await body() } catch let error as ProgramError {
      if case .failed = error, let circle = state.withLock({ $0.circles[profile] }) { throw AgentError.circle(profiles: circle) }
      throw error
    }
  }
}
