import Synchronization
import VaultModel

/// Finds profiles that wait for themselves: a program that a profile names asks the vault for that profile, itself or over others.
///
/// A program is told for which profiles it runs (``profileChainVariable``, as `_AWS_CLI_PROFILE_CHAIN` of the AWS CLI), and its request says so. Two circles can
/// also close each other where each of two programs waits for what the other one's profile is being given; so it counts too what programs
/// wait for.
final class ProgramWaits: Sendable {
  private struct State {
    /// How many programs run for a profile.
    var running: [String: Int] = [:]
    /// What programs have asked for: the profile whose program it is, and the profiles that it needs.
    var asked: [Int: (by: String, needs: Set<String>)] = [:]
    var next = 0
    /// The circles that were found, by the profiles whose programs fail because of them.
    var circles: [String: [String]] = [:]
  }
  private let state = Mutex(State())

  /// A request begins, and ``end(_:)`` ends it.
  ///
  /// - Parameters:
  ///   - chain: the profiles whose programs wait for it, the outermost first.
  ///   - needs: the profiles over which `profile` is reached, itself among them.
  /// - Returns: nil where no program waits for it.
  /// - Throws: `AgentError.circle`.
  func begin(_ profile: String, chain: [String], needs: Set<String>) throws(AgentError) -> Int? {
    try state.withLock { state throws(AgentError) in
      // A chain may be another agent's, or of a program that was left behind.
      guard let by = chain.last, state.running[by] != nil else { return nil }
      let chain = chain.filter { state.running[$0] != nil }
      if let circle = Self.circle(profile, chain, needs, state) {
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

  private static func circle(_ profile: String, _ chain: [String], _ needs: Set<String>, _ state: State) -> [String]? {
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

  /// Runs a profile's program. Where it fails because of a circle that was found meanwhile, that is what is told.
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
