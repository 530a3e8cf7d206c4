import CSystem
import Glibc
import Synchronization
import VaultConcurrency
import VaultModel
import VaultStore

/// The process trees that act by themselves, and to which of them a process belongs, by the kernel's word.
///
/// A process belongs to a tree if the tree's root is above it, if it is in the tree's control group, or if the run's variable is in
/// the environment that it was started with. The first two are proof. The variable only ever narrows: it finds what is left of a tree
/// whose root was killed. A program that the agent runs for a tree is one of it (``ProgramChildren``).
///
/// A root that ends without having said that nothing of its tree is left was killed. If the tree has no control group, the kernel no
/// longer tells its processes from others that have lost their parents: whatever was adopted since the root began counts as a member.
/// What stands below an older process, such as a person's terminal or a login, does not.
///
/// While there are trees, a process whose ID or parents the kernel does not show counts as a member: of the only tree, or of one that
/// gets nothing.
final class AutomationTrees: Sendable {
  fileprivate struct Entry {
    var tree: AutomationTree
    /// The root, or, once that was killed, the processes that are left.
    var roots: [ProcessIdentity]
    var adoption: Adoption
    /// The previous agent's record of it, until the record is proven.
    var unproven: AutomationRecord?
  }
  private struct State {
    /// Keyed by the run.
    var entries: [String: Entry] = [:]
    /// The run of each root, and when the root began.
    var roots: [Int32: (run: String, started: Int64)] = [:]
    /// What the trees without a control group may have lost, each with the oldest such tree's beginning.
    var adoptions: [Adoption] = []

    mutating func index() {
      (roots, adoptions) = ([:], [])
      for (run, entry) in entries { for root in entry.roots { roots[root.pid] = (run, root.started) } }
      let lost = entries.values.filter { $0.tree.cgroup == nil }.map(\.adoption)
      for (adopters, same) in Dictionary(grouping: lost, by: \.adopters) {
        adoptions.append(Adoption(adopters: adopters, since: same.map(\.since).min() ?? 0))
      }
    }
  }
  private let state = Mutex(State())
  private let hasTrees = Atomic(false)
  private let begun = Atomic(0)
  private let store: VaultStore
  private let loop: EventLoop
  private let clock: any WallClock
  private let agent: Requester
  private let programs: ProgramChildren

  /// - Parameter programs: what the agent itself runs for the trees.
  init(
    store: VaultStore, loop: EventLoop, agent: Requester, programs: ProgramChildren = ProgramChildren(), clock: any WallClock
  ) {
    self.programs = programs
    self.store = store
    self.loop = loop
    self.agent = agent
    self.clock = clock
  }

  /// Without trees, no request does any work for them.
  var isEmpty: Bool { !hasTrees.load(ordering: .relaxed) && !programs.haveServedRun }

  /// Changes with each tree that begins.
  var generation: Int { begun.load(ordering: .relaxed) }

  var all: [AutomationTree] { state.withLock { $0.entries.values.map(\.tree) } }

  // MARK: whose process it is

  /// The tree to which a process belongs; nil if it belongs to none.
  func tree(of pid: Int32) -> AutomationTree? { isEmpty ? nil : tree(Ancestry(of: pid)) }

  /// The tree to which a request belongs.
  ///
  /// - Parameters:
  ///   - marker: the run that the requester's environment names, as its client sent it.
  ///   - variable: the variable by which the requester says that it acts by itself.
  func tree(_ ancestry: @autoclosure () -> Ancestry, marker: String?, variable: String?) -> AutomationTree? {
    if !isEmpty, let tree = tree(ancestry()) { return tree }
    if let marker { return tree(marked: ProcessFacts.run(marker)) }
    return variable.flatMap { AgentVariables.names.contains($0) ? AutomationTree.hint($0) : nil }
  }

  /// The tree of a requester whose membership was decided when it asked; a run that has ended gets nothing.
  ///
  /// - Parameter variable: see ``CredentialRequest/agentVariable``.
  func tree(for requester: Requester, variable: String?) -> AutomationTree? {
    guard let run = requester.automation else { return variable.map { AutomationTree.hint($0) } }
    return tree(run: run.run) ?? Self.ended(run)
  }

  func tree(run: String) -> AutomationTree? { state.withLock { $0.entries[run]?.tree } }

  private func tree(_ ancestry: Ancestry) -> AutomationTree? {
    // Above all, since it needs no further look at the process.
    if let tree = root(in: ancestry) { return tree }
    if let tree = controlGroup(of: ancestry.pid) { return tree }
    if let marker = ProcessFacts.marker(of: ancestry.pid) { return tree(marked: marker) }
    return ancestry.isComplete ? orphan(ancestry) : undecided(ancestry)
  }

