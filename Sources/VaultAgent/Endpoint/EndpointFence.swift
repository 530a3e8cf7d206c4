import Glibc
import Synchronization
import VaultModel

/// A caller's end of a connection, as the kernel knows it.
struct CallerSocket: Hashable {
  let port: UInt16
  /// As `/proc/PID/fd` names it.
  let number: UInt32
  /// The user as whom it was made.
  let owner: UInt32
}

/// Keeps processes that act by themselves from the tokens of other programs, which they may have inherited or read.
///
/// Without a tree it does nothing. While one lives, each connection is looked at once: the kernel names its socket (sock_diag(7)), and the
/// descriptors in `/proc` the processes that hold that. Of several, every one must be entitled to the token. Where none is found, the socket
/// is on its way between two processes (unix(7), `SCM_RIGHTS`), or belongs to one whose descriptors cannot be read (PR_SET_DUMPABLE(2const)):
/// that may be any process of any tree.
final class EndpointFence: Sendable {
  /// Who may be asking.
  private struct Callers {
    struct Member {
      let tree: AutomationTree
      /// 0 for a process that could not be found.
      let pid: Int32
    }
    /// Those that belong to trees; the others may have every token.
    var members: [Member] = []
  }
  private struct Known {
    let socket: CallerSocket
    /// A process of a tree that began later may have the connection from its parent.
    let generation: Int
    let callers: Callers
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
  /// How often to look for the processes that hold a socket: one that is just made may be passed over.
  private static let maxScans = 3
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
    guard let other = callers(request.callerSocket).members.first(where: { $0.tree.run.run != run }) else { return nil }
    let isNew = state.withLock { state in
      if state.reported.count == Self.maxKnown { state.reported.removeAll() }
      return state.reported.insert(Refusal(run: other.tree.run.run, lease: lease)).inserted
    }
    if isNew { events.report(.tokenRefused(other.tree.run, pid: other.pid)) }
    return other.pid > 0
      ? "the token belongs to a program outside of this automation run"
      : "while automation runs live, a program that the kernel does not show gets nothing"
  }

  private func callers(_ socket: CallerSocket?) -> Callers {
    // The connection has been let go, and nobody reads the answer; but it may be one that is on its way.
    guard let socket else { return anybody }
    let generation = trees.generation
    if let known = state.withLock({ $0.known[socket.port] }), known.socket == socket, known.generation == generation {
      return known.callers
    }
    guard let callers = find(socket) else { return anybody }
    state.withLock { state in
      if state.known.count == Self.maxKnown { state.known.removeAll() }
      state.known[socket.port] = Known(socket: socket, generation: generation, callers: callers)
    }
    return callers
  }

  /// A process of any tree.
  private var anybody: Callers { Callers(members: trees.all.map { Callers.Member(tree: $0, pid: 0) }) }

  /// - Returns: nil if no process is found that holds it.
  private func find(_ socket: CallerSocket) -> Callers? {
    var unreadable: [Int32] = []
    for _ in 0..<Self.maxScans {
      let found = ProcessFacts.holders(of: socket.number)
      if !found.holders.isEmpty { return members(found.holders) }
      unreadable = found.unreadable
    }
    // Only root's processes make root's sockets: those whose descriptors cannot be read are all that may hold this one.
    return socket.owner == 0 && geteuid() != 0 ? members(unreadable) : nil
  }

  private func members(_ pids: [Int32]) -> Callers {
    Callers(members: pids.compactMap { pid in trees.tree(of: pid).map { Callers.Member(tree: $0, pid: pid) } })
  }
}
