import CSystem
import Synchronization
import VaultModel

/// Keeps processes that act by themselves from the tokens of other programs, which they may have inherited or read.
///
/// Without a tree it does nothing. While one lives, each connection is looked at once: the kernel names its socket (sock_diag(7)), and the
/// descriptors in `/proc` the processes that hold that.
final class EndpointFence: Sendable {
  private enum Caller {
    case member(AutomationTree, pid: Int32)
    case outside
    /// Only processes whose descriptors cannot be read may hold the socket, and one of them belongs to a tree.
    case unknown(AutomationTree, pid: Int32)
  }
  private struct Known {
    let socket: UInt32
    /// A process of a tree that began later may have the connection from its parent.
    let generation: Int
    let caller: Caller
  }
  private struct Refusal: Hashable {
    let run: String
    let lease: String
  }
  private struct State {
    /// Keyed by the caller's port.
    var known: [UInt16: Known] = [:]
    var reported: Set<Refusal> = []
  }
  private static let maxKnown = 1_024
  private let state = Mutex(State())
  private let trees: AutomationTrees
  private let events: AgentEvents

  init(trees: AutomationTrees, events: AgentEvents) {
    self.trees = trees
    self.events = events
  }

  /// - Parameters:
  ///   - lease: the token's.
  ///   - run: the run whose program has the lease; nil for a program outside of all trees.
  /// - Returns: why the request is refused; nil if it is not.
  func refusal(of request: LoopbackServer.Request, lease: String, run: String?) -> String? {
    guard !trees.isEmpty else { return nil }
    if let run, trees.tree(run: run)?.isRevoked ?? true { return "the automation run has been revoked" }
    let (tree, pid): (AutomationTree, Int32)
    switch caller(request) {
    case .outside: return nil
    case .member(let found, let process):
      if found.run.run == run { return nil }
      (tree, pid) = (found, process)
    case .unknown(let found, let process):
      if run != nil { return nil }
      (tree, pid) = (found, process)
    }
    let isNew = state.withLock { state in
      if state.reported.count == Self.maxKnown { state.reported.removeAll() }
      return state.reported.insert(Refusal(run: tree.run.run, lease: lease)).inserted
    }
    if isNew { events.report(.tokenRefused(tree.run, pid: pid)) }
    return "the token belongs to a program outside of this automation run"
  }

  private func caller(_ request: LoopbackServer.Request) -> Caller {
    guard let (port, socket) = request.callerSocket else { return .outside }
    let generation = trees.generation
    if let known = state.withLock({ $0.known[port] }), known.socket == socket, known.generation == generation {
      return known.caller
    }
    let caller = find(socket)
    state.withLock { state in
      if state.known.count == Self.maxKnown { state.known.removeAll() }
      state.known[port] = Known(socket: socket, generation: generation, caller: caller)
    }
    return caller
  }

  private func find(_ socket: UInt32) -> Caller {
    let (holders, unreadable) = ProcessFacts.holders(of: socket)
    for pid in holders { if let tree = trees.tree(of: pid) { return .member(tree, pid: pid) } }
    guard holders.isEmpty else { return .outside }
    for pid in unreadable { if let tree = trees.tree(of: pid) { return .unknown(tree, pid: pid) } }
    return .outside
  }
}