  /// The tree to which a process belongs that was adopted after that tree's root was killed.
  private func orphan(_ ancestry: Ancestry) -> AutomationTree? {
    // The kernel gives the children away before it says that the parent has ended, but after it took the parent's memory.
    let trees = state.withLock { state in
      guard state.adoptions.contains(where: { $0.mayConcern(ancestry) }) else { return [AutomationTree]() }
      return state.entries.values.filter { $0.mayHaveLost(ancestry) }.map(\.tree)
    }.filter { !$0.root.isRunning || ProcessFacts.hasEnded($0.root.pid) }
    return trees.count > 1 ? Self.ended(.unknown) : trees.first
  }

  private func root(in ancestry: Ancestry) -> AutomationTree? {
    let own = getpid()
    return state.withLock { state in
      var child: Int32 = 0
      for pid in CollectionOfOne(ancestry.pid) + ancestry.parents {
        if pid == own, child > 0, programs.haveServedRun {
          switch programs.owner(of: child) {
          case .person: return nil
          case .run(let run): return state.entries[run]?.tree ?? Self.ended(.unknown)
          case .nobody: return Self.ended(.unknown)
          }
        }
        child = pid
        // The number alone may be another process's by now.
        guard let root = state.roots[pid], sys_process_start(pid) == root.started else { continue }
        return state.entries[root.run]?.tree
      }
      return nil
    }
  }

  private func controlGroup(of pid: Int32) -> AutomationTree? {
    let grouped = state.withLock { $0.entries.values.map(\.tree).filter { $0.cgroup != nil } }
    guard !grouped.isEmpty, let group = ProcessFacts.controlGroup(of: pid) else { return nil }
    return grouped.first { tree in tree.cgroup.map { ProcessFacts.isWithin(group, $0) } ?? false }
  }

  private func tree(marked marker: String) -> AutomationTree {
    if let tree = tree(run: marker) { return tree }
    // Another vault's run, or one whose root was killed and whose processes could not be found.
    return AutomationTree(unknownRootOf: AutomationRun(name: "unknown", run: marker, rootPid: 0), scope: .readOnly)
  }

  /// For a process about which the kernel says too little: one of another PID namespace, or with an ancestor that `/proc` hides.
  private func undecided(_ ancestry: Ancestry) -> AutomationTree? {
    let trees = all
    // A group of its own holds a tree's processes, unless one of them went to another group and far away from the root.
    if ancestry.pid > 0, !ancestry.isTooDeep, trees.allSatisfy({ $0.cgroup != nil }),
      ProcessFacts.controlGroup(of: ancestry.pid) != nil
    {
      return nil
    }
    if trees.count == 1 { return trees[0] }
    return trees.isEmpty ? nil : Self.ended(.unknown)
  }

  private static func ended(_ run: AutomationRun) -> AutomationTree {
    AutomationTree(unknownRootOf: run, scope: .readOnly, isRevoked: true)
  }

  // MARK: life cycle

  /// The requester's process is the root of a tree from now on.
  ///
  /// - Parameters:
  ///   - cgroup: the control group that was made for it.
  ///   - adopter: the process above it that adopts what loses its parents. If that is none above it, any of them may.
  func begin(
    _ run: AutomationRun, scope: SessionScope, cgroup: String?, adopter: Int32, by requester: Requester
  ) async throws -> AutomationTree {
    let above = Ancestry(of: requester.pid)
    guard let root = ProcessIdentity(running: requester.pid), above.isComplete else {
      throw AgentError.unprovenPeer(why: "the process has ended")
    }
    let adopters = Array(above.parents[(above.parents.firstIndex(of: adopter) ?? 0)...].reversed())
    var requester = requester
    requester.automation = run
    var event = AuditEvent(action: .automationStarted, outcome: .success, trigger: .exec, requester: requester)
    event.scope = AutomationTree(run: run, root: root, scope: scope).effectiveScope(allowed: false).shown
    event.detail = cgroup.map { "in the control group \($0)" } ?? "without a control group of its own"
    try await store.begin(
      AutomationRecord(run: run, root: root, cgroup: cgroup, scope: scope, began: clock.now(), adopters: adopters), event: event)
    let tree = AutomationTree(run: run, root: root, scope: scope, cgroup: cgroup)
    insert(Entry(tree: tree, roots: [root], adoption: Adoption(adopters: adopters, since: root.started)))
    return tree
  }

  /// Takes over the trees of the previous agent. Its records are believed at once, since they only narrow, and are proven when the key
  /// is available (``prove()``).
  func resume() async throws {
    let boot = ProcessIdentity(running: getpid())?.boot
    for record in try await store.automationRuns() {
      // Nothing outlives the machine's start.
      guard record.root.boot == boot else {
        await logEnd(record.run, [])
        try await store.endRun(record.run.run)
        continue
      }
      let tree = AutomationTree(
        run: record.run, root: record.root, scope: record.scope ?? .readOnly, cgroup: record.cgroup,
        isRevoked: record.revoked != nil || record.scope == nil)
      let adoption = Adoption(adopters: record.adopters, since: record.root.started)
      insert(Entry(tree: tree, roots: [record.root], adoption: adoption, unproven: record))
    }
  }

  /// Checks what the previous agent wrote: a tree whose row another program changed gets nothing.
  func prove() async {
    for record in state.withLock({ $0.entries.values.compactMap(\.unproven) }) {
      let run = record.run.run
      guard let isProven = try? await store.vouches(for: record) else { continue }
      state.withLock { state in
        state.entries[run]?.unproven = nil
        if !isProven { state.entries[run]?.tree.isRevoked = true }
      }
      if !isProven { AgentLog.write("the row of automation run \(run) was changed by another program; the run gets nothing") }
    }
  }

  /// Gives a tree nothing from now on.
  ///
  /// - Returns: the tree; nil if there is none of that run.
  func revoke(run: String) async throws -> AutomationTree? {
    let tree = state.withLock { state in
      state.entries[run]?.tree.isRevoked = true
      return state.entries[run]?.tree
    }
    if tree != nil { try await store.revokeRun(run) }
    return tree
  }

  private func insert(_ entry: Entry) {
    state.withLock { state in
      state.entries[entry.tree.run.run] = entry
      state.index()
      hasTrees.store(true, ordering: .relaxed)
      begun.wrappingAdd(1, ordering: .relaxed)
    }
    for root in entry.roots { watch(root, of: entry.tree.run.run) }
  }

  private func watch(_ root: ProcessIdentity, of run: String) {
    let ended: @Sendable () -> Void = {
      Task(executorPreference: AgentExecutor.current) { await self.rootEnded(root, of: run) }
    }
    loop.onExit(of: root.pid, ended)
    // Checked afterwards: the watch has this process, or another one that got its ID.
    if !root.isRunning { ended() }
  }

  /// The remaining processes of the tree stay narrowed: each of them becomes a root.
  private func rootEnded(_ root: ProcessIdentity, of run: String) async {
    let ended = state.withLock { state -> Entry? in
      guard let place = state.entries[run]?.roots.firstIndex(of: root) else { return nil }
      // Once for each end, however often it is reported.
      state.entries[run]?.roots.remove(at: place)
      return state.entries[run]
    }
    guard let entry = ended else { return }
    let left = await BlockingPool.shared.run { ProcessFacts.all { entry.holds($0) } }
    let new = state.withLock { state in
      let known = Set(state.entries[run]?.roots ?? [])
      state.entries[run]?.roots = left
      state.index()
      return left.filter { !known.contains($0) }
    }
    for process in new { watch(process, of: run) }
    // One row for each end: the root's, with what it left.
    if root == entry.tree.root { await logEnd(entry.tree.run, left) }
    if left.isEmpty { await remove(run) }
  }

  /// Nothing of a tree is left.
  func end(_ tree: AutomationTree) async {
    guard state.withLock({ $0.entries[tree.run.run] }) != nil else { return }
    await logEnd(tree.run, [])
    await remove(tree.run.run)
  }

  private func remove(_ run: String) async {
    state.withLock { state in
      state.entries[run] = nil
      state.index()
      hasTrees.store(!state.entries.isEmpty, ordering: .relaxed)
    }
    do { try await store.endRun(run) } catch {
      AgentLog.write("the end of automation run \(run) could not be stored: \(Failure(error).message)")
    }
  }

  private func logEnd(_ run: AutomationRun, _ left: [ProcessIdentity]) async {
    var who = agent
    who.automation = run
    var event = AuditEvent(action: .automationEnded, outcome: .success, trigger: .exec, requester: who)
    if !left.isEmpty {
      let named = left.prefix(20).map { "\($0.pid) \(PeerInspector.link("/proc/\($0.pid)/exe"))" }.joined(separator: ", ")
      let count = left.count == 1 ? "1 process is left and stays" : "\(left.count) processes are left and stay"
      event.detail = "the root was killed; \(count) narrowed: \(named)"
    }
    do { try await store.record(event) } catch {
      AgentLog.write("the end of automation run \(run.run) could not be logged: \(Failure(error).message)")
    }
  }
}

extension AutomationTrees.Entry {
  fileprivate func mayHaveLost(_ ancestry: Ancestry) -> Bool { tree.cgroup == nil && adoption.mayConcern(ancestry) }

  /// Whether a process is left of the tree, whose root was killed.
  fileprivate func holds(_ pid: Int32) -> Bool {
    if let own = tree.cgroup, let group = ProcessFacts.controlGroup(of: pid), ProcessFacts.isWithin(group, own) { return true }
    return ProcessFacts.marker(of: pid) == tree.run.run
      || PeerInspector.users(of: pid).contains(geteuid()) && mayHaveLost(Ancestry(of: pid))
  }
}

/// Tells which processes may have been adopted since a tree's root began.
private struct Adoption {
  /// See ``AutomationRecord/adopters``.
  let adopters: [Int32]
  /// When the root began, in clock ticks since the machine's start.
  let since: Int64

  /// Whether a process, or one above it, may have been adopted since then.
  func mayConcern(_ ancestry: Ancestry) -> Bool {
    // The agent, and what it starts, belong to no tree.
    guard let top = ancestry.topmost(below: adopters), top != getpid() else { return false }
    return sys_process_start(top) >= since
  }
}
